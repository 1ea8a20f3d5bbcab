"""The windows that all balancers share, in Redis."""

from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Literal

from lb.limiter.policy import Policy
from lb.limiter.redis_link import RedisLink, encode
from lb.limiter.window import Algorithm

_BALANCERS = b"millrace:lb:balancers"
# A balancer is counted for so long after it was heard.
_ALIVE_S = 3.0
_HEARTBEAT_S = 1.0

# How many may follow now (-1: this one may not pass), and the seconds until there is one more;
# None: decide by yourself.
Answer = tuple[int, float] | None


def _word(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def script(name: str) -> bytes:
    """Return the text of a Lua script of this folder."""
    return files("lb.limiter").joinpath(f"{name}.lua").read_bytes()


def scripts(algorithm: Algorithm) -> tuple[bytes, bytes]:
    """Return the scripts that a link must load: the window's, and the heartbeat's."""
    return script(f"window_{algorithm}"), script("heartbeat")


class SharedWindows:
    """Asks Redis for each decision, and knows how many balancers do so.

    Every decision is one atomic script by the server's clock, so balancers need not agree on the
    time.  While Redis is away, each balancer lets its part of a limit pass: limit / balancers, as
    many as there were.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        algorithm: Algorithm,
        identity: bytes,
        clock: Callable[[], float],
    ) -> None:
        self.answered = 0
        self.unanswered = 0
        self.balancers = 1
        self._link = link
        self._identity = identity
        self._clock = clock
        self._algorithm = algorithm.encode()
        window, heartbeat = scripts(algorithm)
        self._window_sha = sha1(window, usedforsecurity=False).hexdigest().encode()
        self._heartbeat_sha = sha1(heartbeat, usedforsecurity=False).hexdigest().encode()
        # of each policy: what stands before the key, the key's beginning, what stands behind it
        self._commands: dict[Policy, tuple[bytes, bytes, bytes]] = {}
        self._next_heartbeat = 0.0
        self._was_usable = False
        self._counts_settled = 0.0

    @property
    def mode(self) -> Literal["shared", "fallback"]:
        """Who decides now."""
        return "shared" if self._link.is_usable else "fallback"

    async def start(self, policies: Sequence[Policy]) -> None:
        """Connect, if Redis is there, and be counted among the balancers."""
        for policy in policies:
            window_us = round(policy.window_s * 1e6)
            self._commands[policy] = (
                b"*6\r\n" + _word(b"EVALSHA") + _word(self._window_sha) + _word(b"1"),
                # With the limit in it: another limit is another window.
                b"millrace:limit:%b:%b:%d/%d:" % (
                    self._algorithm, policy.name.encode(), policy.amount, policy.window_s
                ),
                _word(b"%d" % policy.amount) + _word(b"%d" % window_us),
            )  # fmt: skip
        await self._link.start()
        self.sweep(self._clock())

    async def stop(self) -> None:
        """Be counted no more."""
        await self._link.stop(encode(b"ZREM", _BALANCERS, self._identity))

    def ask(self, policy: Policy, client: str, on_answer: Callable[[Answer], object]) -> bool:
        """Count a request in the shared window; False: it cannot be, decide by yourself."""
        link = self._link
        if not link.is_usable:
            self.unanswered += 1
            return False
        start, key, end = self._commands[policy]
        key += client.encode()
        link.send(
            b"%b$%d\r\n%b\r\n%b" % (start, len(key), key, end),
            lambda reply: self._replied(reply, on_answer),
        )
        return True

    def sweep(self, now: float) -> None:
        """Tell that this balancer lives, when it is time."""
        usable = self._link.is_usable
        if usable and not self._was_usable:
            # The others may not be back yet: until they are, fewer must not mean larger shares.
            self._counts_settled = now + _ALIVE_S
            self._next_heartbeat = now
        self._was_usable = usable
        if usable and now >= self._next_heartbeat:
            self._next_heartbeat = now + _HEARTBEAT_S
            self._link.send(
                encode(
                    b"EVALSHA", self._heartbeat_sha, b"1", _BALANCERS,
                    self._identity, b"%d" % (_ALIVE_S * 1000),
                ),
                self._heard,
            )  # fmt: skip

    def _replied(self, reply: bytes | None, on_answer: Callable[[Answer], object]) -> None:
        if reply is None or reply[:1] != b"+":
            self.unanswered += 1
            self._failed(reply)
            on_answer(None)
            return
        self.answered += 1
        remaining, reset_us = reply[1:].split(b" ")
        on_answer((int(remaining), int(reset_us) / 1e6))

    def _heard(self, reply: bytes | None) -> None:
        if reply is None or reply[:1] != b":":
            self._failed(reply)
            return
        balancers = int(reply[1:])
        if balancers < self.balancers and self._clock() < self._counts_settled:
            return
        if balancers != self.balancers:
            self.balancers = balancers
            for policy in self._commands:
                policy.share = max(1, policy.amount // balancers)

    def _failed(self, reply: bytes | None) -> None:
        if reply is not None and reply.startswith(b"-NOSCRIPT"):
            self._link.load_scripts()
