"""Poisson arrivals, at a constant or linearly changing rate."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Phase(NamedTuple):
    """Some seconds of arrivals; the rate goes from `first` to `last` per second."""

    name: str
    seconds: float
    first: float
    last: float


class Arrival(NamedTuple):
    """A due request, with its time in seconds from the start."""

    due: float
    phase: str


def arrivals(phases: Sequence[Phase], rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of all phases in sequence."""
    begin = 0.0
    for phase in phases:
        for at in _of(phase, rng):
            yield Arrival(begin + at, phase.name)
        begin += phase.seconds


def _of(phase: Phase, rng: random.Random) -> Iterator[float]:
    """Draw arrivals at the highest rate, and keep what the current rate allows ("thinning")."""
    at, peak = 0.0, max(phase.first, phase.last)
    while (at := at + rng.expovariate(peak)) < phase.seconds:
        rate = phase.first + (phase.last - phase.first) * at / phase.seconds
        if rng.random() * peak < rate:
            yield at
