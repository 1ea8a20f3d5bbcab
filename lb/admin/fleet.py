"""All processes that serve, as the operator's one counterpart."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from prometheus_client.core import Metric

from lb.admin.decisions import Decisions
from lb.admin.merge import counts, merge
from lb.admin.totals import Family, Totals


class MemberGone(Exception):
    """The process ended, or did not answer in time."""


class Member(Protocol):
    """One process."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def stage(self) -> Literal["starting", "serving", "draining"]:
        """Where it is in its life."""

    async def ask(self, what: str, body: Any = None) -> Any:
        """Return the answer to a question.  Raises MemberGone."""


class Fleet:
    """Asks all members at once; those that don't answer are left out.

    `members` tells who is there now, those that drain too; `own` what the parent counts of what
    they count, too.
    """

    def __init__(
        self,
        members: Callable[[], Sequence[Member]],
        own: Callable[[], list[Family]] = list,
    ) -> None:
        self._own = own
        self._members = members
        self._totals = Totals()
        self._last_metrics: dict[int, list[Family]] = {}
        self.decisions = Decisions()

    async def status(self) -> dict[str, Any]:
        """Return the merged documents, and a line for each process; {} when nobody answers."""
        documents = dict(await self._ask_all("status"))
        serving = [one for member, one in documents.items() if member.stage == "serving"]
        draining = [one for member, one in documents.items() if member.stage != "serving"]
        # When all drain, the words of the last ones are better than none.
        document = merge([*serving, *(map(counts, draining) if serving else draining)]) or {}
        document["processes"] = [
            {
                "pid": member.pid,
                "stage": member.stage,
                "connections": documents[member]["connections"]["open"],
                "active": documents[member]["requests"]["active"],
            }
            if member in documents
            else {"pid": member.pid, "stage": member.stage, "connections": None, "active": None}
            for member in self._members()
        ]
        return dict(document)

    async def ready(self) -> int | None:
        """Return how many backends are ready; None: no process serves."""
        counts = [
            count for member, count in await self._ask_all("ready") if member.stage == "serving"
        ]
        return max(counts, default=None)

    async def requests(self, request_id: str) -> list[dict[str, Any]]:
        """Return what is remembered of the requests with this id: clients may repeat one."""
        answers = await self._ask_all("request", request_id)
        return [{"pid": member.pid} | record for member, found in answers for record in found]

    async def decide(self) -> None:
        """Tell everybody what is decided now."""
        await self._ask_all("decide", self.decisions.model_dump())

    async def metrics(self) -> list[Metric]:
        """Return the sums over all processes since the parent's start."""
        answers = await self._ask_all("metrics")
        # Who has left meanwhile is in the totals already.
        here = {member.pid for member in self._members()}
        reports = {member.pid: report for member, report in answers if member.pid in here}
        self._last_metrics |= reports
        return self._totals.sum([*self._last_metrics.values(), self._own()])

    def left(self, pid: int, metrics: list[Family] | None) -> None:
        """Keep a leaving member's last metrics; None: what it told last, for it was killed."""
        last = self._last_metrics.pop(pid, [])
        self._totals.end(last if metrics is None else metrics)

    async def _ask_all(self, what: str, body: Any = None) -> list[tuple[Member, Any]]:
        members = [member for member in self._members() if member.stage != "starting"]
        answers = await asyncio.gather(
            *(member.ask(what, body) for member in members), return_exceptions=True
        )
        pairs = []
        for member, answer in zip(members, answers, strict=True):
            if isinstance(answer, MemberGone):
                continue
            if isinstance(answer, BaseException):
                raise answer
            pairs.append((member, answer))
        return pairs
