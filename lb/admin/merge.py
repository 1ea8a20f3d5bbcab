"""One status document out of those of several processes.  Pure."""

from collections.abc import Sequence
from typing import Any

# Numbers that tell how something is and not how many: the mean of those who know it.
_MEANS = frozenset({"latency_ms", "peak_ms", "last_check_ms", "effective_weight"})
# Numbers that are the same everywhere.
_SAME = frozenset({"weight", "balancers", "share"})
_LATEST = frozenset({"last_check"})


def merge(values: Sequence[Any], name: str = "") -> Any:
    """Return the sum of numbers, the merge of objects by key, and of lists by the items' `id`.

    Of words, what most say; ties go to the first.  A value that is None is not known.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    first = known[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for value in known for key in value)
        return {key: merge([value[key] for value in known if key in value], key) for key in keys}
    if isinstance(first, list):
        return _merge_lists(known)
    if name in _LATEST:
        return max(known)
    if isinstance(first, bool | str):
        return max(known, key=known.count)
    if name in _MEANS:
        return round(sum(known) / len(known), 3)
    return first if name in _SAME else sum(known)


def counts(value: Any, name: str = "") -> Any:
    """Return the document with its numbers alone; words become None, but for the items' `id`.

    What a draining process thinks is of the past, but what it holds is still there.
    """
    if isinstance(value, dict):
        return {key: counts(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [counts(item) for item in value]
    return None if isinstance(value, bool | str) and name != "id" else value


def _merge_lists(lists: Sequence[list[Any]]) -> list[Any]:
    groups: dict[Any, list[Any]] = {}
    for items in lists:
        for item in items:
            groups.setdefault(item["id"] if isinstance(item, dict) else item, []).append(item)
    return [merge(group) for group in groups.values()]
