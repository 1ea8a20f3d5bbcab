"""Bases of the models that validate bodies and document them."""

from pydantic import BaseModel, ConfigDict, Field


class RequestModel(BaseModel):
    """A request body: no field beyond those declared, no type bent to fit."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ResponseModel(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldErrorDocument(ResponseModel):
    """One wrong place in a body."""

    pointer: str = Field(description="JSON pointer to the place; empty for the whole body.")
    reason: str = Field(description="What is wrong there.")
    remedy: str = Field(description="What to send instead.")


class ProblemDocument(BaseModel):
    """A problem (RFC 9457): the body of every error, as application/problem+json."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Which kind of problem: a stable relative reference.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time, and what to do about it.")
    instance: str = Field(description="The request's id, as in X-Request-ID.")
    errors: list[FieldErrorDocument] = Field(
        default=[], description="Each wrong place of the body, when validation failed."
    )
