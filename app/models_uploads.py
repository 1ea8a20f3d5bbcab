"""Answers of the calls about uploads."""

from pydantic import Field

from app.models import ResponseModel


class UploadDocument(ResponseModel):
    """An upload."""

    id: str = Field(description="What jobs name it by.")
    name: str | None = Field(description="The file's name, if it came with one.")
    size_bytes: int = Field(description="Bytes that have come; where the next request goes on.")
    announced_bytes: int | None = Field(description="What Upload-Length said.")
    complete: bool = Field(description="Nothing can be added; jobs can read it.")
    verified: bool = Field(
        description="Its digest has been checked, or none came with it. A job that reads a "
        "complete upload checks it first if it has not been."
    )
    sha256: str | None = Field(description="SHA-256 of the whole, in hex, where it is known.")
    created_at: str = Field(description="When it began, ISO 8601 in UTC.")
    changed_at: str = Field(description="When bytes came last.")
    expires_at: str | None = Field(
        description="When it is forgotten if nothing comes; null while a job keeps it."
    )
