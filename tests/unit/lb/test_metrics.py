"""What the balancer tells Prometheus, without a client and without a limit."""

import re
from pathlib import Path

from lb.admin.metrics import samples
from lb.admin.overview import Overview
from lb.admin.totals import Totals, text
from lb.main import Balancer
from lb.settings import BalancerSettings

PAGE = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text()


def exposition(overview: Overview, **settings: object) -> str:
    """Return what `/metrics` answers of one process that has served nobody yet."""
    made = BalancerSettings(backends="127.0.0.1:1", **settings)  # type: ignore[arg-type]
    families = samples(Balancer(made).proxy)
    return text([*Totals().sum([families]), *overview.metrics()]).decode()


def test_every_metric_is_documented() -> None:
    told = exposition(Overview(certificate_expires_at=1.0))
    documented = re.findall(r"^\| `(millrace_(?:lb|events)_\w+)`", PAGE, re.MULTILINE)
    assert sorted(re.findall(r"# TYPE (\S+) ", told)) == sorted(documented)


def test_without_a_limit_there_are_zeros() -> None:
    told = exposition(Overview(), rate_limit="off").splitlines()
    assert "millrace_lb_rate_limit_clients 0.0" in told
    assert "millrace_lb_rate_limit_fallback 0.0" in told
    assert 'millrace_lb_rate_limit_shared_checks_total{mode="shared"} 0.0' in told
    assert not any(line.startswith("millrace_lb_rate_limited_total") for line in told)


def test_a_limit_is_counted_from_the_first_request() -> None:
    told = exposition(Overview(), rate_limit="5/second")
    assert 'millrace_lb_rate_limited_total{policy="default"} 0.0' in told.splitlines()


def test_when_a_certificate_expires_is_told_only_where_there_is_one() -> None:
    name = "millrace_lb_certificate_expiry_timestamp_seconds"
    assert name not in exposition(Overview())
    assert f"{name} 1.8e+09" in exposition(Overview(certificate_expires_at=1.8e9)).splitlines()
