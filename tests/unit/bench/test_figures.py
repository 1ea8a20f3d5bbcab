"""Figures of many runs."""

import math

import pytest

from bench.query.figures import geometric_mean, median, quantile, ratios


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one() -> None:
    assert geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_a_quantile_is_the_least_value_that_enough_others_are_not_above() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile(values, 1.0) == 100
    assert quantile([7.0], 0.99) == 7


def test_figures_of_nothing_are_no_numbers() -> None:
    assert math.isnan(median([]))
    assert math.isnan(quantile([], 0.5))
    assert math.isnan(geometric_mean([]))


def test_ratios_leave_out_pairs_that_lack_one() -> None:
    assert ratios([10.0, None, 30.0, 5.0], [2.0, 3.0, None, 5.0]) == [5.0, 1.0]
