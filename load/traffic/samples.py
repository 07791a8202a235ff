"""What the programs of the service hold at a moment, and what their clients saw since the last."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import psutil

from load.traffic.outcomes import Outcome
from load.traffic.trend import quantile

MIB = 1 << 20


class Sample(TypedDict):
    """A line of the file of a soak."""

    at: float
    """Seconds from the start."""
    requests: int
    faults: dict[str, int]
    """How often an operation's answer was not what it should be, by operation and what it was."""
    values: dict[str, float]
    """By the names of what is measured."""


def held(programs: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Return what the programs hold: MiB of memory, open files, threads, connections of TCP."""
    values = {}
    for name, program in programs.items():
        with program.oneshot():
            values[f"{name}: memory, MiB"] = round(program.memory_info().rss / MIB, 2)
            values[f"{name}: files"] = program.num_fds()
            values[f"{name}: threads"] = program.num_threads()
            values[f"{name}: connections"] = len(program.net_connections("tcp"))
    return values


def seen(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return milliseconds that clients waited."""
    times = [outcome.latency * 1000 for outcome in outcomes]
    return {
        "latency p50, ms": round(quantile(times, 0.5), 2),
        "latency p95, ms": round(quantile(times, 0.95), 2),
        "latency p99, ms": round(quantile(times, 0.99), 2),
    }


def read(file: Path) -> tuple[dict[str, Any], list[Sample]]:
    """Return what a soak was, and its samples. Raises ValueError, OSError."""
    head, *lines = _lines(file)
    return head, lines


def _lines(file: Path) -> Iterator[Any]:
    for line in file.read_text().splitlines():
        yield json.loads(line)
