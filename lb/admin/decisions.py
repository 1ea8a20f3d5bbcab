"""What the operator has decided at run time: it holds for every process, also for later ones."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lb.backend.health import Mode
from lb.backend.source import MOST_WEIGHT
from lb.pick import Strategy


class StrategyChange(BaseModel):
    """Body of `PUT /lb/strategy`."""

    model_config = ConfigDict(extra="forbid")
    strategy: Strategy


class BackendChange(BaseModel):
    """Body of `PUT /lb/backends/{id}`; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid")
    state: Mode | None = None
    weight: Annotated[int, Field(ge=1, le=MOST_WEIGHT)] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "BackendChange":
        if self.state is None and self.weight is None:
            raise ValueError("give a state, a weight or both")
        return self


class Decisions(BaseModel):
    """All decisions since the parent's start.  They go before the settings."""

    strategy: Strategy | None = None
    backends: dict[str, BackendChange] = {}

    def add(self, name: str, change: BackendChange) -> None:
        """Remember a change of the backend `name`, beside what was decided of it before."""
        before = self.backends.get(name)
        given = {} if before is None else before.model_dump(exclude_none=True)
        self.backends[name] = BackendChange(**given | change.model_dump(exclude_none=True))
