"""What the calls about jobs work with, built once in each serving process."""

from typing import Any

from app.jobs.job_type import JobTools, JobType

# each in a file of its own in app/jobs/types
JOB_TYPES: tuple[type[JobType[Any]], ...] = ()
