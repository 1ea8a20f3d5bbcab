"""Judges an observation: pure."""

from tests.conformance.case import Case
from tests.conformance.client import Observation


def differences(case: Case, observed: Observation) -> list[str]:
    """Return what is not as the case has it, in words; nothing when all is."""
    found = []
    statuses = tuple(answer.status for answer in observed.answers)
    # pieces of an answer that come as one are refused before a byte of them is passed on
    in_pieces = len(case.reply.pieces) > 1
    at_once = case.broken and in_pieces and statuses == (502,)
    if not case.leaves and statuses != case.statuses and not at_once:
        found.append(f"answers {_listed(statuses)}, not {_listed(case.statuses)}")
    elif not case.leaves and observed.closed != case.closed and not at_once:
        found.append("closes the connection" if observed.closed else "keeps the connection")
    other = observed.afterwards
    if other is None or other.body != b"/fence":
        told = "nothing" if other is None else f"{other.status} {other.body[:200]!r}"
        found.append(f"answers {told} to another client afterwards")
    seen = tuple(request.summary for request in observed.seen)
    if case.seen is not None and seen != case.seen:
        found.append(f"passes on {_shown(seen)}, not {_shown(case.seen)}")
    else:
        found += _in_heads(case, observed)
    if statuses == case.statuses and observed.answers:
        found += _in_answers(case, observed)
    return found


def _in_heads(case: Case, observed: Observation) -> list[str]:
    found = []
    for request in observed.seen:
        found += [f"does not pass on {line!r}" for line in case.has if line not in request.fields]
        names = {line.partition(b":")[0] for line in request.fields}
        found += [f"passes on {name!r}" for name in case.has_not if name in names]
    return found


def _in_answers(case: Case, observed: Observation) -> list[str]:
    last = observed.answers[-1]
    found = [
        f"does not answer with {line!r}" for line in case.answer_has if line not in last.fields
    ]
    names = {line.partition(b":")[0] for line in last.fields}
    found += [f"answers with {name!r}" for name in case.answer_has_not if name in names]
    bodies = tuple(answer.body for answer in observed.answers if answer.status >= 200)
    if case.bodies is not None and bodies != case.bodies:
        found.append(f"answers with bodies {_shown(bodies)}, not {_shown(case.bodies)}")
    if last.whole == case.broken:
        found.append("lets a broken answer look whole" if case.broken else "breaks the answer off")
    return found


def _listed(statuses: tuple[int, ...]) -> str:
    more = f"+… ({len(statuses)})" if len(statuses) > 4 else ""
    return "+".join(map(str, statuses[:4])) + more or "nothing"


def _shown(parts: tuple[bytes, ...]) -> str:
    return ", ".join(part[:40].decode("latin-1").__repr__() for part in parts) or "nothing"
