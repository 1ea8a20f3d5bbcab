"""The limits on requests: whom to count, where, and what to tell."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from structlog.typing import FilteringBoundLogger

from lb.limiter.api_keys import KeyPolicies
from lb.limiter.path_policies import PathPolicies
from lb.limiter.policy import Policy
from lb.limiter.shared_windows import SharedWindows
from lb.wire.problem import Problem

_SHADOW_LOG_S = 1.0


class Refusal(NamedTuple):
    """`fields`: the RateLimit header lines for the answer."""

    fields: bytes
    problem: Problem


# The header lines of a request that may pass (empty: no limit is on it), or its refusal.  No
# object for the usual case: this is asked for every request.
Verdict = bytes | Refusal


class Limiter:
    """Counts each client's requests in the sliding window of the policy that is on their path.

    With `shared`, windows are those of all balancers; this process's own are kept beside them, for
    when they are out of reach.  In `shadow` mode everything passes, and `refused` of the policies
    tells what would not have.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        paths: PathPolicies,
        keys: KeyPolicies | None,
        *,
        shared: SharedWindows | None,
        shadow: bool,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self.policies = policies
        self.shared = shared
        self.shadow = shadow
        self._paths = paths
        self._keys = keys
        self._clock = clock
        self._log = log
        self._told = 0
        self._tell_next = clock()

    async def start(self) -> None:
        """Connect to the shared windows, if there are any and they can be reached in a second."""
        if self.shared is not None:
            await self.shared.start(self.policies)

    async def stop(self) -> None:
        """Leave the shared windows to the other balancers."""
        if self.shared is not None:
            await self.shared.stop()

    @property
    def clients(self) -> int:
        """Clients counted now, in each policy."""
        return sum(len(policy.window) for policy in self.policies)

    @property
    def limited(self) -> int:
        """Requests that were refused, or would have been in shadow mode."""
        return sum(policy.refused for policy in self.policies)

    def check(
        self,
        client: str,
        target: bytes,
        api_key: bytes | None,
        now: float,
        callback: Callable[[Verdict], object],
    ) -> Verdict | None:
        """Count a request; None: the shared window is asked, and `callback` will get the verdict.

        `callback` comes within the time limit of such a question, and never before check() ends.
        """
        policy = self._paths.of(target)
        if policy is None:
            return b""
        if api_key is not None and self._keys is not None:
            known = self._keys.of(api_key)
            if known is not None:
                policy, client = known
        if self.shared is not None and self.shared.ask(
            policy, client, lambda answer: self._answered(policy, client, answer, callback)
        ):
            return None
        remaining, reset_s = policy.window.take(client, now, policy.share)
        return self._verdict(policy, client, remaining, reset_s)

    def sweep(self, now: float) -> None:
        """Forget clients of the past, a bounded number a call."""
        for policy in self.policies:
            policy.window.sweep(now)
        if self.shared is not None:
            self.shared.sweep(now)
        if self.shadow and self.limited > self._told and now >= self._tell_next:
            # Once in a while, and not for each: a flood must not become a flood of lines.
            self._log.warning("requests beyond a limit passed", number=self.limited - self._told)
            self._told = self.limited
            self._tell_next = now + _SHADOW_LOG_S

    def status(self) -> dict[str, Any]:
        """Return the document for operators."""
        return {
            "mode": "local" if self.shared is None else self.shared.mode,
            "shadow": self.shadow,
            "limited": self.limited,
            "clients": self.clients,
            "balancers": 1 if self.shared is None else self.shared.balancers,
            "shared_checks": 0 if self.shared is None else self.shared.answered,
            "fallback_checks": 0 if self.shared is None else self.shared.unanswered,
            "policies": [
                {
                    "id": policy.name,
                    "limit": policy.notation,
                    "share": policy.share,
                    "limited": policy.refused,
                    "clients": len(policy.window),
                }
                for policy in self.policies
            ],
        }

    def _answered(
        self,
        policy: Policy,
        client: str,
        answer: tuple[int, float] | None,
        callback: Callable[[Verdict], object],
    ) -> None:
        """Tell the verdict of the shared window, or else this process's own."""
        now = self._clock()
        if answer is None:
            answer = policy.window.take(client, now, policy.share)
        elif answer[0] >= 0:
            # So that an outage does not give each client a new share.
            policy.window.add(client, now)
        callback(self._verdict(policy, client, *answer))

    def _verdict(self, policy: Policy, client: str, remaining: int, reset_s: float) -> Verdict:
        if remaining >= 0:
            return b"" if self.shadow else policy.fields(remaining, math.ceil(reset_s) or 1)
        policy.refused += 1
        if self.shadow:
            return b""
        reset = math.ceil(reset_s) or 1
        whom = "with this API key" if client.startswith("key ") else "from this address"
        problem = Problem(
            429, "rate-limited", "Too many requests",
            f"More than {policy.notation} came {whom}. Wait for {reset} s; "
            "the RateLimit field of every answer tells what is left.",
            retry_after_s=reset,
        )  # fmt: skip
        return Refusal(policy.fields(0, reset), problem)
