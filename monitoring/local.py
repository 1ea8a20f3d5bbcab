"""Makes of prometheus.yml one for a stack without service names, such as `millrace up`.

    python -m monitoring.local --data .millrace --target lb=127.0.0.1:8081 > /tmp/prometheus.yml

Only the ways to targets change.  Replicas and workers are read from the run file of the data
folder; a job without a target is left out, and its alerts of absence fire.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


def local_configuration(
    configuration: Mapping[str, Any], targets: Mapping[str, Sequence[str]], *, folder: Path
) -> dict[str, Any]:
    """Return the configuration for these targets by job, with rule files of `folder`."""
    jobs = []
    for job in configuration["scrape_configs"]:
        addresses = targets.get(job["job_name"], ())
        if addresses:
            kept = {key: value for key, value in job.items() if not key.endswith("_sd_configs")}
            kept.pop("authorization", None)
            jobs.append(kept | {"static_configs": [{"targets": list(addresses)}]})
    rules = [str(folder / pattern) for pattern in configuration["rule_files"]]
    return {**configuration, "rule_files": rules, "scrape_configs": jobs}


def of_run_file(path: Path) -> dict[str, list[str]]:
    """Return the addresses of replicas and workers that `millrace up` has noted."""
    found: dict[str, list[str]] = {"app": [], "worker": []}
    for program in json.loads(path.read_text())["programs"]:
        tier = program["name"].partition("-")[0]
        if tier in found and program["address"]:
            found[tier].append(program["address"])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the configuration; return the exit code."""
    parser = argparse.ArgumentParser("python -m monitoring.local", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder of a running `millrace up`")
    parser.add_argument(
        "--target", action="append", default=[], metavar="JOB=HOST:PORT",
        help="a target of a job: lb, app, worker, scaler, redis, postgres, prometheus; "
        "may be repeated",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    targets = of_run_file(given.data / "up.json") if given.data else {}
    for text in given.target:
        job, separator, address = text.partition("=")
        if not separator:
            parser.error(f"--target {text}: give a job and an address: app=127.0.0.1:8000")
        targets.setdefault(job, []).append(address)
    configuration = yaml.safe_load((HERE / "prometheus.yml").read_text())
    yaml.safe_dump(local_configuration(configuration, targets, folder=HERE), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
