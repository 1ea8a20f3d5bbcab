"""Exactly one statement, that begins as queries do, and nests within bounds."""

from collections.abc import Sequence

from query.errors import StatementRefused, SyntaxRefused
from query.lexer import Token

READS = frozenset({"select", "table", "values", "with"})
COMMANDS = frozenset({
    "abort", "alter", "analyse", "analyze", "begin", "call", "checkpoint", "close", "cluster",
    "comment", "commit", "copy", "create", "deallocate", "declare", "delete", "discard", "do",
    "drop", "end", "execute", "explain", "fetch", "grant", "import", "insert", "listen", "load",
    "lock", "merge", "move", "notify", "prepare", "reassign", "refresh", "reindex", "release",
    "reset", "revoke", "rollback", "savepoint", "security", "set", "show", "start", "truncate",
    "unlisten", "update", "vacuum",
})  # fmt: skip
CASES = {"case": 1, "end": -1}
CLOSES = {")": "(", "]": "["}
ONE_READ = "Give one SELECT, WITH … SELECT, TABLE or VALUES."


def refuse_other_than_one_read(tokens: Sequence[Token]) -> None:
    """Raise StatementRefused or SyntaxRefused unless `tokens` are one statement that reads."""
    ends = [place for place, token in enumerate(tokens) if token.is_mark(";")]
    statements = [
        piece
        for start, end in zip([-1, *ends], [*ends, len(tokens)], strict=True)
        if (piece := tokens[start + 1 : end])
    ]
    if not statements:
        raise StatementRefused("There is no statement.", ONE_READ)
    if len(statements) > 1:
        raise StatementRefused(
            f"There are {len(statements)} statements, and exactly one is allowed.",
            "Send them one by one, or combine them with WITH or UNION.",
        )
    first = next((token for token in statements[0] if not token.is_mark("(")), statements[0][0])
    if first.kind == "word" and first.text in READS:
        return
    if first.kind == "word" and first.text in COMMANDS:
        raise StatementRefused(
            f"{first.text.upper()} is not allowed: only queries that read are.", ONE_READ
        )
    raise SyntaxRefused("No statement begins like this.", ONE_READ, position=first.offset + 1)


def refuse_nesting(tokens: Sequence[Token], max_depth: int) -> None:
    """Raise SyntaxRefused for brackets that don't match, StatementRefused for too many levels."""
    opened: list[Token] = []
    cases = deepest = 0
    for token in tokens:
        kind, text, _ = token
        if kind == "word" and text in CASES:
            cases = max(0, cases + CASES[text])
        elif kind == "mark" and text in "([":
            opened.append(token)
        elif kind == "mark" and text in CLOSES:
            _close(opened, token)
        else:
            continue
        deepest = max(deepest, len(opened) + cases)
    if deepest > max_depth:
        raise StatementRefused(
            f"The statement nests {deepest} levels of brackets and CASE, and {max_depth} are "
            "allowed.",
            "Flatten it.",
        )
    if opened:
        raise SyntaxRefused(
            f"This {opened[-1].text} is not closed.", "Close it.", position=opened[-1].offset + 1
        )


def _close(opened: list[Token], token: Token) -> None:
    if not opened or opened.pop().text != CLOSES[token.text]:
        raise SyntaxRefused(
            f"Nothing was opened that this {token.text} closes.",
            "Remove it.",
            position=token.offset + 1,
        )
