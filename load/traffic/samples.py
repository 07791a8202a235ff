"""Sample the resources of the service's programs, and the latency that clients saw."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import psutil

from load.traffic.outcomes import Outcome
from load.traffic.trend import quantile

MIB = 1 << 20


class Sample(TypedDict):
    """One line of a soak's file."""

    at: float
    """Seconds from the start."""
    requests: int
    faults: dict[str, int]
    """Number of faults, by operation and fault."""
    values: dict[str, float]
    """Values by name of the measurement."""


def resources(programs: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Return the resources of the programs: MiB of memory, open files, threads, TCP connections."""
    values = {}
    for name, program in programs.items():
        with program.oneshot():
            values[f"{name}: memory, MiB"] = round(program.memory_info().rss / MIB, 2)
            values[f"{name}: files"] = program.num_fds()
            values[f"{name}: threads"] = program.num_threads()
            values[f"{name}: connections"] = len(program.net_connections("tcp"))
    return values


def latencies(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the clients' latencies in milliseconds."""
    times = [outcome.latency * 1000 for outcome in outcomes]
    return {
        "latency p50, ms": round(quantile(times, 0.5), 2),
        "latency p95, ms": round(quantile(times, 0.95), 2),
        "latency p99, ms": round(quantile(times, 0.99), 2),
    }


def read(file: Path) -> tuple[dict[str, Any], list[Sample]]:
    """Return a soak's description and samples. Raises ValueError or OSError."""
    head, *lines = _lines(file)
    return head, lines


def _lines(file: Path) -> Iterator[Any]:
    for line in file.read_text().splitlines():
        yield json.loads(line)
