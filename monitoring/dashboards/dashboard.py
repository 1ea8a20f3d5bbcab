"""A dashboard: its rows of panels in their places, its variables, and the way to the others."""

from dataclasses import dataclass

from monitoring.dashboards.panel import DATASOURCE, Json, Panel

COLUMNS = 24
# of Grafana 11
SCHEMA_VERSION = 39
TAG = "millrace"


@dataclass(frozen=True)
class Row:
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice above the panels: the values of a label, of which any number can be chosen."""

    name: str
    label: str
    query: str

    def document(self) -> Json:
        """Return the variable as Grafana reads it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": "query",
            "datasource": DATASOURCE,
            "definition": self.query,
            "query": {"query": self.query, "refId": f"variable-{self.name}"},
            "refresh": 2,  # whenever the time range changes: replicas come and go
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "hide": 0,
            "options": [],
            "regex": "",
            "skipUrlSync": False,
        }


@dataclass(frozen=True)
class Dashboard:
    """One dashboard.  `services`: the jobs of Prometheus whose instances can be chosen."""

    uid: str
    title: str
    description: str
    services: tuple[str, ...]
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    def document(self) -> Json:
        """Return the dashboard as Grafana reads it."""
        jobs = "|".join(self.services)
        variables = (
            Variable("service", "Service", f'label_values(up{{job=~"{jobs}"}}, job)'),
            Variable("instance", "Instance", 'label_values(up{job=~"$service"}, instance)'),
            *self.variables,
        )
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,  # one cursor over all panels
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "timezone": "browser",
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "weekStart": "",
            "annotations": {"list": [_ALERTS]},
            "links": [_OTHERS],
            "templating": {"list": [variable.document() for variable in variables]},
            "panels": _placed(self.rows),
        }


_ALERTS: Json = {
    "name": "Alerts",
    "enable": True,
    "hide": False,
    "iconColor": "red",
    "datasource": DATASOURCE,
    "expr": 'ALERTS{alertstate="firing"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{instance}}",
    "step": "10s",
}
_OTHERS: Json = {
    "type": "dashboards",
    "title": "Millrace",
    "tags": [TAG],
    "asDropdown": False,
    "icon": "external link",
    "includeVars": False,  # an instance of one tier is none of another's
    "keepTime": True,
    "targetBlank": False,
    "tooltip": "",
    "url": "",
}


def _placed(rows: tuple[Row, ...]) -> list[Json]:
    """Return all panels in their places: from left to right, and below what is above them."""
    documents: list[Json] = []
    y = 0
    for row in rows:
        documents.append(
            {
                "id": len(documents) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
                "panels": [],
            }
        )
        y, x, tallest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                y, x, tallest = y + tallest, 0, 0
            documents.append(panel.document(len(documents) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return documents
