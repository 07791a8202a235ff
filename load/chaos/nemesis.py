"""Fault injection: a plan that depends on a seed, and its execution."""

from collections.abc import Callable, Collection, Iterator
from random import Random

from load.chaos.faults import (
    API_KILLED,
    BOTH_KILLED,
    DATABASE_KILLED,
    FAULTS,
    WORKER_KILLED,
    Wait,
)
from load.chaos.history import Fault, now
from load.chaos.service import Service

CALM_SECONDS = (0.8, 1.6)
KINDS = tuple(FAULTS)
ROUND = [*KINDS, *[DATABASE_KILLED] * 17, *[API_KILLED] * 6, *[WORKER_KILLED] * 9, BOTH_KILLED]
# Every run starts with these faults, even if it takes longer than requested.
OPENING = ["cut, but done", DATABASE_KILLED, API_KILLED]


def plan(rng: Random, possible: Collection[str]) -> Iterator[str]:
    """Yield kinds of faults without end. Each round has all `possible` kinds, in random order."""
    kinds = [kind for kind in ROUND if kind in possible]
    yield from (kind for kind in OPENING if kind in kinds)
    while True:
        yield from rng.sample(kinds, len(kinds))


def inject(  # noqa: PLR0913, PLR0917 (the parts of a run)
    service: Service,
    kinds: Iterator[str],
    minimum: int,
    add: Callable[[Fault], None],
    rng: Random,
    wait: Wait,
) -> None:
    """Inject one fault after another, each followed by a pause, until the time is up.

    Injects at least the minimum of faults, and adds each to the history. On return, everything is
    repaired.
    """
    for number, kind in enumerate(kinds, 1):
        began = now()
        given = FAULTS[kind](service, rng, wait)
        add(Fault(kind, began, now(), given))
        if wait(rng.uniform(*CALM_SECONDS)) and number >= minimum:
            return
