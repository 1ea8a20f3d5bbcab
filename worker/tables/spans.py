"""Cuts keys into spans of about as many rows each, by a sample: gaps in the keys do not matter."""

from collections.abc import Sequence

from worker.tables.key_range import Key, KeyRange


def spans(sample: Sequence[Key], count: int) -> list[KeyRange]:
    """Return up to `count` ranges that cover all keys, from distinct keys in order."""
    step = max(1.0, len(sample) / count)
    places = [round(number * step) for number in range(1, count)]
    keys = [sample[place] for place in dict.fromkeys(places) if 0 < place < len(sample)]
    return KeyRange().cut(keys)
