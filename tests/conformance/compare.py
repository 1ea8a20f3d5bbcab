"""Runs the table against our balancer and the peers that are installed, side by side.

    python -m tests.conformance.compare [--patience 0.5] [--category chunks]

The expectations are ours: strict RFC 9112, and the limits of our defaults.  So a line about a peer
says where it differs, which is not always a fault of it.  PASSED ON marks what we refuse and the
peer hands to the backend: where that is malformed, it is what smuggling lives on.
"""

import argparse
import tempfile
from pathlib import Path

from tests.conformance.backend import RecordingBackend
from tests.conformance.case import Case
from tests.conformance.client import observe
from tests.conformance.table import CASES
from tests.conformance.targets import OURS, PEERS, Command, Target, version
from tests.conformance.verdict import differences

Outcome = dict[str, list[str]]


def run(name: str, command: Command, chosen: list[tuple[str, Case]], patience_s: float) -> Outcome:
    """Return what differs in each case, by category and name."""
    outcome: Outcome = {}
    backend = RecordingBackend()
    backend.start()
    with (
        tempfile.TemporaryDirectory(prefix="conformance-") as folder,
        Target(name, command, Path(folder), backend.port) as target,
    ):
        for category, case in chosen:
            observed = observe(case, target.address, backend, patience_s)
            found = differences(case, observed)
            if found and observed.seen and case.seen == () and not case.leaves:
                found.append("PASSED ON")
            outcome[f"{category}: {case.name}"] = found
    backend.stop()
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--patience", type=float, default=0.5, help="seconds of silence; 0.5")
    parser.add_argument("--category", help="only the cases of this category")
    options = parser.parse_args()
    chosen = [item for item in CASES if options.category in {None, item[0]}]
    outcomes = {}
    for name, command in ({"ours": OURS} | PEERS).items():
        told = version(name) if name in PEERS else "millrace"
        if told is None:
            print(f"\n== {name} is not installed: left out")
            continue
        print(f"\n== {name}: {told}", flush=True)
        outcomes[name] = run(name, command, chosen, options.patience)
        for title, found in outcomes[name].items():
            if found:
                print(f"  {title:70} {'; '.join(found)}", flush=True)
    print(f"\n{'':10} {'as expected':>14} {'differs':>9} {'passed on, refused by us':>25}")
    for name, outcome in outcomes.items():
        wrong = sum(1 for found in outcome.values() if found)
        marked = sum(1 for found in outcome.values() if "PASSED ON" in found)
        print(f"{name:10} {len(outcome) - wrong:>7} of {len(outcome)} {wrong:>9} {marked:>25}")


if __name__ == "__main__":
    main()
