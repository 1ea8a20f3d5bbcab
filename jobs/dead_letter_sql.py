"""The statements on dead letters.

Parameters $1 to $5 are those of a filter: kind, error class, cause, job id, task number; each may
be null.
"""

from jobs.states import task_sources
from jobs.turn_sql import in_turn

_MATCHES = """task.state = 'dead' AND ($1::text IS NULL OR task.kind = $1)
   AND ($2::text IS NULL OR task.error_class = $2) AND ($3::text IS NULL OR task.cause = $3)
   AND ($4::text IS NULL OR task.job_id = $4) AND ($5::int IS NULL OR task.number = $5::int)"""

# Parameters: the filter, the job id and number of the last one seen (may be null), how many.
LIST = f"""SELECT job_id, number, kind, name, parameters, attempt, error_class, error, cause,
       to_json(finished_at) #>> '{{}}', failures
  FROM job_tasks AS task
 WHERE {_MATCHES} AND ($6::text IS NULL OR (job_id, number) > ($6, $7::int))
 ORDER BY job_id, number LIMIT $8::int"""

# One row a cause: how many, of which kind, the first and the last, and one of them to look at.
CLUSTERS = f"""SELECT kind, error_class, cause, count(*), count(DISTINCT job_id),
       to_json(min(finished_at)) #>> '{{}}', to_json(max(finished_at)) #>> '{{}}',
       (array_agg(error ORDER BY finished_at DESC))[1]
  FROM job_tasks AS task WHERE {_MATCHES}
   AND EXISTS (SELECT FROM jobs WHERE id = job_id AND state <> 'cancelled')
 GROUP BY kind, error_class, cause ORDER BY count(*) DESC, kind, cause"""

# A cancelled job stays cancelled, and so do its dead letters.
LOCK_JOBS = f"""SELECT id FROM jobs
 WHERE state <> 'cancelled' AND id IN (SELECT job_id FROM job_tasks AS task WHERE {_MATCHES})
 ORDER BY id LIMIT $6::int FOR NO KEY UPDATE"""

# Parameters: the filter, a JSON array of the jobs that are locked, over how many seconds.
REPLAY = (
    in_turn(
        f"job.id IN (SELECT json_array_elements_text($6::json)) AND {_MATCHES}"
        f" AND task.state IN ({task_sources('ready')})",
        """state = CASE WHEN job_state = 'paused' THEN 'held' ELSE 'ready' END, attempt = 0,
       outages = 0, due_at = clock_timestamp() + random() * make_interval(secs => $7::float8),
       finished_at = NULL""",
    )
    + " AND task.state = 'dead' RETURNING task.job_id"
)

# What waited for the failed job goes on, and its last task will run again.
# Parameter: a JSON array of the jobs concerned.
_THESE = "job_id IN (SELECT json_array_elements_text($1::json))"
LET_TASKS_GO = in_turn(
    f"job.state = 'failed' AND task.state = 'held' AND NOT task.is_last AND {_THESE}",
    "state = 'ready'",
)
HOLD_LAST = f"""UPDATE job_tasks
   SET state = 'held', attempt = 0, outages = 0, token = token + 1, worker = NULL,
       lease_until = NULL
 WHERE is_last AND state IN ({task_sources("held")}) AND {_THESE}"""
BRING_BACK = """UPDATE jobs
   SET state = 'running', error_class = NULL, error = NULL, finished_at = NULL, expires_at = NULL,
       running_since = clock_timestamp()
 WHERE state IN ('done', 'failed') AND id IN (SELECT json_array_elements_text($1::json))"""
