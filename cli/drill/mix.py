"""What a drill asks: the mix of its load, and the probes that tell whether all is normal."""

from collections.abc import Callable, Mapping, Sequence

from cli.drill.actions.hashes import Hashes
from cli.drill.actions.jobs import Jobs
from cli.drill.actions.later import LaterQueries
from cli.drill.actions.queries import KnownQueries, RegisterReads
from cli.drill.client import Client
from cli.drill.known_answers import KnownAnswers
from cli.drill.promises import Promises

Action = Callable[[Client], bool]


class Mix:
    """`load`: actions with their weights.  `probes`: by kind; each must be right and normal."""

    def __init__(self, answers: KnownAnswers, promises: Promises) -> None:
        queries, register = KnownQueries(answers), RegisterReads()
        hashes, later = Hashes(promises.prefix), LaterQueries(answers, promises)
        self.later, self.jobs = later, Jobs(answers, promises)
        self.load: Sequence[tuple[Action, int]] = (
            (queries.direct, 10), (queries.split, 6), (queries.cached, 12),
            (register.fresh, 5), (register.cached, 4), (later.ask, 2),
            (hashes.one, 12), (hashes.store, 8), (hashes.batch, 4), (hashes.stream, 2),
            (self.jobs.send_file, 1), (self.jobs.send_query, 2), (self.jobs.look_back, 2),
        )  # fmt: skip
        self.probes: Mapping[str, Action] = {
            "direct": queries.direct, "in parts": queries.in_parts, "cached": queries.cached,
            "register": register.fresh, "hash": hashes.one, "store": hashes.store,
            "job": self.jobs.whole, "later": later.ask,
        }  # fmt: skip
