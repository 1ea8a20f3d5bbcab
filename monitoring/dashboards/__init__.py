"""Grafana's dashboards as code: `python -m monitoring.dashboards` writes their JSON."""
