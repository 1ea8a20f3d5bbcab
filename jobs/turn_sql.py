"""Whose turn it is among jobs of one priority, as expressions for statements.

Tasks are claimed in the order of their turns, and a job's tasks have one turn each, counted from
where the others are now: so jobs interleave, and one of few tasks is not behind all of one of many.
Tasks that were set aside get new turns when they go on: their old ones were the lowest of all, and
everybody else would wait until the job has caught up.
"""


def now_at(priority: str) -> str:
    """Return an expression for the turn that tasks of a priority have reached.

    That is the next one to be claimed; while none is due, the latest of those that run; then the
    next of those that wait for another attempt; 0 where there is none at all.
    """
    of_priority = f"priority = {priority}"
    ready = f"SELECT turn FROM job_tasks WHERE state = 'ready' AND {of_priority}"
    return f"""coalesce(
       ({ready} AND due_at <= now() ORDER BY turn LIMIT 1),
       (SELECT max(turn) FROM job_tasks WHERE state = 'leased' AND {of_priority}),
       ({ready} ORDER BY turn LIMIT 1), 0)"""


def in_turn(chosen: str, change: str) -> str:
    """Return a statement that changes tasks of some jobs, and gives them turns from now on.

    `chosen` is the condition on `task` and its `job`, `change` what is set besides the turn.
    """
    return f"""WITH chosen AS MATERIALIZED (
    SELECT task.job_id, task.number, task.priority, job.state AS job_state,
           row_number() OVER (PARTITION BY task.job_id ORDER BY task.turn, task.number) AS place
      FROM job_tasks AS task JOIN jobs AS job ON job.id = task.job_id WHERE {chosen}
), reached AS MATERIALIZED (
    SELECT priority, {now_at("given.priority")} AS turn
      FROM (SELECT DISTINCT priority FROM chosen) AS given
)
UPDATE job_tasks AS task SET {change}, turn = reached.turn + chosen.place
  FROM chosen JOIN reached USING (priority)
 WHERE task.job_id = chosen.job_id AND task.number = chosen.number"""
