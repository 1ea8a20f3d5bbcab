"""Names of requests, and whether their answers may be kept."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from app.cache.catalog_facts import CatalogFacts
from app.queries.request import QueryInput
from query.cacheable import Verdict, calls, moving_reason, verdict
from query.spelling import Spelling, spell
from query.statement import LONGEST_KEPT, MOST_KEPT, Parser

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class RequestKey:
    """`request` names what is asked for, `key` that under one version of the schema.

    `tables` are those that the answer stems from; None: it is not kept, because of `reason`.
    """

    request: str
    key: str
    tables: tuple[str, ...] | None
    reason: str = ""


class RequestKeys:
    """Finds the key of a request; knows what it found for the newest `size` short statements.

    The key holds the statement in its one spelling, the parameters, `max_rows`, the role, the
    schema, and its version.  How a query runs (`engine`) does not matter: the answer is the same.
    """

    def __init__(
        self, parser: Parser, facts: CatalogFacts, *, role: str, schema: str, size: int
    ) -> None:
        self._parser = parser
        self._facts = facts
        self._place = f"{role}\0{schema}"
        self._size = size
        self._spellings: OrderedDict[str, Spelling | None] = OrderedDict()
        self._verdicts: OrderedDict[tuple[str, str], Verdict] = OrderedDict()

    def known(self, query: QueryInput) -> RequestKey | None:
        """Return the key, without a question to PostgreSQL; None if that takes one.

        Raises QueryError for what is no statement that only reads.
        """
        spelling = self._spelling(query.sql)
        version = self._facts.version
        if spelling is None:
            return RequestKey("", "", None, "its strings have more than one spelling")
        moving = moving_reason(spelling, query.params)
        if moving is not None:
            return RequestKey("", "", None, moving)
        found = self._verdicts.get((spelling.text, version)) if version is not None else None
        if found is None or version is None:
            return None
        return self._key(query, spelling, version, found)

    def find(self, query: QueryInput) -> RequestKey:
        """Return the key, with a look into the catalog where that is needed.

        Raises QueryError, and db.errors.
        """
        known = self.known(query)
        spelling = self._spelling(query.sql)
        if known is not None or spelling is None:
            return known or RequestKey("", "", None)
        statement = self._parser.parse(query.sql)
        if statement.unread is not None:
            return RequestKey("", "", None, statement.unread)
        if statement.leaves_schema:
            return RequestKey("", "", None, "it may name things of other schemas")
        try:
            version, facts = self._facts.facts(statement, calls(spelling.tokens))
        except psycopg.Error as error:
            return RequestKey("", "", None, f"the catalog cannot be read: {error}")
        found = verdict(statement.tree, statement.tables, facts)
        _keep(self._verdicts, (spelling.text, version), found, len(spelling.text), self._size)
        return self._key(query, spelling, version, found)

    def _spelling(self, sql: str) -> Spelling | None:
        try:
            return self._spellings[sql]
        except KeyError:
            self._parser.parse(sql)  # refuses what is too long before any other work
            found = spell(sql)
            _keep(self._spellings, sql, found, len(sql), self._size)
            return found

    def _key(
        self, query: QueryInput, spelling: Spelling, version: str, found: Verdict
    ) -> RequestKey:
        asked = json.dumps([spelling.text, query.params, query.max_rows])
        request = hashlib.blake2b(f"{self._place}\0{asked}".encode(), digest_size=16).hexdigest()
        return RequestKey(request, f"{request}:{version}", found.tables, found.reason)


def _keep(
    kept: OrderedDict[KeyT, ValueT], name: KeyT, value: ValueT, length: int, size: int
) -> None:
    """Keep what was found for a text of `length`, within the bounds of the parser's own cache.

    Tokens take about a hundred times the room of their text: many long ones would fill the memory.
    """
    if length > LONGEST_KEPT:
        return
    kept[name] = value
    while len(kept) > size or sum(map(_length, list(kept))) > MOST_KEPT:
        try:
            kept.popitem(last=False)
        except KeyError:  # another thread was faster
            return


def _length(name: Hashable) -> int:
    return len(name[0] if isinstance(name, tuple) else str(name))
