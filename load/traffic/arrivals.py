"""When requests are due: Poisson arrivals, at a rate that stays or changes evenly."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Phase(NamedTuple):
    """So many seconds of arrivals, from `first` to `last` a second."""

    name: str
    seconds: float
    first: float
    last: float


class Arrival(NamedTuple):
    """A request is due, so many seconds after the start."""

    due: float
    phase: str


def arrivals(phases: Sequence[Phase], chance: random.Random) -> Iterator[Arrival]:
    """Give the arrivals of all phases, one after the other."""
    begin = 0.0
    for phase in phases:
        for at in _of(phase, chance):
            yield Arrival(begin + at, phase.name)
        begin += phase.seconds


def _of(phase: Phase, chance: random.Random) -> Iterator[float]:
    """Draw at the highest rate, and keep what the rate of the moment allows ("thinning")."""
    at, most = 0.0, max(phase.first, phase.last)
    while (at := at + chance.expovariate(most)) < phase.seconds:
        rate = phase.first + (phase.last - phase.first) * at / phase.seconds
        if chance.random() * most < rate:
            yield at
