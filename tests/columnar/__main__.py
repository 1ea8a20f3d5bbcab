"""`python -m tests.columnar`: many generated queries, by DuckDB and by PostgreSQL."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from columnar.engine import Bounds, ColumnarEngine
from tests.columnar.campaign import Tally, campaign
from tests.oracle.server import own_server
from tests.oracle.world import world

PROGRESS_EVERY = 500


def main() -> int:
    """Run what the command line asks for; the exit status tells whether all were equal."""
    parser = argparse.ArgumentParser(prog="python -m tests.columnar", description=__doc__)
    parser.add_argument("--seeds", default="0-2000", metavar="FIRST-END", help="END is left out")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--threads", type=int, default=2, help="of DuckDB")
    options = parser.parse_args()
    first, _, end = options.seeds.partition("-")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, own_server() as server:
        folder = Path(name)
        engine = ColumnarEngine(
            folder, Bounds(options.threads, 500_000_000, folder / "temporary", 10**9)
        )
        with (
            world(server.url("postgres")) as made,
            campaign(made, folder, engine) as compared,
        ):
            for seed in range(int(first), int(end)):
                compared.seed(seed)
                if seed % PROGRESS_EVERY == 0:
                    so_far = dict(compared.tally.outcomes), len(compared.tally.mismatches)
                    print(seed, *so_far, file=sys.stderr, flush=True)
                if time.monotonic() - began > options.seconds:
                    break
            _print(compared.tally, time.monotonic() - began)
            return 1 if compared.tally.mismatches else 0


def _print(tally: Tally, elapsed_s: float) -> None:
    for mismatch in tally.mismatches[:10]:
        print(mismatch, end="\n\n")
    for reason, count in tally.reasons.most_common(40):
        print(f"{count:7} {reason}")
    for entry, count in tally.entries.most_common():
        print(f"{count:7} {entry}")
    print(dict(tally.outcomes), f"{len(tally.mismatches)} mismatches, {elapsed_s:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
