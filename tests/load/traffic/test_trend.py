import random

import pytest

from load.traffic.flat import slope
from load.traffic.outcomes import quantile


def test_slope_of_a_line_is_exact() -> None:
    assert slope([0, 1, 2, 5], [3, 5, 7, 13]) == 2


def test_slope_ignores_outliers() -> None:
    rng = random.Random(7)
    times = [float(n) for n in range(100)]
    values = [3 * at + rng.gauss(0, 1) for at in times]
    wild = [1_000 if n % 5 == 0 else value for n, value in enumerate(values)]

    assert slope(times, values) == pytest.approx(3, abs=0.05)
    assert slope(times, wild) == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100), (0.001, 1)]
)
def test_quantile_is_a_measured_value(share: float, expected: float) -> None:
    values = [float(n) for n in range(1, 101)]
    random.Random(7).shuffle(values)

    assert quantile(values, share) == expected


def test_quantile_of_one_value_is_this_value() -> None:
    assert quantile([4.0], 0.99) == 4.0
