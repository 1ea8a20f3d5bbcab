"""The statements on tasks, as workers and the reconciler use them.

Each that changes a held task asks for its state and its token: after a lease has lapsed and
somebody else has claimed the task, the former holder's statement finds no row.
"""

from jobs.event_sql import TRY_APPEND
from jobs.states import task_sources
from jobs.turn_sql import now_at

_HELD_BY_US = "job_id = $1 AND number = $2::int AND token = $3::int8 AND state = 'leased'"

# what TaskClaim.read reads
_CLAIM = """task.job_id, task.number, task.kind, task.name, task.parameters, task.attempt,
       task.max_attempts, task.token, task.outages, job.parameters, job.state, job.origin"""

# The best of what is due: highest priority, then by turn.
# Compared with a subquery, not joined: a join would look for all tasks of that job.
# Parameters: kinds with commas between, worker, lease in s.
CLAIM = f"""WITH best AS MATERIALIZED (
    SELECT job_id, number FROM job_tasks
     WHERE state = 'ready' AND due_at <= now() AND kind = ANY (string_to_array($1, ','))
     ORDER BY priority DESC, turn LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE job_tasks AS task
   SET state = 'leased', attempt = attempt + 1, token = token + 1, worker = $2,
       lease_until = clock_timestamp() + make_interval(secs => $3::float8),
       started_at = clock_timestamp(), rows_so_far = 0, bytes_so_far = 0
  FROM jobs AS job
 WHERE (task.job_id, task.number) = (SELECT job_id, number FROM best) AND job.id = task.job_id
   AND task.state IN ({task_sources("leased")})
RETURNING {_CLAIM}"""

# Which of the given are still held; their leases are renewed, with how far they have come, and what
# tasks have said is written.  A task that is locked is just being finished by its own slot: to wait
# for that would let the other leases lapse.  So would waiting for a job's events: what is not
# written now, comes with the next renewal.
# Parameters: a JSON array of [job id, number, token, rows, bytes], lease in s, a JSON array of
# events.  Returns [true, job id, number, token] of what is held, [false, job id] of jobs whose
# events must wait.
RENEW = f"""WITH given AS (
    SELECT value ->> 0 AS job_id, (value ->> 1)::int AS number, (value ->> 2)::int8 AS token,
           (value ->> 3)::int8 AS rows, (value ->> 4)::int8 AS bytes
      FROM json_array_elements($1::json)
), free AS MATERIALIZED (
    SELECT task.job_id, task.number, given.rows, given.bytes
      FROM job_tasks AS task JOIN given USING (job_id, number, token)
     WHERE state = 'leased' FOR UPDATE OF task SKIP LOCKED
), renewed AS (
    UPDATE job_tasks AS task
       SET lease_until = clock_timestamp() + make_interval(secs => $2::float8),
           rows_so_far = free.rows, bytes_so_far = free.bytes
      FROM free WHERE task.job_id = free.job_id AND task.number = free.number
), {TRY_APPEND}
SELECT true, job_id, number, token FROM job_tasks JOIN given USING (job_id, number, token)
 WHERE state = 'leased'
UNION ALL SELECT false, job_id, NULL, NULL FROM turn WHERE NOT is_ours"""

# Comes first in the transaction of a task's effects: from here on nobody else can end or take
# the task over.  Parameters: job id, number, token, rows, bytes, result.
DONE = f"""UPDATE job_tasks
   SET state = 'done', finished_at = clock_timestamp(), worker = NULL, lease_until = NULL,
       rows = $4::int8, bytes = $5::int8, result = $6
 WHERE {_HELD_BY_US} RETURNING number"""

# Another worker may run it after a pause; this attempt does not count.
# Parameters: job id, number, token, pause in s, how many outages that makes.
RELEASE = """UPDATE job_tasks AS task
   SET state = CASE WHEN job.state IN ('paused', 'failed') THEN 'held' ELSE 'ready' END,
       attempt = attempt - 1, worker = NULL, lease_until = NULL, outages = outages + $5::int,
       due_at = clock_timestamp() + make_interval(secs => $4::float8)
  FROM jobs AS job
 WHERE job.id = job_id AND job_id = $1 AND number = $2::int AND token = $3::int8
   AND task.state = 'leased' RETURNING number"""

# A failed attempt; the task is tried again after a pause, or not until its job goes on.
# Parameters: job id, number, token, error class, error, cause, pause in s, whether it is dead,
# whether only if its lease has lapsed.
_PAUSE = "make_interval(secs => $7::float8)"
FAIL = f"""UPDATE job_tasks AS task
   SET state = CASE WHEN $8::boolean THEN 'dead'
                    WHEN job.state IN ('paused', 'failed') THEN 'held' ELSE 'ready' END,
       worker = NULL, lease_until = NULL, finished_at = clock_timestamp(),
       error_class = $4, error = $5, cause = $6, due_at = clock_timestamp() + {_PAUSE},
       failures = CASE WHEN jsonb_array_length(failures) < 20 THEN failures ELSE failures - 0 END
           || jsonb_build_object(
                  'attempt', attempt, 'at', clock_timestamp(), 'error_class', $4::text,
                  'error', $5::text,
                  'due_at', CASE WHEN NOT $8::boolean THEN clock_timestamp() + {_PAUSE} END)
  FROM jobs AS job
 WHERE job.id = job_id AND job_id = $1 AND number = $2::int AND token = $3::int8
   AND task.state = 'leased' AND (NOT $9::boolean OR lease_until < clock_timestamp())
RETURNING task.state, job.tolerates_dead_letters"""

# Tasks whose worker has not been heard of for the length of the lease.
LAPSED = f"""SELECT task.worker, {_CLAIM}
  FROM job_tasks AS task JOIN jobs AS job ON job.id = task.job_id
 WHERE task.state = 'leased' AND lease_until < clock_timestamp() LIMIT $1::int"""

# How many tasks could be claimed now, up to $1.
COUNT_DUE = """SELECT count(*) FROM (
    SELECT FROM job_tasks WHERE state = 'ready' AND due_at <= now() LIMIT $1::int) AS due"""

# Tasks for a job, in order, behind those that it has.  The row of `jobs` is locked by the caller.
# Parameters: job id, a JSON array of [name, JSON of parameters, whether it is the last], attempts.
ADD = f"""WITH job AS (
    SELECT id, kind, priority, state FROM jobs WHERE id = $1
), latest AS (
    SELECT number, turn FROM job_tasks WHERE job_id = $1 ORDER BY number DESC LIMIT 1
), first AS (
    SELECT coalesce((SELECT number FROM latest), -1) + 1 AS number,
           greatest({now_at("(SELECT priority FROM job)")}, (SELECT turn FROM latest)) AS turn
)
INSERT INTO job_tasks (job_id, number, kind, priority, turn, name, parameters, is_last, state,
                       max_attempts)
SELECT job.id, first.number + place - 1, job.kind, job.priority, first.turn + place, task ->> 0,
       (task ->> 1)::json, (task ->> 2)::boolean,
       CASE WHEN (task ->> 2)::boolean OR job.state IN ('paused', 'failed')
            THEN 'held' ELSE 'ready' END,
       $3::int
  FROM job, first, json_array_elements($2::json) WITH ORDINALITY AS given (task, place)"""
