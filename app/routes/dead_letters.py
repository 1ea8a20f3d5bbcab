"""Tasks that were given up: looked at, grouped by cause, and replayed."""

import re

from app.endpoints import Endpoints, QueryParameter
from app.jobs.documents import cause_document, dead_letter_document, link
from app.jobs.job_type import refused
from app.models_jobs import (
    DeadLetterCauses,
    DeadLetterPage,
    DeadLetterSelection,
    ReplayOutcome,
    ReplayRequest,
)
from app.problem_types import CURSOR_INVALID, VALIDATION_FAILED
from app.problems import Problem
from app.routes.jobs import AFTER, DATABASE_PROBLEMS, LIMIT, page_limit
from app.services import services
from app.url_parameters import text, whole_number
from jobs.dead_letters import DeadLetterFilter

endpoints = Endpoints("jobs", lane="bulk")
HIGHEST_TASK = 2**31 - 1
FILTER = (
    QueryParameter("kind", "Only of this kind of job."),
    QueryParameter("error_class", "Only with this class of error."),
    QueryParameter("cause", "Only with this cause."),
    QueryParameter("job", "Only of this job."),
    QueryParameter("task", "Only of this number in its job.", type="integer"),
)
_CURSOR = re.compile(r"([A-Za-z0-9_-]{1,64})\.(\d{1,9})")


@endpoints.endpoint(
    "GET", "/v1/dead-letters", response=DeadLetterPage, query=(*FILTER, LIMIT, AFTER),
    problems=(*DATABASE_PROBLEMS, VALIDATION_FAILED, CURSOR_INVALID),
)  # fmt: skip
def list_dead_letters() -> DeadLetterPage:
    """List tasks that were given up, by job and number, each with its latest attempts."""
    chosen, limit = _filter_of_url(), page_limit()
    letters = services().jobs.jobs.dead_letters
    found = letters.page(chosen, limit=limit + 1, after=_cursor(text("after")))
    page = found[:limit]
    following = None
    if len(found) > limit:
        following = link(
            "/v1/dead-letters", kind=chosen.kind, error_class=chosen.error_class,
            cause=chosen.cause, job=chosen.job_id, task=chosen.number, limit=limit,
            after=f"{page[-1].job_id}.{page[-1].number}",
        )  # fmt: skip
    return DeadLetterPage(dead_letters=list(map(dead_letter_document, page)), next=following)


@endpoints.endpoint(
    "GET", "/v1/dead-letters/causes", response=DeadLetterCauses, query=FILTER,
    problems=(*DATABASE_PROBLEMS, VALIDATION_FAILED),
)  # fmt: skip
def list_dead_letter_causes() -> DeadLetterCauses:
    """Group dead letters by cause: why a thousand tasks failed, in a few lines.

    A cause is the error without what varies in it. Those of cancelled jobs, which are not replayed,
    are left out.
    """
    causes = services().jobs.jobs.dead_letters.clusters(_filter_of_url())
    return DeadLetterCauses(
        causes=list(map(cause_document, causes)), count=sum(cause.count for cause in causes)
    )


@endpoints.endpoint(
    "POST", "/v1/dead-letters/replay", request=ReplayRequest, response=ReplayOutcome,
    problems=DATABASE_PROBLEMS,
    example={"filter": {"all": True}, "dry_run": True},
)  # fmt: skip
def replay_dead_letters(body: ReplayRequest) -> ReplayOutcome:
    """Run dead letters again, with all their attempts; or only tell which, by cause.

    Their jobs run again, too. An empty filter is refused: to mean all, say `"all": true`.
    """
    chosen = _filter(body.filter)
    jobs = services().jobs.jobs
    if body.dry_run:
        causes = jobs.dead_letters.clusters(chosen)
        return ReplayOutcome(replayed=0, causes=list(map(cause_document, causes)))
    return ReplayOutcome(replayed=jobs.replay(chosen, over_s=body.over_s), causes=None)


def _filter(selection: DeadLetterSelection) -> DeadLetterFilter:
    given = selection.model_dump(exclude_none=True)
    if not given:
        raise refused(
            ("filter",), "No dead letters are named.", 'Send {"all": true} if you mean all.'
        )
    if selection.all and len(given) > 1:
        raise refused(
            ("filter", "all"), "All are meant, and only some.", "Leave this out, or the others."
        )
    if selection.task is not None and selection.job is None:
        raise refused(
            ("filter", "task"), "Tasks are numbered in their job.", "Name the job as well."
        )
    return DeadLetterFilter(
        kind=selection.kind,
        error_class=selection.error_class,
        cause=selection.cause,
        job_id=selection.job,
        number=selection.task,
    )


def _filter_of_url() -> DeadLetterFilter:
    return DeadLetterFilter(
        kind=text("kind"),
        error_class=text("error_class"),
        cause=text("cause"),
        job_id=text("job"),
        number=whole_number("task", least=0, most=HIGHEST_TASK),
    )


def _cursor(given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    found = _CURSOR.fullmatch(given)
    if found is None:
        raise Problem(
            CURSOR_INVALID, "The URL's parameter after is none that a page has had as next."
        )
    return found[1], int(found[2])
