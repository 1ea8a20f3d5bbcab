"""Signals that come while a serving process is being born: kept until it can hear them."""

import os
import signal

TO_END = frozenset({signal.SIGTERM, signal.SIGQUIT, signal.SIGINT})

_born = False


def hold_signals_across_forks() -> None:
    """Let no process that is forked from now on miss that it is told to end.

    Between its fork and its own signal handlers a process has its parent's, which put a signal
    where nobody looks: it would serve on until gunicorn kills it.  Called once, in the parent.
    """
    os.register_at_fork(before=_hold, after_in_parent=_let_through)


def hear_signals() -> None:
    """Let through what has come since the fork: this process has its handlers now."""
    global _born  # noqa: PLW0603 - a fact of the process, as its signal mask is
    _born = True
    _let_through()


def _hold() -> None:
    if not _born:  # a serving process's own children are none of gunicorn's
        signal.pthread_sigmask(signal.SIG_BLOCK, TO_END)


def _let_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TO_END)
