"""Each setting is documented; wrong ones are refused with a reason."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lb.backend.source import Address, Listed, ListFile, Name, parse_list, parse_sources
from lb.settings import BalancerSettings, variables

DOCUMENT = Path(__file__).parents[3] / "docs" / "balancer.md"


@pytest.mark.parametrize(("variable", "default"), variables().items())
def test_a_setting_is_documented_with_its_default(variable: str, default: object) -> None:
    rows = [
        line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| `{variable}`")
    ]
    assert len(rows) == 1
    cell = rows[0].split("|")[2].strip()
    if isinstance(default, bool):
        assert cell == f"`{str(default).lower()}`"
    elif isinstance(default, float):
        assert float(cell.strip("`")) == default
    else:
        assert cell == (f"`{default}`" if default else "none")


def test_no_setting_is_documented_that_is_not_there() -> None:
    names = [
        line.split("`")[1]
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith("| `MILLRACE_")
    ]
    assert sorted(names) == sorted(variables())


def test_backends_are_addresses_and_names_to_look_up() -> None:
    text = "127.0.0.1:1, [::1]:2 weight=3,dns://app:3,127.0.0.1:1,dns://b:4 weight=2,file:///a/b"
    assert parse_sources(text) == (
        Listed(Address("127.0.0.1", 1)),
        Listed(Address("::1", 2), 3),
        Name(Address("app", 3)),
        Name(Address("b", 4), 2),
        ListFile("/a/b"),
    )


def test_a_list_file_has_a_backend_a_line_and_comments() -> None:
    text = "# ours\n127.0.0.1:1\n\n  [::1]:2   weight=256 # the large one\n"
    assert parse_list(text) == (Listed(Address("127.0.0.1", 1)), Listed(Address("::1", 2), 256))


@pytest.mark.parametrize(
    "text",
    ["", "# none\n", "127.0.0.1", "a:1 weight=0", "a:1 weight=257", "a:1 heavy", "a:1 weight=1 x"],
)
def test_a_broken_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"backend|weight|host:port"):
        parse_list(text)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MILLRACE_LB_BACKENDS", ""),
        ("MILLRACE_LB_BACKENDS", "app"),
        ("MILLRACE_LB_BACKENDS", "app:99999"),
        ("MILLRACE_LB_BACKENDS", "app:1 weight=0"),
        ("MILLRACE_LB_BACKENDS", "file://relative"),
        ("MILLRACE_LB_PANIC_RATIO", "1.1"),
        ("MILLRACE_LB_LISTEN", "8080"),
        ("MILLRACE_LB_STRATEGY", "random"),
        ("MILLRACE_RATE_LIMIT", "many"),
        ("MILLRACE_RATE_LIMIT", "1/second;2/minute"),
        ("MILLRACE_RATE_LIMIT_RULES", "/v1/hash"),
        ("MILLRACE_RATE_LIMIT_ALGORITHM", "guess"),
        ("MILLRACE_LB_REDIS_URL", "http://redis"),
        ("MILLRACE_LB_REDIS_URL", "redis://redis/first"),
        ("MILLRACE_LB_REDIS_URL", "redis+sentinel://host"),
        ("MILLRACE_LB_REDIS_URL", "redis+sentinel:///service"),
        ("MILLRACE_LB_REDIS_URL", "unix+sentinel://host/service"),
        ("MILLRACE_LB_REDIS_URL", "redis+sentinel://host/service/first"),
        ("MILLRACE_LB_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("MILLRACE_LB_CONNECT_TIMEOUT_S", "0"),
        ("MILLRACE_LB_MAX_HEADER_BYTES", "100"),
        ("MILLRACE_LB_RETRY_SAFE_PATHS", "v1"),
    ],
)
def test_a_wrong_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("MILLRACE_LB_BACKENDS", "127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError):
        BalancerSettings()


def test_the_limit_can_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_LB_BACKENDS", "127.0.0.1:1")
    monkeypatch.setenv("MILLRACE_RATE_LIMIT", "off")
    assert BalancerSettings().rate is None


def test_the_token_and_the_password_of_redis_may_lie_in_files(tmp_path: Path) -> None:
    token, password = tmp_path / "token", tmp_path / "password"
    token.write_text("of-the-operator\n")
    password.write_text("of-redis\n")
    settings = BalancerSettings(
        backends="app:8000",
        admin_listen="0.0.0.0:8081",
        admin_token_file=str(token),
        redis_url="redis://host",
        redis_password_file=str(password),
    )
    assert settings.operators_token == "of-the-operator"
    assert settings.redis_address is not None
    assert settings.redis_address.password == "of-redis"


def test_a_token_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        BalancerSettings(backends="app:8000", admin_token_file=str(tmp_path / "missing"))
