"""Hashes and checks passwords: slow on purpose, bounded in memory, behind queries."""

import os
import sys
import threading
from collections.abc import Callable, Mapping

import structlog

from db.errors import DatabaseError
from hashing.errors import OutOfService, PasswordError
from hashing.passwords.scheme import Limits
from hashing.passwords.work import Outcome, Work, WorkMalformed
from tasks.errors import MessageMalformed, TaskFailed
from tasks.lease import Lease
from tasks.seal import Seal

LOWEST = 19  # priority that Linux knows

_log = structlog.get_logger(__name__)


class PasswordRunner:
    """The handler of the password lane's tasks; `key` returns the sealing key.

    `failures` are the schemes that failed their self-test, by name with the reason.  What a task
    failed with travels and is logged in words of ours alone: an exception's own text might repeat
    the password.
    """

    def __init__(
        self, key: Callable[[], bytes], limits: Limits, failures: Mapping[str, str]
    ) -> None:
        self._key = key
        self._limits = limits
        self._failures = failures

    def run(self, lease: Lease) -> bytes:
        """Return the sealed outcome.  Raises TaskFailed, MessageMalformed for what is no task."""
        name = lease.task.reply_to
        try:
            seal = Seal(self._key())
            work = Work.decode(seal.open("password task", name, lease.task.payload))
            return seal.close("password answer", name, self._outcome(work).encode())
        except DatabaseError:
            raise TaskFailed("the worker cannot read the sealing key") from None
        except (MessageMalformed, WorkMalformed):
            raise MessageMalformed("the task was changed on its way, or is not ours") from None
        except Exception as error:  # noqa: BLE001 - its text stays here
            _log.error("password task failed", task=lease.task.id, error=type(error).__name__)
            raise TaskFailed(f"the worker failed with {type(error).__name__}") from None

    def _outcome(self, work: Work) -> Outcome:
        try:
            used = work.used(self._limits)
            if used in self._failures:
                raise OutOfService(used, self._failures[used])
            return work.perform(self._limits)
        except (PasswordError, OutOfService) as error:
            return Outcome.refused(error)


def lower_priority(by: int) -> None:
    """Let other threads' work go before that of the current one, and of those that it starts.

    Linux alone has priorities of threads, and compares them within a container, or where it groups
    tasks by session (sched(7), autogroup) within the session; elsewhere this does nothing.
    """
    if sys.platform != "linux" or by == 0:
        return
    thread = threading.get_native_id()
    now = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, min(LOWEST, now + by))
