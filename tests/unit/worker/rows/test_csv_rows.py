"""Cells of CSV: read by the window, and compared with a reader that takes byte after byte."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hashing.rows import encode_row
from tests.unit.worker.rows.reference_csv import read
from worker.rows.csv_rows import CsvRows
from worker.rows.scanner import Place, windows
from worker.rows.spec import CsvOptions

CELLS = st.sampled_from(
    ["", "a", "NULL", '"NULL"', '""', '"x"', '"q""q"', '"l\nl"', '"c,c"', "ü", '"\r"', "\0", "x\ry"]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=3).map(",".join), max_size=30)
ENDS = st.sampled_from(["\n", "\r\n"])


@settings(deadline=None)
@given(
    rows=ROWS,
    end=ENDS,
    fields=st.integers(1, 3),
    null=st.sampled_from([None, "", "NULL"]),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
    is_value=st.booleans(),
    window_bytes=st.sampled_from([10, 100, 10_000]),
)
@example(
    rows=["a", "", "b"], end="\n", fields=1, null="", encoding="utf-8", is_value=True,
    window_bytes=100,
)  # fmt: skip
def test_every_cell_is_what_it_says(
    rows: list[str], end: str, fields: int, null: str | None, encoding: str, is_value: bool,
    window_bytes: int,
) -> None:  # fmt: skip
    data = "".join(row + end for row in rows).encode(encoding)
    options = CsvOptions(encoding=encoding, null=null)
    chosen = [fields - 1] if is_value else list(reversed(range(fields)))
    reader = CsvRows(options, "value" if is_value else "canonical", 10_000, fields, chosen)
    found: dict[int, bytes | None] = {}
    for window in windows([data], reader.form, Place(), window_bytes):
        batch = reader.read(window)
        found |= dict(zip(batch.numbers, batch.values, strict=True))
        found |= dict.fromkeys((failed.row for failed in batch.failed), None)
    expected: dict[int, bytes | None] = {}
    for number, record in enumerate(read(data, b",", b'"', 10_000), 1):
        if record.cells is None or len(record.cells) != fields:
            expected[number] = None
            continue
        cells = [
            None if not quoted and null is not None and cell == null.encode()
            else cell.decode(encoding)
            for cell, quoted in (record.cells[position] for position in chosen)
        ]  # fmt: skip
        if is_value:
            expected[number] = None if cells[0] is None else cells[0].encode()
        else:
            expected[number] = encode_row(cells)
    assert found == expected
