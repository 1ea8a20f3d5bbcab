"""Limits: on which paths, for whom, and what they tell."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import structlog

from lb.errors import StartFailed
from lb.limiter.limiter import Limiter, Refusal, Verdict
from lb.limiter.rules import parse_rules
from lb.limiter.wiring import make_limiter
from lb.settings import BalancerSettings


def limiter(**settings: object) -> Limiter:
    made = maybe_limiter(**settings)
    assert made is not None
    return made


def maybe_limiter(**settings: object) -> Limiter | None:
    return make_limiter(
        BalancerSettings(backends="127.0.0.1:1", **settings),  # type: ignore[arg-type]
        clock=lambda: 0.0,
        log=structlog.get_logger(),
    )


def check(
    limiter: Limiter,
    target: bytes,
    *,
    client: str = "a",
    key: bytes | None = None,
    now: float = 0.0,
) -> Verdict:
    verdict = limiter.check(client, target, key, now, _never)
    assert verdict is not None
    return verdict


def _never(verdict: Verdict) -> None:
    raise AssertionError("it is told at once")


def policy_of(limiter: Limiter, target: bytes) -> str | None:
    policy = limiter._paths.of(target)
    return None if policy is None else policy.name


@pytest.mark.parametrize(
    ("target", "limited"),
    [
        (b"/v1", True), (b"/v1/query?a=/b", True), (b"/%761/query", True), (b"//v1/query", True),
        (b"/./v1/query", True), (b"/a/../v1/query", True), (b"/v1?x", True), (b"/v2/v1", False),
        (b"/v10", False), (b"/health/ready", False), (b"*", False), (b"/?x=/v1", False),
        (b"/v1/../health", True), (b"/v1/digests/../..", True), (b"/v1%2Fquery", True),
        (b"/%2e/v1/hash", True), (b"/x%2F..%2Fv1", True),
    ],
)  # fmt: skip
def test_the_limit_holds_below_v1_however_it_is_spelt(target: bytes, limited: bool) -> None:
    assert (policy_of(limiter(), target) == "default") is limited


RULES = "/v1/hash=1000/minute; /v1/query=10/minute; /v1/query/explain=off; /v1/status = off"


@pytest.mark.parametrize(
    ("target", "policy"),
    [
        (b"/v1/hash", "/v1/hash"), (b"/v1/hash/batch", "/v1/hash"), (b"/v1/hashes", "default"),
        (b"/v1/query", "/v1/query"), (b"/v1/query/explain", None), (b"/v1/status?x", None),
        (b"/v1/%68ash", "/v1/hash"), (b"/v1//query", "/v1/query"),
        (b"/v1/hash/../query", "/v1/query"), (b"/v1/query/../hash", "/v1/query"),
        (b"/v1/status/../query", "/v1/query"), (b"/docs", None),
    ],
)  # fmt: skip
def test_the_longest_prefix_decides_and_a_doubtful_spelling_gets_the_stricter_limit(
    target: bytes, policy: str | None
) -> None:
    assert policy_of(limiter(rate_limit_rules=RULES), target) == policy


def test_each_rule_counts_for_itself() -> None:
    made = limiter(rate_limit="1/minute", rate_limit_rules="/v1/hash=2/minute")
    targets = [b"/v1/query", b"/v1/hash", b"/v1/hash", b"/v1/query", b"/v1/hash"]
    refused = [isinstance(check(made, target), Refusal) for target in targets]
    assert refused == [False, False, False, True, True]
    assert [policy.refused for policy in made.policies] == [1, 1]


def test_a_rule_for_the_root_is_on_every_path() -> None:
    made = limiter(rate_limit="off", rate_limit_rules="/=5/second")
    assert policy_of(made, b"/docs") == "/"
    assert policy_of(made, b"/v1/query") is None


def test_without_a_limit_there_is_no_limiter() -> None:
    assert maybe_limiter(rate_limit="off", rate_limit_rules="/v1/hash=off") is None


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ("/v1/hash", "/v1/hash"), ("v1=1/minute", "'v1'"), ("/v1=often", "/v1=often"),
        ("/v1=1/minute;/v1/=2/minute", "/v1/"), ("/v1=1/second,2/minute", "more than one"),
        ("/%761=1/minute", "/%761"), ("/a//b=1/minute", "/a//b"), ("/a/../b=1/minute", "/a/../b"),
        ("key:x=1/minute", "key:x"), ("key:*=off", "key:*=off"), ("/v1=0/minute", "at least 1"),
        ('/"=1/minute', '/"'),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_named(rules: str, named: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_rules(rules)
    assert named in str(caught.value)


def test_the_fields_tell_what_is_left_and_when_more_is_given() -> None:
    made = limiter(rate_limit="2/minute")
    assert check(made, b"/v1/query") == (
        b'RateLimit-Policy: "default";q=2;w=60\r\nRateLimit: "default";r=1;t=60\r\n'
    )
    check(made, b"/v1/query", now=1.0)
    refused = check(made, b"/v1/query", now=22.5)
    assert isinstance(refused, Refusal)
    assert (refused.problem.status, refused.problem.retry_after_s) == (429, 38)
    assert refused.fields.endswith(b'RateLimit: "default";r=0;t=38\r\n')
    assert check(made, b"/docs", now=23.0) == b""
    assert isinstance(check(made, b"/v1/query", client="b", now=23.0), bytes)


def test_the_fields_are_right_for_more_numbers_than_are_kept() -> None:
    policy = limiter(rate_limit="100000/day").policies[0]
    for remaining in range(0, 100000, 7):
        assert policy.fields(remaining, 5).endswith(b"r=%d;t=5\r\n" % remaining)


def test_in_shadow_mode_everything_passes_and_is_counted() -> None:
    made = limiter(rate_limit="2/minute", rate_limit_shadow=True)
    assert [check(made, b"/v1/query") for _ in range(5)] == [b""] * 5
    assert made.limited == 3


Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "keys"
        path.write_text(text.replace("DIGEST", sha256(b"secret").hexdigest()))
        return str(path)

    return write


def test_a_listed_key_has_its_own_limit_wherever_it_comes_from(write: Write) -> None:
    file = write("# partners\nalice DIGEST 3/minute\n\n")
    made = limiter(rate_limit="1/minute", rate_limit_keys_file=file)
    verdicts = [check(made, b"/v1/query", client=str(i), key=b"secret") for i in range(4)]
    assert [isinstance(verdict, Refusal) for verdict in verdicts] == [False, False, False, True]
    assert check(made, b"/docs", key=b"secret") == b""
    assert isinstance(check(made, b"/v1/query"), bytes)


def test_an_unknown_key_is_limited_as_its_address(write: Write) -> None:
    made = limiter(rate_limit="1/minute", rate_limit_keys_file=write("alice DIGEST 3/minute"))
    assert isinstance(check(made, b"/v1/query", key=b"made up"), bytes)
    assert isinstance(check(made, b"/v1/query", key=b"made up, too"), Refusal)


def test_keys_without_a_limit_have_that_of_the_rule_each_for_itself(write: Write) -> None:
    file = write(f"alice DIGEST\nbob {sha256(b'other').hexdigest()}")
    made = limiter(rate_limit_rules="key:*=1/minute", rate_limit_keys_file=file)
    verdicts = [check(made, b"/v1/query", key=key) for key in (b"secret", b"other", b"secret")]
    assert [isinstance(verdict, Refusal) for verdict in verdicts] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alice", "line 1"), ("\nalice 1234 1/minute", "line 2"), ("alice DIGEST often", "line 1"),
        ("alice DIGEST", "alice"), ("alice DIGEST off", "line 1"),
        ("alice DIGEST 1/minute\nbob DIGEST 1/minute", "line 2"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_keys_stops_the_start_and_names_the_line(
    write: Write, text: str, named: str
) -> None:
    with pytest.raises(StartFailed, match=named):
        limiter(rate_limit_keys_file=write(text))


def test_a_missing_file_of_keys_stops_the_start() -> None:
    with pytest.raises(StartFailed, match="MILLRACE_RATE_LIMIT_KEYS_FILE"):
        limiter(rate_limit_keys_file="/nowhere/keys")
    with pytest.raises(StartFailed, match="MILLRACE_RATE_LIMIT_KEYS_FILE"):
        limiter(rate_limit_rules="key:*=1/minute")
