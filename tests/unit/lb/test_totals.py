"""Metrics of several processes as one, also when some of them end."""

from lb.admin.totals import Family, Totals, text


def counted(value: float, backend: str = "a") -> list[Family]:
    return [
        {
            "name": "requests", "help": "Requests.", "type": "counter",
            "samples": [["requests_total", {"backend": backend}, value]],
        },
        {"name": "open", "help": "Open.", "type": "gauge", "samples": [["open", {}, value]]},
    ]  # fmt: skip


def values(totals: Totals, *reports: list[Family]) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for metric in totals.sum(reports)
        for sample in metric.samples
    }


def test_the_same_series_are_added_and_others_are_kept_apart() -> None:
    assert values(Totals(), counted(1), counted(2), counted(4, "b")) == {
        "requests_totala": 3, "requests_totalb": 4, "open": 7,
    }  # fmt: skip


def test_a_counter_does_not_fall_when_a_process_ends_but_a_gauge_does() -> None:
    totals = Totals()
    totals.end(counted(5))
    assert values(totals, counted(1)) == {"requests_totala": 6, "open": 1}


def test_series_that_no_living_process_has_are_forgotten() -> None:
    totals = Totals()
    totals.end(counted(5, "gone"))
    assert "requests_totalgone" not in values(totals, counted(1))
    assert values(totals, counted(1, "gone"))["requests_totalgone"] == 1


def test_the_text_is_what_prometheus_reads() -> None:
    lines = text(Totals().sum([counted(2)])).decode().splitlines()
    assert lines == [
        "# HELP requests_total Requests.",
        "# TYPE requests_total counter",
        'requests_total{backend="a"} 2.0',
        "# HELP open Open.",
        "# TYPE open gauge",
        "open 2.0",
    ]
