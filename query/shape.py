"""The shape of a query: what stays the same when only its constants change."""

import hashlib
from dataclasses import dataclass

from sqlglot import exp

from query.canonical import canonical
from query.trees import copied


@dataclass(frozen=True)
class Shape:
    """`masked` is the canonical text with $0 in place of each constant, `digest` names it."""

    digest: str
    masked: str


def shape_of(tree: exp.Expr) -> Shape:
    """Return what two queries share if they differ only in constants and case of names.

    The digest is BLAKE2b (RFC 7693), 32 hex digits.
    """
    copy = exp.Paren(this=copied(tree))  # a parent, so that even a lone literal can be replaced
    for literal in list(copy.find_all(exp.Literal)):
        literal.replace(exp.Parameter(this=exp.Literal.number(0)))
    masked = canonical(copy.this)
    digest = hashlib.blake2b(masked.encode(), digest_size=16).hexdigest()
    return Shape(digest, masked)
