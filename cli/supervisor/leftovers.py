"""Ends what a killed supervisor left running, after making sure that it is really that."""

import contextlib
import signal
from collections.abc import Callable
from itertools import groupby

import psutil

from cli.supervisor.process import is_running, members_of, wait_gone
from cli.supervisor.run_file import Record, running_file

SAME_TIME_S = 1.5  # the kernel's clock ticks and the boot time's rounding
STOP_LIMIT_S = 20.0


def end_leftovers(records: list[Record], say: Callable[[str], None]) -> int:
    """End the recorded programs that still run, in stop order; return how many there were.

    A process is signalled only when its id, its start time, and its command line or file are
    those on record: a process id may have been handed to somebody else's program since then.
    """
    ended = 0
    by_rank = sorted(records, key=lambda record: -record.rank)
    for _, together in groupby(by_rank, key=lambda record: record.rank):
        found = [(record, _processes(record)) for record in together]
        for record, processes in found:
            if not processes:
                continue
            ended += 1
            say(f"{record.name} (pid {record.pid}) was left running by an earlier run; ending it")
            leader_first = [one for one in processes if one.pid == record.pid] or processes
            _signal(leader_first, signal.Signals(record.stop_signal))
        everything = [process for _, processes in found for process in processes]
        alive = wait_gone(everything, STOP_LIMIT_S)
        _signal(alive, signal.SIGKILL)
        wait_gone(alive, STOP_LIMIT_S)
    return ended


def leader_of(record: Record) -> psutil.Process | None:
    """Return the program's own process; None when it has ended, whoever has its id by now."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(record.pid)
        if _is_same(process, record, exact=True):
            return process
    return None


def _processes(record: Record) -> list[psutil.Process]:
    """Return the program's process and all below it; or, its leader dead, what is left of it."""
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(record.pid)
        if _is_same(leader, record, exact=True):
            return [leader, *leader.children(recursive=True)]
        if is_running(leader):  # somebody else's program by now
            return []
    # A group's id is not handed out again while it has members, so these are the leader's forks.
    return [one for one in members_of(record.pid) if _is_same(one, record, exact=False)]


def _is_same(process: psutil.Process, record: Record, *, exact: bool) -> bool:
    try:
        # the program's own path is left out: macOS's Python starts itself anew under another
        same_command = process.cmdline()[1:] == record.argv[1:]
        same_file = record.file != "" and running_file(process) == record.file
        if not is_running(process) or not (same_command or same_file):
            return False
        apart_s: float = process.create_time() - record.began_at
    except psutil.Error:
        return False
    return abs(apart_s) < SAME_TIME_S if exact else apart_s > -SAME_TIME_S


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):  # psutil checks that the id still is this process
            process.send_signal(number)
