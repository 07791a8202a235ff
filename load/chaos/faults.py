"""The faults of a run: each lasts for a moment, and leaves the service healthy."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Protocol

from pymysql import MySQLError

from chalicelib.database import DatabaseError
from chalicelib.database.retries import LOCK_SECONDS
from load.chaos.connection import PATIENCE
from load.chaos.service import SERVE, Service

LATE = PATIENCE + 1.0
"""Seconds after which a delayed call takes effect; longer than the client's timeout."""
SHARE = 0.5
"""Share of the calls that fail while the Data API server injects a fault."""
FAULT_SECONDS = (1.0, 2.5)
AWAY_SECONDS = (0.0, 1.0)
LOCKED_SECONDS = (0.5, LOCK_SECONDS + 2.0)
"""Sometimes longer than a statement waits for a lock."""
KILL_PAUSE = 0.1
JUMPS = (-3_600.0, 20.0)
"""Seconds by which the API's clock is wrong. Customers of the future would fill all lists."""

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
EXPIRE = {"fault": "expire"}
DATABASE_KILLED, API_KILLED, BOTH_KILLED = "database killed", "API killed", "both killed"
FROZEN, DISK_FULL = "database frozen", "disk full"
WORKER_KILLED, CLOCK_MOVED = "worker killed", "clock moved"
RELAY_KILLED, CONSUMER_DOWN = "relay killed", "consumer down"
"""`relays` injects these, at the same time as others."""
CRASHES = (DATABASE_KILLED, BOTH_KILLED, DISK_FULL)
"""The faults that end the database's process."""
# A transaction that will expire has changed customers.
UNCOMMITTED = "UPDATE customers SET phone = '+0', version = version + 1 ORDER BY id DESC LIMIT 30"


class Wait(Protocol):
    """Waits for the given seconds. Returns whether the whole run may end."""

    def __call__(self, seconds: float, /) -> bool: ...


Fault = Callable[[Service, Random, Wait], int]
"""Injects a fault, and repairs the service. Returns how many calls or parts met the fault."""


def _fail_calls(fault: dict[str, Any], service: Service, rng: Random, wait: Wait) -> int:
    """Let a share of the calls of the Data API fail."""
    service.give({**fault, "share": SHARE, "seed": rng.randrange(2**31)})
    wait(rng.uniform(*FAULT_SECONDS))
    given = service.given()
    service.give()
    return given


def _expire(service: Service, rng: Random, wait: Wait) -> int:
    """Let a transaction that holds locks expire in the Data API."""
    expired = 0
    with suppress(DatabaseError), service.connect().transaction() as transaction:
        transaction.execute(UNCOMMITTED)
        wait(rng.uniform(*FAULT_SECONDS))
        service.give(EXPIRE)
        expired = 1
        transaction.execute(UNCOMMITTED)
    service.give()
    return expired


def _lock(service: Service, rng: Random, wait: Wait) -> int:
    """Let another session hold locks."""
    with suppress(MySQLError), service.database.locked_customers():
        wait(rng.uniform(*LOCKED_SECONDS))
        return 1
    return 0


def _end_sessions(service: Service, rng: Random, wait: Wait) -> int:
    """End all sessions of the database, again and again."""
    killed = 0
    for _ in range(int(rng.uniform(*FAULT_SECONDS) / KILL_PAUSE)):
        killed += service.database.kill_sessions()
        wait(KILL_PAUSE)
    return killed


def _move_clock(service: Service, rng: Random, wait: Wait) -> int:
    """Let the API's clock jump, and jump back."""
    service.move_clock(rng.choice([1, rng.random()]) * rng.choice(JUMPS))
    wait(rng.uniform(*FAULT_SECONDS))
    service.move_clock(0)
    return 1


def _fill_disk(service: Service, rng: Random, wait: Wait) -> int:
    with service.database.full_disk():
        wait(rng.uniform(*FAULT_SECONDS))
    return 1


def _freeze(service: Service, rng: Random, wait: Wait) -> int:
    with service.database.frozen():
        wait(rng.uniform(*FAULT_SECONDS))
    return 1


def _kill_database(service: Service, rng: Random, wait: Wait) -> int:
    service.database.kill()
    wait(rng.uniform(*AWAY_SECONDS))
    service.database.start()
    return 1


def _kill_api(service: Service, rng: Random, wait: Wait) -> int:
    service.kill_api()
    wait(rng.uniform(*AWAY_SECONDS))
    service.start_api()
    return 1


def _kill_worker(service: Service, rng: Random, wait: Wait) -> int:  # noqa: ARG001
    """Kill a process of `serve`, which its supervisor replaces."""
    return service.kill_worker()


def _kill_both(service: Service, rng: Random, wait: Wait) -> int:
    service.database.kill()
    service.kill_api()
    wait(rng.uniform(*AWAY_SECONDS))
    service.database.start()
    service.start_api()
    return 2


FAULTS: Mapping[str, Fault] = {
    **{kind: partial(_fail_calls, fault) for kind, fault in DATA_API.items()},
    "transaction expired": _expire,
    "rows locked": _lock,
    "sessions ended": _end_sessions,
    CLOCK_MOVED: _move_clock,
    DISK_FULL: _fill_disk,
    FROZEN: _freeze,
    DATABASE_KILLED: _kill_database,
    API_KILLED: _kill_api,
    WORKER_KILLED: _kill_worker,
    BOTH_KILLED: _kill_both,
}


def possible(backends: Collection[str]) -> list[str]:
    """Return the kinds of faults that an API with these backends can meet."""
    impossible = {CLOCK_MOVED} if SERVE in backends else {WORKER_KILLED}
    if not {"slim", "boto3"}.intersection(backends):
        impossible |= DATA_API.keys()
    return [kind for kind in FAULTS if kind not in impossible]
