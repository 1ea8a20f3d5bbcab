"""What can go wrong with uploads.  What goes wrong with PostgreSQL itself stays an error of db."""

from jobs.errors import JobError


class UploadError(JobError):
    """Root of what uploads raise."""


class UploadUnknown(UploadError):
    """There is no such upload, or no more."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"There is no upload '{upload_id}': it never was, was deleted, or expired. "
            "Make a new one."
        )


class OffsetWrong(UploadError):
    """The bytes do not follow those that are there; `actual` says where to go on."""

    def __init__(self, given: int, actual: int) -> None:
        super().__init__(f"The upload has {actual} bytes; go on from there instead of {given}.")
        self.given = given
        self.actual = actual


class UploadComplete(UploadError):
    """The upload has been completed: nothing can be added."""


class UploadIncomplete(UploadError):
    """The upload has not been completed, or fewer bytes have come than were announced."""


class UploadUnverified(UploadError):
    """Nobody has checked yet that the bytes are those of the digest that came with them."""


class UploadInUse(UploadError):
    """A job that is not finished reads the upload."""


class UploadTooLarge(UploadError):
    """The upload would have more bytes than are allowed, or than were announced."""


class TooManyUploads(UploadError):
    """So much is stored, or being sent, that no more is taken in for now."""


class DigestWrong(UploadError):
    """The bytes that arrived are not those that the digest was computed of."""

    def __init__(self, expected: bytes, computed: bytes) -> None:
        super().__init__(
            f"The bytes that arrived have the SHA-256 {computed.hex()}, and were announced with "
            f"{expected.hex()}: they were changed on their way. Send the file again."
        )
        self.computed = computed
