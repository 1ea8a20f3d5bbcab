"""What a dashboard is made of, and how Grafana wants it written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["timeseries", "stat", "bargauge", "state-timeline"]
# Grafana's own names, of which it has hundreds; these are the ones that are used here
Unit = Literal["bytes", "dtdurations", "none", "ops", "percentunit", "reqps", "s", "short"]

DATASOURCE: Json = {"type": "prometheus", "uid": "millrace-prometheus"}
GREEN, YELLOW, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Query:
    """One PromQL expression; `legend` names its series by their labels: `{{route}}`.

    `exemplars`: show single requests among them, where histograms carry them.
    """

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True)
class Thresholds:
    """Above `warn` a value is orange, above `bad` red; with `low`, below them."""

    warn: float
    bad: float
    low: bool = False

    def steps(self) -> list[Json]:
        """Return the colours, from the lowest value up."""
        if self.low:
            return [
                {"color": RED, "value": None},
                {"color": YELLOW, "value": self.bad},
                {"color": GREEN, "value": self.warn},
            ]
        return [
            {"color": GREEN, "value": None},
            {"color": YELLOW, "value": self.warn},
            {"color": RED, "value": self.bad},
        ]


NO_THRESHOLDS = [{"color": GREEN, "value": None}]


@dataclass(frozen=True)
class Panel:
    """One panel: `width` of 24 columns, `height` in rows of 30 pixels.

    `words` says what a value means, with the colour that it has.  `most`: upper end of the axis.
    `link`: uid of the dashboard that tells more.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    stacked: bool = False
    most: float | None = None
    decimals: int | None = None
    thresholds: Thresholds | None = None
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    link: str | None = None

    def document(self, number: int, x: int, y: int) -> Json:
        """Return the panel as Grafana reads it, at a place of the grid."""
        document: Json = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": DATASOURCE,
                    "editorMode": "code",
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                    "range": self.kind in {"timeseries", "state-timeline"},
                    "instant": self.kind in {"stat", "bargauge"},
                    "exemplar": query.exemplars,
                }
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
        }
        if self.link is not None:
            document["links"] = [
                {"title": "More", "url": f"/d/{self.link}?${{__url_time_range}}"}
            ]  # fmt: skip
        return document

    def _defaults(self) -> Json:
        defaults: Json = {
            "unit": self.unit,
            "min": 0,
            "color": {
                "mode": "palette-classic" if self.kind == "timeseries" else "thresholds",
            },
            "thresholds": {
                "mode": "absolute",
                "steps": NO_THRESHOLDS if self.thresholds is None else self.thresholds.steps(),
            },
            "mappings": [
                {
                    "type": "value",
                    "options": {
                        f"{value}": {"index": index, "text": text, "color": color}
                        for index, (value, (text, color)) in enumerate(self.words.items())
                    },
                }
            ]
            if self.words
            else [],
        }
        if self.most is not None:
            defaults["max"] = self.most
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        match self.kind:
            case "timeseries":
                defaults["custom"] = {
                    "drawStyle": "line",
                    "lineWidth": 1,
                    "fillOpacity": 30 if self.stacked else 8,
                    "showPoints": "never",
                    "spanNulls": False,
                    "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                    "thresholdsStyle": {"mode": "dashed" if self.thresholds else "off"},
                }
            case "state-timeline":
                defaults["custom"] = {"lineWidth": 0, "fillOpacity": 75}
        return defaults

    def _options(self) -> Json:
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        match self.kind:
            case "timeseries":
                return {
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                    "tooltip": {"mode": "multi", "sort": "desc"},
                }
            case "stat":
                return {
                    "reduceOptions": reduce,
                    "colorMode": "value",
                    "graphMode": "area",
                    "justifyMode": "auto",
                    "orientation": "auto",
                    "textMode": "auto",
                }
            case "bargauge":
                return {
                    "reduceOptions": reduce,
                    "displayMode": "basic",
                    "orientation": "horizontal",
                    "showUnfilled": True,
                    "valueMode": "color",
                }
            case "state-timeline":
                return {
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                    "tooltip": {"mode": "single", "sort": "none"},
                    "mergeValues": True,
                    "rowHeight": 0.9,
                    "showValue": "auto",
                    "alignValue": "left",
                }


def stat(title: str, description: str, query: Query, unit: Unit = "short", **more: Any) -> Panel:
    """Return a panel that shows one number large; a sixth of the width unless `more` says."""
    return Panel(title, description, (query,), unit, "stat", **{"width": 4, "height": 4, **more})
