"""The parts of the simulation behave as queueing theory says, over 30 seeds."""

import random

import pytest
import simpy

from load.simulation.figures import interval
from load.simulation.queues import Pool, Process, Station, TokenBucket
from tests.load.simulation import theory
from tests.load.simulation.checks import CHECKS

SEEDS = 30


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_is_what_theory_says(name: str) -> None:
    check = CHECKS[name]
    seen = check.over(name, "tests", SEEDS)
    assert seen.holds(check.expected)
    assert seen.half < 0.2 * check.expected  # narrow enough to mean something


@pytest.mark.parametrize(
    ("servers", "load", "probability"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.4092)],  # of tables, as L. Kleinrock's
)
def test_erlang_c(servers: int, load: float, probability: float) -> None:
    assert theory.erlang_c(servers, load) == pytest.approx(probability, abs=1e-4)


def test_erlang_b() -> None:
    assert theory.erlang_b(2, 1.0) == pytest.approx(0.2)


def test_an_interval_of_known_values() -> None:
    seen = interval([1.0, 2.0, 3.0])
    assert seen == pytest.approx((2.0, 4.303 / 3**0.5))
    assert seen.holds(4.4)
    assert not seen.holds(4.6)


def test_one_run_is_no_proof() -> None:
    assert interval([1.0]).half == float("inf")


def test_a_burst_gets_as_many_tokens_as_were_kept() -> None:
    env = simpy.Environment()
    bucket = TokenBucket(env, rate=10, burst=50)
    taken = [bucket.take() for _ in range(80)]
    assert taken.count(False) == theory.refused_of_burst(80, 50)
    env.run(until=1)
    assert [bucket.take() for _ in range(20)].count(True) == 10


def test_capacity_between_two_whole_numbers_slows_the_servers() -> None:
    env = simpy.Environment()
    ends = [Station(env, 2.5).submit(1.0)]
    env.run(until=ends[0])
    assert env.now == pytest.approx(1.2)


def test_more_capacity_is_for_those_who_wait() -> None:
    env = simpy.Environment()
    station = Station(env, 1)
    _, second = station.submit(1.0), station.submit(1.0)
    station.set_capacity(2)
    env.run(until=second)
    assert env.now == pytest.approx(1.0)


def test_what_was_submitted_is_done_though_nobody_waits() -> None:
    env = simpy.Environment()
    station = Station(env, 1)
    for _ in range(3):
        station.submit(1.0)
    env.run()
    assert env.now == pytest.approx(3.0)
    assert station.started == pytest.approx(3.0)


def test_an_environment_starts_cold_is_used_again_and_goes_when_idle() -> None:
    env = simpy.Environment()
    pool = Pool(env, 2, TokenBucket(env, 1, 10), idle_seconds=60)
    assert [pool.take(), pool.take(), pool.take()] == [True, True, None]
    pool.give_back()
    assert pool.take() is False
    pool.give_back()
    env.run(until=61)
    assert pool.take() is True


def test_environments_are_added_no_faster_than_lambda_does() -> None:
    env = simpy.Environment()
    pool = Pool(env, 100, TokenBucket(env, rate=1, burst=3), idle_seconds=60)
    assert [pool.take() for _ in range(5)].count(True) == 3
    env.run(until=2)
    assert [pool.take() for _ in range(5)].count(True) == 2


def test_the_same_seed_gives_the_same() -> None:
    name, check = next(iter(CHECKS.items()))
    assert check.over(name, "a", 2, 200) == check.over(name, "a", 2, 200)
    assert check.over(name, "a", 2, 200) != check.over(name, "b", 2, 200)


def test_an_outcome_may_be_late_but_not_lost() -> None:
    env, found = simpy.Environment(), list[float]()
    station, chance = Station(env, 2), random.Random("late")

    def customer() -> Process:
        yield station.submit(chance.expovariate(1))
        found.append(env.now)

    for _ in range(100):
        env.process(customer())
    env.run()
    assert len(found) == 100
    assert station.present == 0
