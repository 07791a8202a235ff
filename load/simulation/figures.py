"""Statistics over several runs: means with confidence intervals, percentiles, rounding."""

from collections.abc import Sequence
from math import inf, isnan, nan, sqrt
from statistics import mean, stdev
from typing import Any, NamedTuple

# Student's t for 97.5%, by degrees of freedom. Between two entries, use the lower one
# (https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm).
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 7: 2.365, 9: 2.262, 14: 2.145}
T_975 |= {19: 2.093, 24: 2.064, 29: 2.045, 39: 2.023, 59: 2.001, 119: 1.980}


class Interval(NamedTuple):
    """A mean over runs of different seeds, and half of its 95% confidence interval."""

    mean: float
    half: float

    def holds(self, value: float) -> bool:
        return abs(self.mean - value) <= self.half


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent runs with its 95% interval. One run has no interval.

    Ignores NaN values, which come from runs without the measured event.
    """
    values = [value for value in values if not isnan(value)]
    freedom = len(values) - 1
    if freedom < 1:
        return Interval(values[0] if values else nan, inf)
    t = T_975[max(known for known in T_975 if known <= freedom)]
    return Interval(mean(values), t * stdev(values) / sqrt(len(values)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share of the ordered values lies; NaN if there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def rounded(value: Any, digits: int = 5) -> Any:
    """Round all numbers to significant digits, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {name: rounded(element, digits) for name, element in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value
