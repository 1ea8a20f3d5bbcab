"""Tasks that are added to a job which was done already."""

import json
from collections.abc import Sequence

from db.pool import Connection
from jobs import dead_letter_sql, job_sql
from jobs.errors import NotPossible
from jobs.event import NewEvent, append
from jobs.ledger import add_tasks
from jobs.record import NewTask


def extend(connection: Connection, job_id: str, tasks: Sequence[NewTask], attempts: int) -> None:
    """Add tasks to a job that is done, which runs again then, and its last task after them.

    In the caller's transaction, who calls workers after its commit (Jobs.wake).  Each task is given
    up after so many `attempts`.  Raises NotPossible while the job is in another state.
    """
    row = connection.execute(job_sql.LOCK, [job_id]).fetchone()
    state = "" if row is None else row[0] or ""
    if state != "done":
        raise NotPossible("Only a job that is done can be given more to do.", state)
    concerned = [json.dumps([job_id])]
    connection.execute(dead_letter_sql.HOLD_LAST.encode(), concerned)
    connection.execute(dead_letter_sql.BRING_BACK, concerned)
    add_tasks(connection, job_id, tasks, attempts)
    append(connection, [NewEvent(job_id, "retried", message=f"tasks added: {len(tasks)}")])
