"""Why a password is not hashed just now; what is wrong with one is hashing.errors.PasswordError."""


class PasswordsError(Exception):
    """Root of this package's errors."""


class PasswordsBusy(PasswordsError):
    """So many wait already that another would only wait too long; try after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WorkerFailed(PasswordsError):
    """A worker took it and could not do it."""
