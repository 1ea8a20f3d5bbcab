"""The checker, held to simulated systems: it finds every fault of theirs, and nothing else."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cli.drill.checker import check
from cli.drill.event import Outcome
from tests.unit.cli.drill.simulation import Simulation

OUTCOMES = st.sampled_from(("ok", "failed", "unknown"))
# some are asked for again and again
ONCE, COUNTED = (st.sampled_from([f"{kind} {place}" for place in range(3)]) for kind in "oc")


class CheckedSystem(RuleBasedStateMachine):
    """Keeps every promise."""

    def __init__(self) -> None:
        super().__init__()
        self.system = Simulation()

    @rule(effect=ONCE, outcome=OUTCOMES, happens=st.booleans())
    def ask_for_something_once(self, effect: str, outcome: Outcome, happens: bool) -> None:
        self.system.ask(effect, outcome, once=True, happens=happens)

    @rule(effect=COUNTED, outcome=OUTCOMES, happens=st.booleans())
    def ask_for_something_counted(self, effect: str, outcome: Outcome, happens: bool) -> None:
        self.system.ask(effect, outcome, once=False, happens=happens)

    @rule(outcome=OUTCOMES)
    def ask_a_question(self, outcome: Outcome) -> None:
        self.system.answer(outcome)

    @rule(size=st.integers(0, 4))
    def look_at_a_result(self, size: int) -> None:
        self.system.result(size)

    @rule(outcome=OUTCOMES, happens=st.booleans())
    def write(self, outcome: Outcome, happens: bool) -> None:
        self.system.write(outcome, happens=happens)

    @rule(age_s=st.sampled_from([0.0, 0.3, 1.0, 2.5, 100.0]))
    def read(self, age_s: float) -> None:
        self.system.read(age_s)

    @invariant()
    def the_account_is_what_is_true(self) -> None:
        account = check(self.system.history())
        assert account.lost == +self.system.lost
        assert account.unexpected == +self.system.unexpected
        assert account.duplicated == +self.system.duplicated
        assert account.unread == +self.system.unread
        assert account.recovered == self.system.expected_recovered()
        assert sorted({one.event for one in account.wrong}) == self.system.wrong
        cheats = (self.system.lost, self.system.unexpected, self.system.duplicated)
        is_honest = not any(cheats) and not self.system.unread and not self.system.wrong
        assert account.is_clean == is_honest


class CheatingSystem(CheckedSystem):
    """Breaks each kind of promise, now and then."""

    @rule()
    def lose(self) -> None:
        self.system.lose()

    @rule(outcome=OUTCOMES, once=st.booleans())
    def double(self, outcome: Outcome, once: bool) -> None:
        self.system.double(outcome, once=once)

    @rule()
    def acknowledge_under_two_ids(self) -> None:
        self.system.acknowledge_under_two_ids()

    @rule()
    def refuse_and_do(self) -> None:
        self.system.refuse_and_do()

    @rule()
    def do_unasked(self) -> None:
        self.system.do_unasked()

    @rule()
    def hide(self) -> None:
        self.system.hide()

    @rule()
    def lie(self) -> None:
        self.system.lie()

    @rule(
        size=st.integers(1, 4), place=st.integers(0, 3),
        how=st.sampled_from(["lost", "duplicated", "unexpected", "wrong"]),
    )  # fmt: skip
    def break_rows(self, size: int, place: int, how: str) -> None:
        self.system.break_rows(size, place, how)

    @rule()
    def tear(self) -> None:
        self.system.tear()

    @rule()
    def foretell(self) -> None:
        self.system.foretell()

    @rule()
    def forget(self) -> None:
        self.system.forget()


SHORT = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestAnHonestSystemIsFoundClean = CheckedSystem.TestCase
TestAnHonestSystemIsFoundClean.settings = SHORT
TestEveryCheatIsFound = CheatingSystem.TestCase
TestEveryCheatIsFound.settings = SHORT
