"""Every kind of problem the API answers with.  Slugs are part of the API: they never change."""

from app.problems import ProblemType

MALFORMED_JSON = ProblemType(
    "malformed-json", 400, "The body is not valid JSON",
    "The detail names line and column. Send one JSON object, in UTF-8.",
)  # fmt: skip
BAD_REQUEST = ProblemType(
    "bad-request", 400, "The request makes no sense",
    "The request breaks a rule of HTTP, or its body ended early. Correct it before sending again.",
)  # fmt: skip
NOT_FOUND = ProblemType(
    "not-found", 404, "There is nothing at this address",
    "No such path. The calls are listed at /docs and in /openapi.json.",
)  # fmt: skip
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "The method does not fit this address",
    "The path exists, but not with this method. The Allow header names those that do.",
)  # fmt: skip
NOT_ACCEPTABLE = ProblemType(
    "not-acceptable", 406, "The answer cannot be had in that format",
    "Accept names none of the formats that there are, which the member available lists, or a value "
    "has no place in the format; the detail says which.",
)  # fmt: skip
BODY_TOO_LARGE = ProblemType(
    "body-too-large", 413, "The body is too large",
    "A JSON body is larger than MILLRACE_APP_MAX_BODY_BYTES, or another one than the limit that "
    "the detail names. Send less at once.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", 415, "The body is of a type this call does not take",
    "Send JSON and say so: Content-Type: application/json.",
)  # fmt: skip
VALIDATION_FAILED = ProblemType(
    "validation-failed", 422, "The body does not fit what this call takes",
    "Each member of errors names a place (JSON pointer), the reason, and the remedy.",
)  # fmt: skip
UNEXPECTED_STATUS = ProblemType(
    "http-error", 400, "The request cannot be answered",
    "Another error of HTTP; the status says which.",
)  # fmt: skip
INTERNAL_ERROR = ProblemType(
    "internal-error", 500, "The replica failed",
    "A defect of Millrace. The log holds the details under the request id in instance.",
)  # fmt: skip
DATABASE_UNAVAILABLE = ProblemType(
    "database-unavailable", 503, "PostgreSQL cannot be reached",
    "PostgreSQL is away, or the circuit breaker is open. Retry-After says when to try again.",
)  # fmt: skip
DATABASE_BUSY = ProblemType(
    "database-busy", 503, "No connection to PostgreSQL became free in time",
    "All connections of the replica's pool are in use. Retry-After says when to try again.",
)  # fmt: skip
DATABASE_READ_ONLY = ProblemType(
    "database-read-only", 503, "PostgreSQL takes no writes",
    "It is a standby, or was made read-only. Queries go on; nothing was written. Retry-After says "
    "when to try again.",
)  # fmt: skip
QUEUE_UNAVAILABLE = ProblemType(
    "queue-unavailable", 503, "The task queue cannot be used",
    "Redis cannot be reached, or no worker lives. Retry-After says when to try again.",
)  # fmt: skip

TIMED_OUT = ProblemType(
    "timed-out", 504, "The time given for the request is over",
    "Work was not finished in time, and has been cancelled. Give more with timeout_s, or ask less.",
)  # fmt: skip
NOTHING_CACHED = ProblemType(
    "nothing-cached", 504, "There is no answer that was computed before",
    "The request says only-if-cached, and the cache holds nothing that is young enough.",
)  # fmt: skip
CANCELLED = ProblemType(
    "cancelled", 409, "The query was cancelled",
    "Somebody deleted it, or its client went away, before it had an answer. Send it again.",
)  # fmt: skip
QUERY_UNKNOWN = ProblemType(
    "query-unknown", 404, "No such query is known",
    "The id never was one, its query is over, or an asynchronous one was kept long enough.",
)  # fmt: skip
CANCEL_UNSURE = ProblemType(
    "cancel-unsure", 503, "It is not known whether the query was found",
    "A replica did not answer in time; it may run the query. Send the DELETE again.",
)  # fmt: skip
TOO_MANY_QUEUED = ProblemType(
    "too-many-queued", 503, "Too many asynchronous queries wait",
    "MILLRACE_ASYNC_MAX_QUEUED are waiting to be run. Retry-After says when to try again.",
)  # fmt: skip
TOO_MANY_STREAMS = ProblemType(
    "too-many-streams", 503, "Too many event streams are open",
    "The replica has MILLRACE_ASYNC_MAX_STREAMS of them. Poll instead, or try again.",
)  # fmt: skip
IDEMPOTENCY_KEY_INVALID = ProblemType(
    "idempotency-key-invalid", 400, "The Idempotency-Key cannot be used",
    "A key is 1 to 255 printable ASCII characters; a UUID is a good one.",
)  # fmt: skip
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency-key-reused", 422, "The Idempotency-Key belongs to another request",
    "The same key came before with another body. Send a new key for a new request.",
)  # fmt: skip
RESULT_TOO_LARGE = ProblemType(
    "result-too-large", 422, "The answer is too large to be kept",
    "It is above MILLRACE_ASYNC_RESULT_MAX_BYTES. Ask for fewer rows, or for the answer at once.",
)  # fmt: skip
GIVEN_UP = ProblemType(
    "query-given-up", 500, "The query was given up",
    "Each replica that began to run it died, MILLRACE_ASYNC_MAX_ATTEMPTS times. Ask for less.",
)  # fmt: skip
SQL_SYNTAX = ProblemType(
    "sql-syntax", 400, "The SQL cannot be read",
    "PostgreSQL does not understand the text. position counts its characters from 1.",
)  # fmt: skip
SQL_INVALID = ProblemType(
    "sql-invalid", 400, "The SQL names or combines things that do not fit",
    "A table, column or function is not there, or types do not fit. See sqlstate and position.",
)  # fmt: skip
STATEMENT_NOT_ALLOWED = ProblemType(
    "statement-not-allowed", 400, "This is not exactly one query that only reads",
    "Send one SELECT, WITH … SELECT or VALUES, within the limits on length and nesting.",
)  # fmt: skip
SQL_NOT_PERMITTED = ProblemType(
    "sql-not-permitted", 403, "The query may not do this",
    "Queries run as a role that only reads the exposed schema.",
)  # fmt: skip
SQL_FAILED = ProblemType(
    "sql-failed", 422, "The query failed while it ran",
    "PostgreSQL began, and met a value or a limit that it cannot go on with. See sqlstate.",
)  # fmt: skip
DATABASE_CONFLICT = ProblemType(
    "database-conflict", 503, "Something else in PostgreSQL is in the way",
    "A lock, as ALTER TABLE holds one, did not become free in time. Retry-After says when to "
    "try again.",
)  # fmt: skip
DATABASE_FAILED = ProblemType(
    "database-failed", 502, "PostgreSQL failed",
    "PostgreSQL, or a server that a foreign table stands for, met an error of its own. See "
    "sqlstate.",
)  # fmt: skip
NOT_SPLITTABLE = ProblemType(
    "not-splittable", 422, "The query cannot run in the way that was asked for",
    "The request insists on partitioned or columnar, and the detail says why that is impossible. "
    "Use auto.",
)  # fmt: skip
QUERY_TOO_COSTLY = ProblemType(
    "query-too-costly", 422, "The query would cost more than is allowed",
    "PostgreSQL estimates more work than MILLRACE_MAX_QUERY_COST allows. Restrict what it reads.",
)  # fmt: skip

DIGEST_MISMATCH = ProblemType(
    "digest-mismatch", 400, "The body is not the one that its digest was computed of",
    "It was changed or cut on its way; the digest that arrived is in computed. Send it again.",
)  # fmt: skip
ALGORITHM_OUT_OF_SERVICE = ProblemType(
    "algorithm-out-of-service", 503, "The algorithm failed its self-test",
    "This replica would compute wrong digests with it, so it refuses. Others are not affected.",
)  # fmt: skip
UPLOAD_UNKNOWN = ProblemType(
    "upload-unknown", 404, "No such upload is known",
    "The id never was one, the upload was deleted, or nobody has added to it for long.",
)  # fmt: skip
UPLOAD_OFFSET_WRONG = ProblemType(
    "upload-offset-wrong", 409, "The upload goes on from another offset",
    "Nothing was added. The member expected-offset and the header Upload-Offset say how many bytes "
    "have come.",
)  # fmt: skip
UPLOAD_COMPLETE = ProblemType(
    "upload-complete", 409, "The upload is complete",
    "Nothing can be added to it, and it cannot be completed otherwise. Make another upload.",
)  # fmt: skip
UPLOAD_INCOMPLETE = ProblemType(
    "upload-incomplete", 409, "The upload is not complete",
    "Send the rest of the file, and Upload-Complete: ?1 with the last part.",
)  # fmt: skip
UPLOAD_IN_USE = ProblemType(
    "upload-in-use", 409, "A job reads the upload",
    "It cannot be deleted before the job is finished or cancelled.",
)  # fmt: skip
TOO_MANY_UPLOADS = ProblemType(
    "too-many-uploads", 503, "There is no room for uploads now",
    "MILLRACE_UPLOADS_MAX_OPEN are open, or all of them take MILLRACE_UPLOADS_TOTAL_BYTES. Delete "
    "some, or try again after the time in Retry-After.",
)  # fmt: skip
TOO_MANY_BODIES = ProblemType(
    "too-many-bodies", 503, "Too many large bodies are being received",
    "The replica has no thread to spare for another. Retry-After says when to try again; an upload "
    "goes on where it was.",
)  # fmt: skip

JOB_UNKNOWN = ProblemType(
    "job-unknown", 404, "No such job is known",
    "The id never was one, or the job was forgotten, with all it left, when its time was over.",
)  # fmt: skip
JOB_NOT_DONE = ProblemType(
    "job-not-done", 409, "The job is not done",
    "Its rows are not all there: it has not come to its end, and Retry-After says when to look "
    "again, or it has failed or was cancelled. partial=true gets those that are there.",
)  # fmt: skip
JOB_STATE_UNFIT = ProblemType(
    "job-state-unfit", 409, "That does not fit the state of the job",
    "Only what is unfinished can be paused or resumed, only what is finished can be forgotten, and "
    "what was cancelled is not tried again. state says in which state it is.",
)  # fmt: skip
TOO_MANY_JOBS = ProblemType(
    "too-many-jobs", 503, "Too many jobs are unfinished",
    "MILLRACE_JOBS_MAX_UNFINISHED are not finished yet. Retry-After says when to try again.",
)  # fmt: skip
IDEMPOTENCY_KEY_BUSY = ProblemType(
    "idempotency-key-busy", 409, "A request with this Idempotency-Key is being worked on",
    "The same key came in two requests at once. Send this one again after the time in Retry-After.",
)  # fmt: skip
CURSOR_INVALID = ProblemType(
    "cursor-invalid", 400, "The place to go on from makes no sense",
    "after, or Last-Event-ID, is none that this call has given. Take it from the latest answer.",
)  # fmt: skip

DIGEST_UNKNOWN = ProblemType(
    "digest-unknown", 404, "This digest was never stored",
    "Only digests that were asked for with store: true are remembered.",
)  # fmt: skip
DIGEST_STORE_BUSY = ProblemType(
    "digest-store-busy", 503, "The digest cannot be stored just now",
    "Too many wait for that, or PostgreSQL does not answer. Nothing was stored; Retry-After says "
    "when to try again.",
)  # fmt: skip
DIGEST_STORE_UNSURE = ProblemType(
    "digest-store-unsure", 503, "It is not known whether the digest was stored",
    "PostgreSQL did not confirm it in time. Send it again: at worst it is counted twice.",
)  # fmt: skip
JOB_UNSURE = ProblemType(
    "job-unsure", 503, "It is not known whether the job was taken in",
    "PostgreSQL did not confirm it in time. With an Idempotency-Key, send it again; without one, "
    "look for it among the jobs first.",
)  # fmt: skip
PASSWORDS_BUSY = ProblemType(
    "passwords-busy", 503, "Too many passwords wait to be hashed",
    "They are hashed a few at a time, so that queries do not suffer. Retry-After says when to try "
    "again.",
)  # fmt: skip
OVERLOADED = ProblemType(
    "overloaded", 503, "There is more to do than can be done in time",
    "Nothing was done, so it is safe to send the request again after the time in Retry-After, "
    "which retry_after_s has as a number. lane, where it is given, is the kind of request "
    "that there were too many of.",
)  # fmt: skip

TABLE_UNKNOWN = ProblemType(
    "table-unknown", 404, "There is no such table",
    "Queries' role sees no table of this name. GET /v1/tables lists those that there are.",
)  # fmt: skip
TABLE_REFUSED = ProblemType(
    "table-refused", 422, "The table cannot be accelerated",
    "Its copies could not be kept exact. code names the reason, and errors has it with a remedy.",
)  # fmt: skip

PROBLEM_TYPES: tuple[ProblemType, ...] = (
    MALFORMED_JSON,
    BAD_REQUEST,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
    UNEXPECTED_STATUS,
    INTERNAL_ERROR,
    DATABASE_UNAVAILABLE,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    QUEUE_UNAVAILABLE,
    TIMED_OUT,
    NOTHING_CACHED,
    CANCELLED,
    QUERY_UNKNOWN,
    CANCEL_UNSURE,
    TOO_MANY_QUEUED,
    TOO_MANY_STREAMS,
    IDEMPOTENCY_KEY_INVALID,
    IDEMPOTENCY_KEY_REUSED,
    RESULT_TOO_LARGE,
    GIVEN_UP,
    SQL_SYNTAX,
    SQL_INVALID,
    STATEMENT_NOT_ALLOWED,
    SQL_NOT_PERMITTED,
    SQL_FAILED,
    DATABASE_CONFLICT,
    DATABASE_FAILED,
    NOT_SPLITTABLE,
    QUERY_TOO_COSTLY,
    DIGEST_MISMATCH,
    ALGORITHM_OUT_OF_SERVICE,
    JOB_UNKNOWN,
    JOB_NOT_DONE,
    JOB_STATE_UNFIT,
    TOO_MANY_JOBS,
    IDEMPOTENCY_KEY_BUSY,
    CURSOR_INVALID,
    UPLOAD_UNKNOWN,
    UPLOAD_OFFSET_WRONG,
    UPLOAD_COMPLETE,
    UPLOAD_INCOMPLETE,
    UPLOAD_IN_USE,
    TOO_MANY_UPLOADS,
    TOO_MANY_BODIES,
    DIGEST_UNKNOWN,
    DIGEST_STORE_BUSY,
    DIGEST_STORE_UNSURE,
    JOB_UNSURE,
    PASSWORDS_BUSY,
    OVERLOADED,
    TABLE_UNKNOWN,
    TABLE_REFUSED,
)
