"""Lines of several processes in one pipe stay whole."""

import select
from itertools import count
from typing import BinaryIO, cast

from lb.access_log import AccessLog


class Pieces:
    """Remembers each write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def flush(self) -> None:
        pass


def test_each_write_is_of_whole_lines_and_small_enough_to_be_atomic() -> None:
    output, numbers = Pieces(), count()
    log = AccessLog(
        "full", cast("BinaryIO", output), sample=1.0, random=lambda: 0.0, now_text=lambda: "now"
    )
    for target in [b"/short"] * 100 + [b"/" + b"x" * 9000] + [b"/short"] * 3:
        log.write(
            request_id=b"%d" % next(numbers), client="c", method=b"GET", target=target,
            status=200, sent=1, seconds=0.1, backend=None, retries=0,
        )  # fmt: skip
    log.close()
    assert all(piece.endswith(b"}\n") for piece in output.written)
    long = [piece for piece in output.written if len(piece) > select.PIPE_BUF]
    assert [piece.count(b"\n") for piece in long] == [1]
    assert b"".join(output.written).count(b"\n") == 104
    assert len(output.written) < 30
