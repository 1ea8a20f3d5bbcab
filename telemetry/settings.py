"""Settings of tracing for replicas and workers, described in docs/tracing.md."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class TracingSettings(BaseSettings):
    """Environment variables `MILLRACE_…`; without an endpoint nothing is traced."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_", populate_by_name=True, frozen=True, extra="ignore"
    )

    otlp_endpoint: str = Field(default="", description="Where spans are sent; empty: nowhere.")
    trace_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Part of the requests without a parent that is traced.",
    )
    trace_queue: int = Field(
        default=2048, ge=1, description="Spans that wait to be sent; more are dropped."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_http = False
        if value and not is_http:
            raise ValueError("must be the URL of an OTLP/HTTP receiver: http://collector:4318")
        return value.rstrip("/")
