"""All dashboards, in the order in which one looks at them."""

from monitoring.dashboards.balancer import BALANCER
from monitoring.dashboards.columnar import COLUMNAR
from monitoring.dashboards.database import DATABASE
from monitoring.dashboards.jobs import JOBS
from monitoring.dashboards.overview import OVERVIEW
from monitoring.dashboards.queries import QUERIES

DASHBOARDS = (OVERVIEW, BALANCER, QUERIES, COLUMNAR, DATABASE, JOBS)
