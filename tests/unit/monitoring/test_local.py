"""A configuration for a stack without service names."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.local import main

FOLDER = Path(__file__).parents[3] / "monitoring"


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_names_become_the_addresses_that_are_given_and_all_else_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    found = made(
        capsys, "--target", "lb=127.0.0.1:1", "--target", "app=127.0.0.1:2", "--target",
        "app=127.0.0.1:3",
    )  # fmt: skip
    assert found["global"] == given["global"]
    assert found["rule_files"] == [str(FOLDER / "rules" / "*.yml")]
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    assert {name: job["static_configs"] for name, job in jobs.items()} == {
        "lb": [{"targets": ["127.0.0.1:1"]}],
        "app": [{"targets": ["127.0.0.1:2", "127.0.0.1:3"]}],
    }
    original = {job["job_name"]: job for job in given["scrape_configs"]}
    for name, job in jobs.items():
        assert job["metric_relabel_configs"] == original[name]["metric_relabel_configs"]
        assert not {"dns_sd_configs", "authorization"} & job.keys()


def test_replicas_and_workers_are_those_that_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    programs = [
        {"name": "app-1", "address": "127.0.0.1:4"},
        {"name": "worker-2", "address": "127.0.0.1:5"},
        {"name": "worker-3", "address": ""},
        {"name": "PostgreSQL", "address": "/run"},
    ]
    (tmp_path / "up.json").write_text(json.dumps({"programs": programs}))
    found = made(capsys, "--data", str(tmp_path))
    targets = {job["job_name"]: job["static_configs"] for job in found["scrape_configs"]}
    assert targets == {
        "app": [{"targets": ["127.0.0.1:4"]}], "worker": [{"targets": ["127.0.0.1:5"]}],
    }  # fmt: skip


def test_a_target_without_a_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--target", "127.0.0.1:1"])
    assert "give a job and an address" in capsys.readouterr().err


def test_every_tier_is_found_by_its_name() -> None:
    given = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    found = {
        job["job_name"]: (job["dns_sd_configs"][0]["names"], job["dns_sd_configs"][0]["port"])
        for job in given["scrape_configs"]
        if "dns_sd_configs" in job
    }
    assert found == {
        "lb": (["lb"], 8081),
        "app": (["app"], 8000),
        "worker": (["worker"], 9100),
        "scaler": (["scaler"], 9100),
        "redis": (["redis-exporter"], 9121),
        "postgres": (["postgres-exporter"], 9187),
    }
