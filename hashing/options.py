"""What may be asked of an algorithm besides its plain digest, and whether it can do that."""

from dataclasses import dataclass
from typing import Literal

from hashing.errors import OptionRefused
from hashing.registry import HMAC_KEY, Algorithm, Sizes

Construction = Literal["digest", "keyed", "hmac", "derive_key"]
MOST_CONTEXT_BYTES = 1024
MOST_SEED = 2**64 - 1


@dataclass(frozen=True)
class Options:
    """Options of a digest; None, and False, leave the algorithm's default.

    A `key` selects the algorithm's own keyed mode, else HMAC; `hmac` insists on HMAC.  `length`
    is in bytes.  `context` turns BLAKE3 into its key derivation, with the data as key material.
    """

    length: int | None = None
    key: bytes | None = None
    hmac: bool = False
    salt: bytes | None = None
    person: bytes | None = None
    context: str | None = None
    seed: int | None = None


PLAIN = Options()


def construction(known: Algorithm, options: Options) -> Construction:
    """Return what `options` make of the algorithm.  Raises OptionRefused, naming the option."""
    if options is PLAIN:
        return "digest"
    kind = _kind(known, options)
    _check_length(known, options, kind)
    for name, value, most in (
        ("salt", options.salt, known.salt_bytes),
        ("person", options.person, known.person_bytes),
    ):
        if value is None:
            continue
        if not most or kind == "hmac":
            raise _not_taken(known, kind, name)
        if len(value) > most:
            raise _size_refused(name, len(value), Sizes(0, most))
    if options.seed is not None:
        if not known.seed:
            raise _not_taken(known, kind, "seed")
        if not 0 <= options.seed <= MOST_SEED:
            raise OptionRefused("seed", "The seed is no 64-bit number.", f"Send 0 to {MOST_SEED}.")
    return kind


def _kind(known: Algorithm, options: Options) -> Construction:
    if options.context is not None:
        if not known.context:
            raise _not_taken(known, "digest", "context")
        if options.key is not None:
            raise OptionRefused(
                "context", "key and context exclude each other.", "Send one of them."
            )
        size = len(options.context.encode())
        if not 1 <= size <= MOST_CONTEXT_BYTES:
            raise _size_refused("context", size, Sizes(1, MOST_CONTEXT_BYTES))
    if options.hmac and not known.hmac:
        own = " It has a keyed mode of its own: send key alone." if known.key else ""
        raise OptionRefused("hmac", f"HMAC is not built on {known.name}.", f"Leave it out.{own}")
    if options.key is None:
        if options.hmac:
            raise OptionRefused("key", "HMAC needs a key.", "Send key.")
        return "digest" if options.context is None else "derive_key"
    keyed = known.key is not None and not options.hmac
    if not keyed and not known.hmac:
        raise OptionRefused("key", f"{known.name} takes no key.", "Leave it out.")
    sizes = known.key if keyed and known.key is not None else HMAC_KEY
    if len(options.key) not in sizes:
        raise _size_refused("key", len(options.key), sizes)
    return "keyed" if keyed else "hmac"


def _check_length(known: Algorithm, options: Options, kind: Construction) -> None:
    if options.length is None:
        return
    if known.length is None or kind == "hmac":
        raise OptionRefused(
            "length",
            f"{'HMAC on ' if kind == 'hmac' else ''}{known.name} returns "
            f"{known.digest_bytes} bytes always.",
            "Leave length out.",
        )
    if options.length not in known.length:
        raise _size_refused("length", options.length, known.length)


def _not_taken(known: Algorithm, kind: Construction, option: str) -> OptionRefused:
    name = f"HMAC on {known.name}" if kind == "hmac" else known.name
    return OptionRefused(option, f"{name} takes no {option}.", "Leave it out.")


def _size_refused(option: str, size: int, sizes: Sizes) -> OptionRefused:
    return OptionRefused(option, f"{size} bytes are outside the range.", f"Send {sizes} bytes.")
