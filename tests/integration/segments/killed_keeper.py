"""A keeper that kills itself when it comes to the point that it is told."""

import os
import signal
import sys
from typing import Any

from db.tracking.installation import cut_anew
from segments import builder, clean_up, folder, keeper
from worker.keeping.main import main


def die(*_: Any, **__: Any) -> None:
    """End at once, as by the out-of-memory killer."""
    os.kill(os.getpid(), signal.SIGKILL)


_cut, _remove = cut_anew, folder.SegmentFolder.remove


def cut_then_die(*given: Any) -> None:
    """End in the middle of the transaction that cuts."""
    connection = given[0]
    with connection.transaction():
        _cut(*given)
        die()


def remove_then_die(self: folder.SegmentFolder, name: str) -> None:
    """End after the first file that is removed."""
    _remove(self, name)
    die()


if __name__ == "__main__":
    point = sys.argv.pop(1)
    names = vars(builder)
    if point == "copying":
        names["batches"] = die
    elif point == "unpublished":
        names["publish"] = die
    elif point == "cutting":
        vars(keeper)["cut_anew"] = cut_then_die
    elif point == "removing":
        folder.SegmentFolder.remove = remove_then_die  # type: ignore[method-assign]
    elif point == "forgetting":
        vars(clean_up)["forget"] = die
    main()
