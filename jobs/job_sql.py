"""The statements on jobs."""

from jobs.event_sql import with_event
from jobs.states import job_sources, task_sources
from jobs.turn_sql import in_turn, now_at

# What is shown of a task: while it runs, what this attempt has done so far.
_ROWS = "CASE state WHEN 'done' THEN rows WHEN 'leased' THEN rows_so_far ELSE 0 END"
_BYTES = "CASE state WHEN 'done' THEN bytes WHEN 'leased' THEN bytes_so_far ELSE 0 END"

# The summary is the result of the last task, or of the plan where there is no last task.
_COUNTS = f"""SELECT json_object_agg(state, tasks) AS tasks, sum(rows) AS rows, sum(bytes) AS bytes,
       sum(attempts) AS attempts,
       CASE WHEN bool_or(has_last) THEN max(of_last) ELSE max(of_plan) END AS summary
  FROM (SELECT state, count(*) AS tasks, sum({_ROWS}) AS rows, sum({_BYTES}) AS bytes,
               sum(attempt) AS attempts, bool_or(is_last) AS has_last,
               max(result) FILTER (WHERE state = 'done' AND is_last) AS of_last,
               max(result) FILTER (WHERE state = 'done' AND number = 0) AS of_plan
          FROM job_tasks WHERE job_id = job.id GROUP BY state) AS by_state"""

# Without the times at which it was paused or over.
_RAN_S = "ran_s + coalesce(extract(epoch FROM clock_timestamp() - running_since), 0)"
_STOPS = f"ran_s = {_RAN_S}, running_since = NULL"

# Progress is counted when somebody asks: a counter in the job's row would be a lock that all of
# its tasks wait for.
COLUMNS = f"""job.id, job.kind, job.parameters, job.state, job.priority, job.error_class, job.error,
    to_json(job.created_at) #>> '{{}}', to_json(job.started_at) #>> '{{}}',
    to_json(job.finished_at) #>> '{{}}', to_json(job.expires_at) #>> '{{}}',
    progress.summary, progress.tasks, progress.rows, progress.bytes, progress.attempts, {_RAN_S},
    job.expected_rows, job.expected_bytes"""
# what has expired is gone, for whoever asks, also where it is not deleted yet
_KEPT = "(job.expires_at IS NULL OR job.expires_at > now())"
FIND = f"""SELECT {COLUMNS} FROM jobs AS job, LATERAL ({_COUNTS}) AS progress
 WHERE job.id = $1 AND {_KEPT}"""

# Newest first.  Parameters: state, kind, time and id of the last one seen (each may be null), how
# many.
LIST = f"""SELECT {COLUMNS} FROM (
    SELECT * FROM jobs AS job
     WHERE {_KEPT} AND ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2)
       AND ($3::timestamptz IS NULL OR (created_at, id) < ($3::timestamptz, $4))
     ORDER BY created_at DESC, id DESC LIMIT $5::int) AS job, LATERAL ({_COUNTS}) AS progress
 ORDER BY job.created_at DESC, job.id DESC"""

# A job's tasks by number.  Parameters: job id, state and number of the last one seen (each may be
# null), how many.
TASKS = f"""SELECT number, name, state, attempt, max_attempts, worker, to_json(due_at) #>> '{{}}',
       to_json(started_at) #>> '{{}}', to_json(finished_at) #>> '{{}}', {_ROWS}, {_BYTES},
       error_class, error, failures
  FROM job_tasks
 WHERE job_id = $1 AND ($2::text IS NULL OR state = $2) AND number > coalesce($3::int, -1)
 ORDER BY number LIMIT $4::int"""

# A job with its plan and its first event, in one round trip; nobody else knows it yet, so its
# events need no lock.  The lock of its key is held until the commit, and whoever comes meanwhile is
# not kept waiting: true is returned first if it was free, then the job's id if it was made.
# Parameters: id, kind, parameters, priority, idempotency key, digest, most unfinished jobs, the
# plan's name, its attempts, its origin (null: none).
INSERT = f"""WITH key AS MATERIALIZED (
    SELECT $5::text IS NULL
           OR pg_try_advisory_xact_lock(hashtext('millrace.job_keys'), hashtext($5)) AS is_free
), made AS (
    INSERT INTO jobs (id, kind, parameters, priority, idempotency_key, digest, origin)
    SELECT $1, $2, $3::json, $4::smallint, $5, $6, $10::json FROM key
     WHERE is_free
       AND (SELECT count(*) FROM (SELECT FROM jobs WHERE state IN ('queued', 'running', 'paused')
                                   LIMIT $7::int) AS unfinished) < $7::int
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING id
), planned AS (
    INSERT INTO job_tasks (job_id, number, kind, priority, turn, name, parameters, state,
                           max_attempts)
    SELECT id, 0, $2, $4::smallint, {now_at("$4::smallint")} + 1, $8, '{{}}', 'ready', $9::int
      FROM made
), told AS (
    INSERT INTO job_events (job_id, at, level, event, message)
    SELECT id, clock_timestamp(), 'info', 'queued', '' FROM made
)
SELECT is_free, id FROM key LEFT JOIN made ON true"""
BY_KEY = "SELECT id, digest FROM jobs WHERE idempotency_key = $1"

# Who changes a job's state, or decides by it, locks the job first and its tasks afterwards: always
# in this order, so that no two wait for each other, and so that the next statement sees what the
# former holder of the lock has committed.
LOCK = "SELECT state FROM jobs WHERE id = $1 FOR NO KEY UPDATE"

STARTED = with_event(
    """UPDATE jobs SET state = 'running', started_at = coalesce(started_at, clock_timestamp()),
       running_since = clock_timestamp()
 WHERE id = $1 AND state = 'queued' RETURNING id""",
    "running",
)

CANCEL = f"""UPDATE jobs
   SET state = 'cancelled', {_STOPS}, finished_at = now(),
       expires_at = now() + make_interval(secs => $2::float8)
 WHERE id = $1 AND state IN ({job_sources("cancelled")}) RETURNING id"""
# The token is counted on, so that whoever runs one finds out that it is not wanted.
CANCEL_TASKS = f"""UPDATE job_tasks
   SET state = 'cancelled', token = token + 1, worker = NULL, lease_until = NULL
 WHERE job_id = $1 AND state IN ({task_sources("cancelled")}) RETURNING number"""

PAUSE = f"""UPDATE jobs SET state = 'paused', {_STOPS}
 WHERE id = $1 AND state IN ({job_sources("paused")}) RETURNING id"""
HOLD_TASKS = """UPDATE job_tasks SET state = 'held'
 WHERE job_id = $1 AND state = 'ready' RETURNING number"""
# It has begun when its plan has been claimed: a job may be paused just before a worker notes that.
_BEGUN = (
    "EXISTS (SELECT FROM job_tasks WHERE job_id = $1 AND number = 0 AND started_at IS NOT NULL)"
)
RESUME = f"""UPDATE jobs
   SET state = CASE WHEN {_BEGUN} THEN 'running' ELSE 'queued' END,
       started_at = CASE WHEN {_BEGUN} THEN coalesce(started_at, clock_timestamp()) END,
       running_since = CASE WHEN {_BEGUN} THEN clock_timestamp() END
 WHERE id = $1 AND state = 'paused' RETURNING id"""
LET_TASKS_GO = in_turn(
    "task.job_id = $1 AND task.state = 'held' AND NOT task.is_last", "state = 'ready'"
)

# Parameters: id, error class, error, how long it is kept in s.
FAIL = f"""UPDATE jobs
   SET state = 'failed', error_class = $2, error = $3, {_STOPS}, finished_at = now(),
       expires_at = now() + make_interval(secs => $4::float8)
 WHERE id = $1 AND state IN ({job_sources("failed")}) RETURNING id"""

# the condition of the index job_tasks_open, so that what is done is not looked at, and what is left
_LEFT = "state IN ('held', 'ready', 'leased') AND NOT (state = 'held' AND is_last)"

# Whether nothing of a running job is left to do, but perhaps its last task.
IS_OVER = f"""SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND state = 'running')
   AND NOT EXISTS (SELECT FROM job_tasks WHERE job_id = $1 AND {_LEFT})"""
LET_LAST_GO = """UPDATE job_tasks SET state = 'ready', due_at = now()
 WHERE job_id = $1 AND state = 'held' AND is_last RETURNING number"""
FINISH = with_event(
    f"""UPDATE jobs
   SET state = 'done', {_STOPS}, finished_at = now(),
       expires_at = now() + make_interval(secs => $2::float8)
 WHERE id = $1 AND state IN ({job_sources("done")}) RETURNING id""",
    "done",
)
# Jobs that are over, and nobody has noted it: whoever should have, died.
ALL_OVER = f"""SELECT id FROM jobs AS job
 WHERE state = 'running' AND NOT EXISTS (
    SELECT FROM job_tasks WHERE job_id = job.id AND {_LEFT}) LIMIT 100"""

# Parameters: id, tolerates dead letters, expected rows, expected bytes; null: as before.
EXPECT = """UPDATE jobs SET tolerates_dead_letters = coalesce($2::boolean, tolerates_dead_letters),
       expected_rows = coalesce($3::int8, expected_rows),
       expected_bytes = coalesce($4::int8, expected_bytes) WHERE id = $1"""

FORGET = """UPDATE jobs SET expires_at = now(), idempotency_key = NULL
 WHERE id = $1 AND state IN ('done', 'failed', 'cancelled') AND expires_at > now() RETURNING id"""

# What has been kept for its time goes in small pieces: one statement over a million tasks would
# hold its locks for long.
EXPIRED = "SELECT id FROM jobs WHERE expires_at < now() LIMIT $1::int"


def _delete(table: str) -> str:
    return f"""DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT given.ctid FROM {table} AS given JOIN jobs AS job ON job.id = job_id
     WHERE job_id = $1 AND expires_at < now() LIMIT $2::int)) RETURNING job_id"""


# Each with how many rows one statement may take: a piece of output may be a MiB.
DELETE_OF_JOB = (
    (_delete("job_output"), 64),
    (_delete("job_events"), 5000),
    (_delete("job_tasks"), 5000),
)
DELETE = "DELETE FROM jobs WHERE id = $1 AND expires_at < now() RETURNING id"
FORGET_KEYS = """UPDATE jobs SET idempotency_key = NULL
 WHERE idempotency_key IS NOT NULL AND created_at < now() - make_interval(secs => $1::float8)"""
