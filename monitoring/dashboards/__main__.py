"""Writes the dashboards' JSON where Grafana is told to look: `python -m monitoring.dashboards`."""

import json
from pathlib import Path

from monitoring.dashboards.all import DASHBOARDS
from monitoring.dashboards.dashboard import Dashboard

FOLDER = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"


def text(dashboard: Dashboard) -> str:
    """Return the file's contents."""
    return json.dumps(dashboard.document(), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write all of them."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(text(dashboard), encoding="utf-8")


if __name__ == "__main__":
    write()
