"""What watches a running Millrace: Prometheus' rules, Grafana's dashboards, and checks of both."""
