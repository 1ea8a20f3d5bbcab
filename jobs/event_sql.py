"""The statements on a job's events.

A reader asks for what is behind the last event it has seen.  That misses none only if no event with
a lower id can appear later.  An id is given when a row is written, and the row is seen when its
transaction commits, which may be in another order.  So who writes events of a job holds an advisory
lock from before it takes ids until its commit: within one job, ids are in the order of commits.

The other way, to show only what is older than every running transaction, would need no lock; but
one long transaction, of whatever program on the server, would hold back the events of all jobs.

That lock is the last that a transaction takes: behind the job's row and its tasks', and of several
jobs in the order of their ids.
"""

LONGEST_MESSAGE = 2000

# For the FROM of a statement; `job_id` is an expression.
_KEY = "hashtext('millrace.job_events'), hashtext(job_id)"
LOCK = f"pg_advisory_xact_lock({_KEY})"
TRY_LOCK = f"pg_try_advisory_xact_lock({_KEY})"

# What NewEvent.value writes.
GIVEN = """SELECT event ->> 0 AS job_id, (event ->> 1)::int AS task, (event ->> 2)::int AS attempt,
       event ->> 3 AS level, event ->> 4 AS event, event ->> 5 AS message,
       coalesce(to_timestamp((event ->> 6)::float8), clock_timestamp()) AS at, place"""

# Parameters: a JSON array of events, all of jobs that are there.
APPEND = f"""WITH given AS MATERIALIZED (
    {GIVEN} FROM json_array_elements($1::json) WITH ORDINALITY AS given (event, place)
), turn AS MATERIALIZED (
    SELECT job_id, {LOCK} FROM (SELECT DISTINCT job_id FROM given ORDER BY job_id) AS concerned
)
INSERT INTO job_events (job_id, at, task, attempt, level, event, message)
SELECT job_id, at, task, attempt, level, event, message
  FROM given JOIN turn USING (job_id) ORDER BY place"""

# As APPEND, but events of jobs that others are just writing to are left out, and those of jobs that
# are forgotten.
TRY_APPEND = f"""lines AS MATERIALIZED (
    {GIVEN} FROM json_array_elements($3::json) WITH ORDINALITY AS given (event, place)
), turn AS MATERIALIZED (
    SELECT job_id, {TRY_LOCK} AS is_ours
      FROM (SELECT DISTINCT job_id FROM lines ORDER BY job_id) AS concerned
), written AS (
    INSERT INTO job_events (job_id, at, task, attempt, level, event, message)
    SELECT job_id, at, task, attempt, level, event, message
      FROM lines JOIN turn USING (job_id)
     WHERE is_ours AND EXISTS (SELECT FROM jobs WHERE id = job_id) ORDER BY place
)"""

# Parameters: job id, id of the last one seen, task and levels (null: all), how many.
READ = """SELECT id, to_json(at) #>> '{}', event, level, message, task, attempt FROM job_events
 WHERE job_id = $1 AND id > $2::int8 AND ($3::int IS NULL OR task = $3::int)
   AND ($4::text IS NULL OR level = ANY (string_to_array($4, ',')))
 ORDER BY id LIMIT $5::int"""


def with_event(change: str, event: str, message: str = "''") -> str:
    """Return one statement that changes a job and writes the event of it.

    `change` returns the `id` of the job where it changes it, and `message` is an expression over
    what else it returns.  The last statement of its transaction: see above.
    """
    return f"""WITH changed AS ({change}), turn AS MATERIALIZED (
    SELECT *, {LOCK.replace("(job_id)", "(id)")} FROM changed)
INSERT INTO job_events (job_id, at, level, event, message)
SELECT id, clock_timestamp(), 'info', '{event}', {message} FROM turn RETURNING job_id"""
