"""What is answered when something is wrong with an upload."""

from app.hashes import digest_fields
from app.problem_types import DIGEST_MISMATCH, TOO_MANY_UPLOADS, UPLOAD_OFFSET_WRONG
from app.problems import Problem
from jobs.upload_errors import DigestWrong, OffsetWrong, TooManyUploads

# room comes back when something else expires or is deleted
RETRY_AFTER_S = 60.0


def offset_wrong(error: OffsetWrong) -> Problem:
    """Say where to go on."""
    return Problem(
        UPLOAD_OFFSET_WRONG,
        str(error),
        extra={"expected-offset": error.actual, "provided-offset": error.given},
        headers={"Upload-Offset": str(error.actual)},
    )


def digest_wrong(error: DigestWrong) -> Problem:
    """Say which digest the bytes have that came."""
    computed = digest_fields.write({"sha-256": error.computed})
    extra = {"field": "Repr-Digest", "computed": computed}
    return Problem(DIGEST_MISMATCH, str(error), extra=extra)


def too_many(error: TooManyUploads) -> Problem:
    """Say when to try again."""
    return Problem(TOO_MANY_UPLOADS, str(error), retry_after_s=RETRY_AFTER_S)
