"""The customers that the clients of a chaos run know."""

from dataclasses import replace
from random import Random

from load.chaos.history import Seen
from load.chaos.pool import SIZE, Pool
from tests.load.chaos.written import ONE, deleted, erased, version

FIRST = version(1, "k1")


def one(pool: Pool, *states: str) -> Seen | None:
    return pool.one(Random(1), *(states or ("live",)))


def pool_of(*versions: Seen) -> Pool:
    """Return a pool that has learned the versions in this order."""
    pool = Pool()
    pool.add(versions[0])
    for seen in versions[1:]:
        pool.learn(seen)
    return pool


def test_pool_keeps_the_newest_version() -> None:
    versions = [version(number, f"k{number}") for number in (1, 3, 2)]
    assert one(pool_of(*versions)) == version(3, "k3")


def test_customer_that_was_not_added_is_not_learned() -> None:
    pool = Pool()
    pool.learn(FIRST)
    assert one(pool) is None


def test_deleted_customer_is_only_for_operations_on_deleted_ones() -> None:
    pool = pool_of(FIRST, deleted(FIRST), FIRST)
    assert one(pool) is None
    assert one(pool, "live", "deleted") == deleted(FIRST)


def test_restored_customer_is_live_again() -> None:
    restored = version(3, "k1")
    assert one(pool_of(FIRST, deleted(FIRST), restored)) == restored


def test_late_response_does_not_return_an_erased_customer() -> None:
    assert one(pool_of(FIRST, erased(FIRST), FIRST), "live", "deleted") is None


def test_customer_is_forgotten_only_in_the_given_states() -> None:
    pool = pool_of(FIRST, deleted(FIRST))
    pool.forget(ONE, "live")
    assert one(pool, "deleted")
    pool.forget(ONE, "live", "deleted")
    pool.learn(version(3, "k3"))
    assert one(pool, "live", "deleted") is None


def test_several_customers_are_different_ones_in_the_state() -> None:
    pool = pool_of(FIRST, deleted(FIRST))
    for number in range(3):
        pool.add(replace(FIRST, id=f"{number}"))
    assert sorted(seen.id for seen in pool.some(Random(1), 5, "live")) == ["0", "1", "2"]
    assert len(pool.some(Random(1), 2, "live")) == 2


def test_customer_that_is_added_again_keeps_its_newest_version() -> None:
    pool = pool_of(FIRST, version(2, "k2"))
    pool.add(FIRST)
    assert one(pool) == version(2, "k2")


def test_full_pool_removes_the_oldest_customer() -> None:
    pool = Pool()
    for number in range(SIZE + 1):
        pool.add(replace(FIRST, id=f"{number}"))
    assert {seen.id for seed in range(500) if (seen := pool.one(Random(seed), "live"))} == {
        f"{number}" for number in range(1, SIZE + 1)
    }
