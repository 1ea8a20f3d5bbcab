"""Who decides how many workers there are, and what was decided last."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self, TypeAlias

import redis

from tasks.errors import MessageMalformed
from tasks.lanes import PREFIX
from tasks.link import borrowed
from tasks.scripts import SEAT, SEATED, UNSEAT

LEASE = f"{PREFIX}scaler:lease"
STANDBY = f"{PREFIX}scaler:standby"
RECORD = f"{PREFIX}scaler:record"
KEPT_S = 3600.0  # for so long a scaler that is away is remembered

ScalerState: TypeAlias = Literal["active", "standby", "away"]


@dataclass(frozen=True)
class ScalingRecord:
    """What was decided last: `running` of `minimum` to `maximum` workers, where `wanted` should be.

    `reason` is one sentence.  `changed_at`: when the number was changed last, in seconds since 1970
    by the scaler's clock; None: not since it started.
    """

    driver: str
    wanted: int
    running: int
    minimum: int
    maximum: int
    reason: str
    changed_at: float | None = None

    def encode(self) -> bytes:
        """Return the record as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote, or a later version with more fields.

        Raises MessageMalformed.
        """
        try:
            values = json.loads(data)
            return cls(**{one.name: values[one.name] for one in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise MessageMalformed(f"no scaler's record: {data[:80]!r}") from error


class ScalerSeat:
    """The one seat from which the number of workers is decided; who has none stands by.

    It is a lease in Redis.  `is_held` counts its time from before it was asked for, by our own
    monotonic clock: so it is over here before Redis gives it to another, however long we hang.
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        lease_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._name = name
        self._lease_s = lease_s
        self._monotonic = monotonic
        self._until = float("-inf")

    def take(self) -> bool:
        """Take the seat, or keep it; False while another has it.  Raises QueueUnavailable."""
        asked_at = self._monotonic()
        with borrowed(self._client) as link:
            reply = link.run(SEAT, [LEASE, STANDBY], [self._name, int(self._lease_s * 1000)])
        self._until = asked_at + self._lease_s if reply == 1 else float("-inf")
        return reply == 1

    def is_held(self) -> bool:
        """Tell whether nobody else can have it at this moment."""
        return self._monotonic() < self._until

    def tell(self, record: ScalingRecord) -> bool:
        """Let others know; False if the seat is another's by now.  Raises QueueUnavailable."""
        with borrowed(self._client) as link:
            arguments: list[str | bytes | int] = [self._name, record.encode(), int(KEPT_S * 1000)]
            return link.run(SEATED, [LEASE, RECORD], arguments) == 1

    def leave(self) -> None:
        """Give it back, so that who stands by need not wait.  Raises QueueUnavailable."""
        self._until = float("-inf")
        with borrowed(self._client) as link:
            link.run(UNSEAT, [LEASE, STANDBY, RECORD], [self._name])


@dataclass(frozen=True)
class Scaling:
    """The last record, and whether somebody decides now (`active`), soon (`standby`) or not."""

    record: ScalingRecord
    state: ScalerState


def scaling(client: redis.Redis) -> Scaling | None:
    """Return what is known of scaling; None where nobody has decided within the hour.

    Raises QueueUnavailable, MessageMalformed.
    """
    with borrowed(client) as link:
        reply = link.call("MGET", RECORD, LEASE, STANDBY)
    match reply:
        case [bytes(data), lease, standby]:
            state: ScalerState = "away" if standby is None else "standby"
            return Scaling(ScalingRecord.decode(data), state if lease is None else "active")
        case _:
            return None
