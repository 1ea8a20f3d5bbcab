"""Settings of segments, read from the environment; documented in docs/columnar.md."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _listed(names: object) -> object:
    if isinstance(names, str):
        return tuple(name.strip() for name in names.split(",") if name.strip())
    return names


def _unless_empty(text: object) -> object:
    return None if text == "" else text  # which would be the current folder


class SegmentSettings(BaseSettings):
    """Where segments are and how they are made; without a folder there are none.

    Durations in seconds.  `accelerate` names tables that are to be accelerated.
    Variables are `MILLRACE_SEGMENTS_<FIELD>`, but for `MILLRACE_ACCELERATE`.
    """

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_SEGMENTS_", populate_by_name=True, extra="ignore", frozen=True
    )

    folder: Annotated[Path | None, BeforeValidator(_unless_empty)] = None
    max_mb: int = Field(default=10_240, ge=1)
    format: Literal["duckdb", "parquet"] = "duckdb"
    bucket_rows: int = Field(default=1_000_000, ge=1)
    group_rows: int = Field(default=122_880, ge=1)
    group_mb: int = Field(default=64, ge=1)
    read_mb: int = Field(default=8, ge=1, le=1024)
    build_limit_s: float = Field(default=600.0, gt=0)
    refresh_age_s: float = Field(default=60.0, ge=0)
    grace_s: float = Field(default=900.0, gt=0)
    idle_after_s: float = Field(default=600.0, ge=0)
    idle_refresh_age_s: float = Field(default=600.0, ge=0)
    round_s: float = Field(default=2.0, gt=0)
    clean_up_s: float = Field(default=60.0, gt=0)
    nice: int = Field(default=10, ge=0, le=19)
    accelerate: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), validation_alias="MILLRACE_ACCELERATE"
    )

    def __init__(self, **given: Any) -> None:  # so that type checkers know no aliases
        super().__init__(**given)
