"""Fault injection: a plan that depends on a seed, and its execution."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol

from load.chaos.connection import PATIENCE
from load.chaos.history import Fault, Log, now
from load.chaos.service import Service

LATE = PATIENCE + 1.0
"""Seconds after which a delayed call takes effect; longer than the client's timeout."""
SHARE = 0.5
"""Share of the calls that fail while the Data API server injects a fault."""
FAULT_SECONDS = (1.0, 2.5)
AWAY_SECONDS = (0.0, 1.0)
CALM_SECONDS = (0.8, 1.6)

MYSQL = "DatabaseErrorException"
DATA_API: dict[str, dict[str, Any]] = {
    "resuming": {"fault": "DatabaseResumingException"},
    "unavailable, not done": {"fault": "DatabaseUnavailableException"},
    "unavailable, but done": {"fault": "DatabaseUnavailableException", "when": "after"},
    "service unavailable, not done": {"fault": "ServiceUnavailableError"},
    "service unavailable, but done": {"fault": "ServiceUnavailableError", "when": "after"},
    "internal error, not done": {"fault": "InternalServerErrorException"},
    "internal error, but done": {"fault": "InternalServerErrorException", "when": "after"},
    "timeout, not done": {"fault": "StatementTimeoutException"},
    "timeout, but done": {"fault": "StatementTimeoutException", "when": "after"},
    "throttled": {"fault": "ThrottlingException"},
    "throttled, as 429": {"fault": "ThrottlingException", "status": 429},
    "deadlock": {"fault": MYSQL, "message": "Deadlock; Error code: 1213; SQLState: 40001"},
    "lock timeout": {"fault": MYSQL, "message": "Lock wait; Error code: 1205; SQLState: HY000"},
    "too many connections": {"fault": MYSQL, "message": "Many; Error code: 1040; SQLState: 08004"},
    "cut, not done": {"fault": "drop"},
    "cut, but done": {"fault": "drop", "when": "after"},
    "half an answer": {"fault": "half"},
    "garbage": {"fault": "garbage"},
    "slow answer": {"fault": "drip", "seconds": 1.0},
    "late": {"fault": "wait", "seconds": LATE},
}
DATABASE_KILLED, API_KILLED, BOTH_KILLED = "database killed", "API killed", "both killed"
FROZEN = "database frozen"
KILLS = {DATABASE_KILLED: 1, API_KILLED: 1, BOTH_KILLED: 2}
"""Weight of each kill in the plan."""
KINDS = (*DATA_API, FROZEN, *KILLS)

ROUND = [*DATA_API, FROZEN, *[DATABASE_KILLED] * 18, *[API_KILLED] * 5, *[BOTH_KILLED] * 2]
# Every run starts with these faults, even if it takes longer than requested.
OPENING = ["cut, but done", DATABASE_KILLED, API_KILLED]


class Wait(Protocol):
    """Waits for the given seconds. Returns whether the time of the whole run is up."""

    def __call__(self, seconds: float) -> bool: ...


def plan(rng: Random) -> Iterator[str]:
    """Yield kinds of faults without end. Each round contains all kinds, in random order."""
    yield from OPENING
    while True:
        yield from rng.sample(ROUND, len(ROUND))


def inject(service: Service, log: Log, rng: Random, wait: Wait) -> None:
    """Inject one fault after another, each followed by a pause, until the time is up.

    Every run includes the opening faults. On return, everything is repaired.
    """
    for number, kind in enumerate(plan(rng), 1):
        began = now()
        given = _inject(service, kind, rng, wait)
        log.add(Fault(kind, began, now(), given))
        if wait(rng.uniform(*CALM_SECONDS)) and number >= len(OPENING):
            return


def _inject(service: Service, kind: str, rng: Random, wait: Wait) -> int:
    """Return the number of calls that met the fault."""
    if kind in DATA_API:
        return _inject_fault(service, DATA_API[kind], rng, wait)
    if kind == FROZEN:
        with service.frozen_database():
            wait(rng.uniform(*FAULT_SECONDS))
        return 1
    _kill(service, kind, rng.uniform(*AWAY_SECONDS), wait)
    return KILLS[kind]


def _inject_fault(service: Service, fault: dict[str, Any], rng: Random, wait: Wait) -> int:
    service.give({**fault, "share": SHARE, "seed": rng.randrange(2**31)})
    wait(rng.uniform(*FAULT_SECONDS))
    given = service.given()
    service.give()
    return given


def _kill(service: Service, kind: str, away: float, wait: Wait) -> None:
    starts: list[Callable[[], None]] = []
    if kind != API_KILLED:
        service.kill_database()
        starts.append(service.start_database)
    if kind != DATABASE_KILLED:
        service.kill_api()
        starts.append(service.start_api)
    wait(away)
    for start in starts:
        start()
