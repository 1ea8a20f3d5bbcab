"""A process that is told to end before it has signal handlers of its own hears of it then."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# As gunicorn does: the parent's handler puts signals into a queue, of which a child has a copy
# that nobody reads.  The child tells its parent when it is there and when it is out of its handler.
SCRIPT = """
import os, signal, sys
from app.birth import hear_signals, hold_signals_across_forks

signal.signal(signal.SIGTERM, lambda number, frame: None)
if sys.argv[1] == "held":
    hold_signals_across_forks()
there, told = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    os.write(there[1], b"x")
    os.read(told[0], 1)
    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    hear_signals()
    os._exit(len(heard))
os.read(there[0], 1)
os.kill(pid, signal.SIGTERM)
os.write(told[1], b"x")
heard = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(heard, signal.SIGTERM in blocked)
"""


@pytest.mark.parametrize(("how", "heard"), [("held", 1), ("not held", 0)])
def test_sigterm_before_the_handlers_is_heard_once_they_are_there(how: str, heard: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout == f"{heard} False\n"
