"""The queries that dashboards' JSON asks, with their variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "grafana" / "dashboards"
# what Grafana puts in by itself
BUILT_IN: Mapping[str, str] = {"__rate_interval": "1m", "__interval": "15s", "__range": "30m"}
EVERYTHING = ".*"
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class PanelQuery:
    """Which panel asks what."""

    dashboard: str
    panel: str
    expr: str

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables in it, Grafana's own too."""
        return frozenset(_VARIABLE.findall(self.expr))

    @property
    def filled(self) -> str:
        """The expression as it is asked when everything is chosen."""
        return _VARIABLE.sub(lambda found: BUILT_IN.get(found[1], EVERYTHING), self.expr)


def documents(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return the dashboards of a folder by the names of their files."""
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def queries(name: str, document: Mapping[str, Any]) -> Iterator[PanelQuery]:
    """Yield every query of a dashboard's panels."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            yield PanelQuery(name, panel["title"], target["expr"])
