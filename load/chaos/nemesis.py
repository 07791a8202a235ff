"""What goes wrong, and when: a plan made by a seed, and how it is carried out."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol

from load.chaos.connection import PATIENCE
from load.chaos.history import Fault, Log, now
from load.chaos.service import Service

LATE = PATIENCE + 1.0
"""Seconds after which a late call takes effect: its client has given up before."""
SHARE = 0.5
"""Of the calls that come while the Data API server gives a fault, those that get it."""
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
"""How many kills each of them is."""
KINDS = (*DATA_API, FROZEN, *KILLS)

ROUND = [*DATA_API, FROZEN, *[DATABASE_KILLED] * 18, *[API_KILLED] * 5, *[BOTH_KILLED] * 2]
# The shortest run has these, even if it takes longer by that.
OPENING = ["cut, but done", DATABASE_KILLED, API_KILLED]


class Wait(Protocol):
    """Waits for so many seconds; returns whether the time of the whole run is up."""

    def __call__(self, seconds: float) -> bool: ...


def plan(dice: Random) -> Iterator[str]:
    """Yield kinds of faults without end: all of them, in another order each round."""
    yield from OPENING
    while True:
        yield from dice.sample(ROUND, len(ROUND))


def torment(service: Service, log: Log, dice: Random, wait: Wait) -> None:
    """Give one fault after the other, with a calm after each: the opening, and until time is up.

    What it breaks is whole again when it returns.
    """
    for number, kind in enumerate(plan(dice), 1):
        began = now()
        given = _give(service, kind, dice, wait)
        log.add(Fault(kind, began, now(), given))
        if wait(dice.uniform(*CALM_SECONDS)) and number >= len(OPENING):
            return


def _give(service: Service, kind: str, dice: Random, wait: Wait) -> int:
    """Return how often the fault was given."""
    if kind in DATA_API:
        return _spoil(service, DATA_API[kind], dice, wait)
    if kind == FROZEN:
        with service.frozen_database():
            wait(dice.uniform(*FAULT_SECONDS))
        return 1
    _kill(service, kind, dice.uniform(*AWAY_SECONDS), wait)
    return KILLS[kind]


def _spoil(service: Service, fault: dict[str, Any], dice: Random, wait: Wait) -> int:
    service.give({**fault, "share": SHARE, "seed": dice.randrange(2**31)})
    wait(dice.uniform(*FAULT_SECONDS))
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
