"""Sample the resources of the service's programs, and the latency that clients saw."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import psutil

from load.traffic.outcomes import Outcome, quantile

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
        f"latency {name}, ms": round(quantile(times, share), 2)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def read(file: Path) -> tuple[dict[str, Any], list[Sample]]:
    """Return a soak's description and samples. Raises ValueError or OSError."""
    head, *samples = map(json.loads, file.read_text().splitlines())
    return head, samples
