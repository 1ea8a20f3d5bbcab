"""Why a digest is not stored, or not known to be."""


class DigestsError(Exception):
    """Root of this package's errors; PostgreSQL's absence is db.errors.DatabaseUnavailable."""


class NotTaken(DigestsError):
    """Too much waits to be stored, or PostgreSQL does not answer: nothing was stored."""


class StoreUnsure(DigestsError):
    """PostgreSQL did not say in time whether it has stored the digests."""
