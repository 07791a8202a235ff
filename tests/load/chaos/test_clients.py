"""The customers that the clients of a chaos run know."""

from dataclasses import replace
from random import Random

import pytest

from load.chaos.clients import POOL, Pool
from tests.load.chaos.written import ONE, deleted, version

FIRST = version(1, "k1")


def one(pool: Pool) -> object:
    return pool.one(Random(1))


def test_pool_keeps_the_newest_version() -> None:
    pool = Pool()
    for number in (1, 3, 2):
        pool.learn(version(number, f"k{number}"))
    assert one(pool) == version(3, "k3")


def test_customer_first_seen_in_a_later_version_is_not_added() -> None:
    pool = Pool()
    pool.learn(version(2, "k2"))
    assert one(pool) is None


@pytest.mark.parametrize("is_deleted_by_us", [True, False])
def test_late_response_does_not_return_a_deleted_customer(*, is_deleted_by_us: bool) -> None:
    pool = Pool()
    pool.learn(FIRST)
    if is_deleted_by_us:
        pool.learn(deleted(FIRST))
    else:
        pool.forget(ONE)
    pool.learn(FIRST)
    assert one(pool) is None


def test_full_pool_removes_the_oldest_customer_for_good() -> None:
    pool = Pool()
    for number in range(POOL + 1):
        pool.learn(replace(FIRST, id=f"{number}"))
    pool.learn(replace(FIRST, id="0"))
    assert {pool.one(Random(seed)).id for seed in range(500)} == {  # type: ignore[union-attr]
        f"{number}" for number in range(1, POOL + 1)
    }
