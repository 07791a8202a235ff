"""Detect growth in repeated measurements."""

import statistics
from collections.abc import Sequence


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median slope of all pairs of points, in units of `values` per unit of `times`.

    Robust: up to 29 % of the points may be outliers (Theil, 1950; Sen, 1968).
    """
    pairs = (
        (values[j] - values[i]) / (times[j] - times[i])
        for i in range(len(times))
        for j in range(i + 1, len(times))
    )
    return statistics.median(pairs)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
