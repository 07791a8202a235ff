"""Whether what a soak has sampled stays flat: the trend of each thing, beside what it may grow."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from load.traffic.plots import Panel, draw
from load.traffic.samples import Sample
from load.traffic.trend import slope

WARM_UP = 1 / 6
"""The share of a run, of ten minutes at most, in which caches and pools may fill."""
MOST_WARM_UP = 600.0
# What may be added over the whole run. 4 MiB are 60 bytes of each of an hour's 72,000 requests. The
# database keeps what the run creates, in a buffer pool of 64 MiB.
ADDED = {
    "API: memory, MiB": 4.0,
    "Data API: memory, MiB": 4.0,
    "MariaDB: memory, MiB": 24.0,
    "files": 3.0,
    "threads": 3.0,
    "connections": 3.0,
}
# What may be added of the median.
SHARES = {"latency p50, ms": 0.2, "latency p95, ms": 0.3, "latency p99, ms": 0.5}


class Trend(NamedTuple):
    """How something went: medians of the first and last tenth, and what the trend adds in all."""

    name: str
    first: float
    last: float
    added: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        return self.added <= self.allowed


def judge(samples: Sequence[Sample]) -> list[Trend]:
    """Return the trend of each thing that has a limit, after the warm-up.

    Raises ValueError if there are fewer than ten samples.
    """
    warm = min(MOST_WARM_UP, WARM_UP * samples[-1]["at"]) if samples else 0.0
    judged = [sample for sample in samples if sample["at"] >= warm]
    if len(judged) < 10:
        raise ValueError("ten samples are needed after the warm-up")
    return list(_trends(judged))


def plot(samples: Sequence[Sample]) -> str:
    """Return all that was sampled as SVG, by minutes."""
    minutes = _medians(samples)
    panels = [
        Panel(title, {name: line for name, key in lines.items() if (line := _line(minutes, key))})
        for title, lines in _panels().items()
    ]
    warm = min(MOST_WARM_UP, WARM_UP * samples[-1]["at"]) / 60
    return draw("Soak", panels, {"judged from here": warm}, "minutes")


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
    programs = ("API", "Data API", "MariaDB")
    return {
        **{
            what: {program: f"{program}: {what}" for program in programs}
            for what in ("memory, MiB", "files", "threads", "connections")
        },
        "latency, ms": {name: f"latency {name}, ms" for name in ("p50", "p95", "p99")},
        "load of the machine": {"1 minute": "machine: load"},
    }


def _medians(samples: Sequence[Sample]) -> dict[float, dict[str, float]]:
    """Return the medians of each minute, by the minute."""
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
