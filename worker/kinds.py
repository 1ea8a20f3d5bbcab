"""The kinds of jobs that this version of the worker runs."""

from jobs.kind import Kind


def job_kinds() -> tuple[Kind, ...]:
    """Return one instance of each."""
    return ()
