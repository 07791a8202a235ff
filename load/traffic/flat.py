"""Check that the samples of a soak stay flat: the trend of each measurement and its limit."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from load.traffic.plots import Panel, draw
from load.traffic.samples import Sample

WARM_UP = 1 / 6
"""Share of a run, at most ten minutes, in which caches and pools may fill."""
MAX_WARM_UP_SECONDS = 600.0
# Maximum growth over the whole run. 4 MiB are 60 bytes for each of the 72,000 requests of an hour.
# The database keeps new rows in a buffer pool of 64 MiB.
ADDED = {
    "API: memory, MiB": 4.0,
    "Data API: memory, MiB": 4.0,
    "database: memory, MiB": 24.0,
    "files": 3.0,
    "threads": 3.0,
    "connections": 3.0,
}
# Maximum growth, relative to the median.
SHARES = {"latency p50, ms": 0.2, "latency p95, ms": 0.3, "latency p99, ms": 0.5}


class Trend(NamedTuple):
    """The medians of the first and last tenth of a run, and the total growth of the trend line."""

    name: str
    first: float
    last: float
    added: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        return self.added <= self.allowed


def judge(samples: Sequence[Sample]) -> list[Trend]:
    """Return the trend of each measurement that has a limit, after the warm-up.

    Raises ValueError if there are fewer than ten samples.
    """
    warm = min(MAX_WARM_UP_SECONDS, WARM_UP * samples[-1]["at"]) if samples else 0.0
    judged = [sample for sample in samples if sample["at"] >= warm]
    if len(judged) < 10:
        raise ValueError("at least ten samples are needed after the warm-up")
    return list(_trends(judged))


def plot(samples: Sequence[Sample]) -> str:
    """Return all samples as SVG, by minutes."""
    minutes = _medians(samples)
    panels = [
        Panel(title, {name: line for name, key in lines.items() if (line := _line(minutes, key))})
        for title, lines in _panels().items()
    ]
    warm = min(MAX_WARM_UP_SECONDS, WARM_UP * samples[-1]["at"]) / 60
    return draw("Soak", panels, {"end of warm-up": warm}, "minutes")


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


def _trends(samples: Sequence[Sample]) -> Iterator[Trend]:
    times = [sample["at"] for sample in samples]
    tenth = max(1, len(samples) // 10)
    for name in samples[0]["values"]:
        values = [sample["values"][name] for sample in samples]
        allowed = _allowed(name, statistics.median(values))
        if allowed is not None:
            first, last = statistics.median(values[:tenth]), statistics.median(values[-tenth:])
            added = slope(times, values) * (times[-1] - times[0])
            yield Trend(name, first, last, added, allowed)


def _allowed(name: str, median: float) -> float | None:
    if name in SHARES:
        return SHARES[name] * median
    return ADDED.get(name, ADDED.get(name.rpartition(": ")[2]))


def _panels() -> Mapping[str, Mapping[str, str]]:
    programs = ("API", "Data API", "database")
    return {
        **{
            what: {program: f"{program}: {what}" for program in programs}
            for what in ("memory, MiB", "files", "threads", "connections")
        },
        "latency, ms": {name: f"latency {name}, ms" for name in ("p50", "p95", "p99")},
        "load of the machine": {"1 minute": "machine: load"},
    }


def _medians(samples: Sequence[Sample]) -> dict[float, dict[str, float]]:
    """Return the medians of each minute."""
    minutes: dict[int, list[Sample]] = {}
    for sample in samples:
        minutes.setdefault(int(sample["at"] // 60), []).append(sample)
    return {
        minute + 0.5: {
            name: statistics.median(sample["values"][name] for sample in group)
            for name in group[0]["values"]
        }
        for minute, group in minutes.items()
    }


def _line(minutes: Mapping[float, Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    return [(minute, values[name]) for minute, values in minutes.items() if name in values]
