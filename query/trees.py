"""Copies of trees and walks over them, several times cheaper than sqlglot's own.

Most of the time of planning goes into these: `copy()` copies the position in the text of each
node, which nobody needs here, and tells every parent of every change.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlglot import exp

E = TypeVar("E", bound=exp.Expr)
POSITION = frozenset({"line", "col", "start", "end"})


def copied(tree: E) -> E:
    """Return a copy of `tree` that stands alone: without a parent, comments and positions."""
    root = type(tree)()
    pending: list[tuple[exp.Expr, exp.Expr]] = [(tree, root)]
    while pending:
        node, copy = pending.pop()
        if node._meta:  # noqa: SLF001 - reading `meta` makes a dictionary for each node
            copy._meta = {key: v for key, v in node._meta.items() if key not in POSITION}  # noqa: SLF001
        args = copy.args
        for key, value in node.args.items():
            if isinstance(value, exp.Expr):
                args[key] = _child(value, copy, key, None, pending)
            elif type(value) is list:
                args[key] = [
                    _child(one, copy, key, place, pending) if isinstance(one, exp.Expr) else one
                    for place, one in enumerate(value)
                ]
            else:
                args[key] = value
    return root


def _child(
    node: exp.Expr,
    parent: exp.Expr,
    key: str,
    place: int | None,
    pending: list[tuple[exp.Expr, exp.Expr]],
) -> exp.Expr:
    child = type(node)()
    child.parent, child.arg_key, child.index = parent, key, place
    pending.append((node, child))
    return child


def rebuilt(node: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Return a copy of `node` with the results of `change`, which must be new, for its children."""
    args = {
        key: change(value)
        if isinstance(value, exp.Expr)
        else [change(one) if isinstance(one, exp.Expr) else one for one in value]
        if type(value) is list
        else value
        for key, value in node.args.items()
    }
    return type(node)(**args)


def without_positions(tree: E) -> E:
    """Return `tree` itself, relieved of the places in the text, half of its memory."""
    for level in levels(tree):
        for node in level:
            if node._meta:  # noqa: SLF001 - as above
                kept = {key: v for key, v in node._meta.items() if key not in POSITION}  # noqa: SLF001
                node._meta = kept or None  # noqa: SLF001
    return tree


def levels(tree: exp.Expr) -> Iterator[list[exp.Expr]]:
    """Yield the nodes of each level, from `tree` alone downwards."""
    level = [tree]
    while level:
        yield level
        below: list[exp.Expr] = []
        for node in level:
            for value in node.args.values():
                if isinstance(value, exp.Expr):
                    below.append(value)
                elif type(value) is list:
                    below += [one for one in value if isinstance(one, exp.Expr)]
        level = below


def nodes(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield all nodes, level by level, as they stood when the level above was yielded."""
    for level in levels(tree):
        yield from level
