"""The fault plan: reproducible, every kind in each round, mostly kills of the database."""

from collections.abc import Collection
from itertools import islice
from random import Random

from load.chaos.faults import (
    API_KILLED,
    BOTH_KILLED,
    CLOCK_MOVED,
    DATA_API,
    DATABASE_KILLED,
    EXPIRE,
    WORKER_KILLED,
    possible,
)
from load.chaos.nemesis import KINDS, OPENING, ROUND, plan
from load.chaos.service import BACKENDS
from local.data_api import faults

WHOLE = len(OPENING) + 2 * len(ROUND)


def test_equal_seeds_give_equal_plans() -> None:
    assert first(WHOLE, seed=7) == first(WHOLE, seed=7)
    assert first(WHOLE, seed=7) != first(WHOLE, seed=8)


def test_two_rounds_contain_every_kind_and_fifty_kills() -> None:
    kinds = first(WHOLE, seed=1)
    assert set(kinds) == set(KINDS) - {WORKER_KILLED}
    of_database = sum(kind in (DATABASE_KILLED, BOTH_KILLED) for kind in kinds)
    of_api = sum(kind in (API_KILLED, BOTH_KILLED) for kind in kinds)
    assert of_database + of_api >= 50
    assert of_database > 2 * of_api


def test_shortest_run_contains_opening_faults() -> None:
    assert {"cut, but done", DATABASE_KILLED, API_KILLED} <= set(first(len(OPENING), seed=1))


def test_plan_contains_every_fault_that_can_hit_the_api() -> None:
    played = {fault["fault"] for fault in (*DATA_API.values(), EXPIRE)}
    temporary = {
        "DatabaseResumingException",
        "DatabaseUnavailableException",
        "InternalServerErrorException",
        "ServiceUnavailableError",
        "StatementTimeoutException",
        "ThrottlingException",
        "DatabaseErrorException",
    }
    assert played == temporary | {*faults.ANSWERS, *faults.OTHERS}


def test_plan_without_data_api_has_none_of_its_faults() -> None:
    kinds = set(first(WHOLE, seed=1, backends=["mysql"]))
    assert kinds == set(KINDS) - {*DATA_API, WORKER_KILLED}


def test_plan_for_serve_kills_workers_and_leaves_the_clock() -> None:
    kinds = set(first(WHOLE, seed=1, backends=["serve"]))
    assert kinds == set(KINDS) - {*DATA_API, CLOCK_MOVED}


def first(count: int, seed: int, backends: Collection[str] = BACKENDS) -> list[str]:
    return list(islice(plan(Random(seed), possible(backends)), count))
