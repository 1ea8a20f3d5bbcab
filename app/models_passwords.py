"""Bodies of the password calls."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from app.models import RequestModel, ResponseModel
from app.problem_types import VALIDATION_FAILED
from app.problems import FieldError, Problem
from hashing.errors import CostRefused, EncodedRefused, PasswordError
from hashing.passwords.argon2id import PROFILES
from hashing.passwords.hasher import SCHEMES
from hashing.passwords.scheme import Scheme
from hashing.passwords.work import Work

_COSTS: Mapping[str, tuple[str, ...]] = {
    name: tuple(scheme.cost) for name, scheme in SCHEMES.items()
}
_MOST = 2**31 - 1


class CostRequest(RequestModel):
    """Which scheme, at which cost; what is left out is the scheme's default."""

    scheme: Literal["argon2id", "scrypt", "bcrypt"] = Field(
        default="argon2id", description="Argon2id (RFC 9106), scrypt (RFC 7914), or bcrypt."
    )
    profile: Literal["rfc9106_low_memory", "rfc9106_high_memory"] | None = Field(
        default=None,
        description="Argon2id: a cost that RFC 9106 recommends; the first is the default.",
    )
    passes: int | None = Field(default=None, ge=1, le=_MOST, description="Argon2id: passes.")
    memory_kib: int | None = Field(
        default=None, ge=1, le=_MOST, description="Argon2id: memory in KiB."
    )
    lanes: int | None = Field(default=None, ge=1, le=_MOST, description="Argon2id: lanes.")
    log_n: int | None = Field(
        default=None, ge=1, le=63, description="scrypt: N is 2 to this power."
    )
    r: int | None = Field(default=None, ge=1, le=_MOST, description="scrypt: block size.")
    parallelism: int | None = Field(
        default=None, ge=1, le=_MOST, description="scrypt: parallelism, p."
    )
    log_rounds: int | None = Field(
        default=None, ge=4, le=31, description="bcrypt: its cost; 2 to this power rounds."
    )

    def chosen(self) -> Scheme:
        """Return the scheme with its cost.  Raises Problem when the fields do not fit."""
        given = {
            name: getattr(self, name)
            for names in _COSTS.values()
            for name in names
            if getattr(self, name) is not None
        }
        for name in given:
            if name not in _COSTS[self.scheme]:
                takes = ", ".join(_COSTS[self.scheme])
                raise _refused(
                    f"/{name}", f"{self.scheme} has no {name}.", f"Leave it out; it has {takes}."
                )
        base = SCHEMES[self.scheme]
        if self.profile is not None:
            if self.scheme != "argon2id":
                raise _refused("/profile", f"{self.scheme} has no profiles.", "Leave it out.")
            if given:
                reason = "A profile is a whole cost."
                raise _refused("/profile", reason, f"Leave it out, or {' and '.join(given)}.")
            base = PROFILES[self.profile]
        changed: Scheme = replace(base, **given)  # type: ignore[type-var]  # all are dataclasses
        return changed

    def refused(self, error: PasswordError) -> Problem:
        """Return the problem of a password, a cost or a hash that is refused."""
        if isinstance(error, EncodedRefused):
            remedy = "Send it as it was made: in PHC form, or bcrypt's $2b$ form."
            return _refused("/hash", str(error), remedy)
        if isinstance(error, CostRefused):
            return self._cost_refused(error)
        remedy = "Choose another password, or a scheme that takes it."
        return _refused("/password", str(error), remedy)

    def _cost_refused(self, error: CostRefused) -> Problem:
        if self.profile is not None:
            return _refused("/profile", str(error), "Choose the other profile, or a cost.")
        place = error.option if error.option in self.model_fields_set else "scheme"
        return _refused(f"/{place}", str(error), "Send a cost within the limits.")


class PasswordHashRequest(CostRequest):
    """A password to hash."""

    password: str = Field(
        description="The password, hashed as its UTF-8 bytes, as they are; at most 4,096 of them "
        "(bcrypt: 72)."
    )

    def work(self) -> Work:
        """Return what a worker is to do.  Raises Problem."""
        return Work(self.password, self.chosen())


class PasswordHashResponse(ResponseModel):
    """A new password hash."""

    hash: str = Field(description="The encoded hash, with its salt and cost: store it as it is.")
    scheme: str = Field(description="The scheme's name.")
    parameters: dict[str, int] = Field(description="Its cost.")
    took_ms: float = Field(description="Time of the hashing itself, in milliseconds.")


class PasswordVerifyRequest(CostRequest):
    """A password and the hash that it may fit.

    Scheme and cost are those that new hashes are made with: the advice compares with them.
    """

    password: str = Field(description="The password.")
    hash: str = Field(
        max_length=1024, description="The encoded hash, of any scheme, within the limits on cost."
    )

    def work(self) -> Work:
        """Return what a worker is to do.  Raises Problem."""
        return Work(self.password, self.chosen(), self.hash)

    def _cost_refused(self, error: CostRefused) -> Problem:
        remedy = "Raise the limits, which docs/queue.md lists, or have the password set anew."
        return _refused("/hash", f"Checking it costs more than is allowed. {error}", remedy)


class PasswordVerifyResponse(ResponseModel):
    """Whether the password fits."""

    valid: bool = Field(description="True when the password fits.")
    needs_rehash: bool = Field(
        description="True when it fits, and its hash should be made anew, now that it is known."
    )
    advice: str | None = Field(description="Why; null when there is no need.")
    took_ms: float = Field(description="Time of the check itself, in milliseconds.")


def _refused(place: str, reason: str, remedy: str) -> Problem:
    detail = f"{place}: {reason} {remedy}"
    return Problem(VALIDATION_FAILED, detail, errors=[FieldError(place, reason, remedy)])
