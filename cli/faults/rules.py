"""What a proxy does to the bytes of each direction."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=600)]


class Rule(BaseModel):
    """One direction.  As it stands: all bytes pass, unchanged, at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay_s: Seconds = 0.0
    jitter_s: Seconds = 0.0
    """Up to so much more, drawn anew for each piece; the order stays."""

    bytes_per_s: Annotated[float, Field(gt=0)] | None = None
    swallow: bool = False
    """Read everything and hand on nothing.  Such a connection never passes bytes again: TCP leaves
    no holes.  It is cut when the rule ends, as a peer that has forgotten it would."""

    corrupt_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of bytes that are changed."""

    cut_after_bytes: Annotated[int, Field(ge=0)] | None = None
    """Cut the connection once so many bytes have passed since the rule began."""


class Rules(BaseModel):
    """Both directions, and whether new connections are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to_server: Rule = Rule()
    to_client: Rule = Rule()
    refuse: bool = False
    """Refuse new connections, as where nobody listens."""


PASS = Rules()
