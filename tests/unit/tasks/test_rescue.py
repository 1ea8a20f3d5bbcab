"""What is done about tasks without an answer."""

from tasks.rescue import Decision, Progress, Sight, TaskState, decide

LONG_AGO = 100.0


def decision(
    states: dict[int, TaskState],
    *,
    workers: int = 2,
    taking: int = 2,
    queue_length: int = 1,
    unread: int = 0,
    total: int = 4,
    elapsed_s: float = LONG_AGO,
    answered_at_s: tuple[float, ...] = (1.0, 1.0, 1.0),
    copied: frozenset[int] = frozenset(),
    slots: int = 4,
    usual_s: float | None = None,
) -> Decision:
    sight = Sight(workers, taking, queue_length, unread, states)
    progress = Progress(total, elapsed_s, answered_at_s, copied, usual_s)
    return decide(sight, progress, slots=slots, straggler_s=2.0)


def test_a_straggler_gets_a_copy() -> None:
    assert decision({3: "held"}) == (3,)


def test_a_straggler_gets_one_copy_only() -> None:
    assert decision({3: "held"}, copied=frozenset({3})) == ()


def test_nobody_is_a_straggler_before_its_time() -> None:
    assert decision({3: "held"}, elapsed_s=1.9, answered_at_s=(0.1,) * 3) == ()
    assert decision({3: "held"}, elapsed_s=2.0, answered_at_s=(0.1,) * 3) == (3,)
    assert decision({3: "held"}, elapsed_s=9.9, answered_at_s=(1.0, 1.0, 5.0)) == ()
    assert decision({3: "held"}, elapsed_s=10.0, answered_at_s=(1.0, 1.0, 5.0)) == (3,)


def test_nobody_is_a_straggler_before_twice_what_nearly_all_take() -> None:
    assert decision({3: "held"}, elapsed_s=13.9, usual_s=7.0) == ()
    assert decision({3: "held"}, elapsed_s=14.0, usual_s=7.0) == (3,)
    assert decision({3: "held"}, elapsed_s=2.0, usual_s=0.1) == (3,)


def test_as_long_as_most_run_all_may_simply_be_long() -> None:
    states: dict[int, TaskState] = {1: "held", 2: "held", 3: "held"}
    assert decision(states, answered_at_s=(1.0,)) == ()


def test_a_copy_is_sent_only_to_a_free_slot() -> None:
    assert decision({2: "held", 3: "held"}, queue_length=4) == ()
    assert decision({2: "held", 3: "held"}, queue_length=3) == (2,)


def test_a_task_that_nobody_has_taken_is_no_straggler() -> None:
    assert decision({3: "queued"}) == ()


def test_what_is_gone_is_sent_again_at_once_and_every_time() -> None:
    assert decision({0: "gone", 1: "held"}, elapsed_s=0.0, answered_at_s=()) == (0,)
    assert decision({0: "gone"}, copied=frozenset({0}), queue_length=99) == (0,)


def test_an_answer_that_waits_is_read_first() -> None:
    assert decision({0: "gone"}, unread=1) == ()
    assert decision({0: "gone"}, unread=1, workers=0, taking=0) == ()


def test_without_workers_there_is_nobody_to_wait_for() -> None:
    assert decision({0: "held"}, workers=0, taking=0) == "no workers"


def test_draining_workers_finish_what_they_hold_and_take_nothing() -> None:
    assert decision({0: "held"}, taking=0, elapsed_s=0.0) == ()
    assert decision({0: "held", 1: "queued"}, taking=0) == "no workers"
