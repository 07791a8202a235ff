"""Parts of the simulation compared with queueing theory, over 30 seeds."""

import random

import pytest
import simpy

from load.simulation.figures import interval
from load.simulation.queues import Pool, Process, Station, TokenBucket
from tests.load.simulation import theory
from tests.load.simulation.checks import CHECKS

pytestmark = pytest.mark.exhaustive

SEEDS = 30


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_simulation_matches_theory(name: str) -> None:
    check = CHECKS[name]
    seen = check.over(name, "tests", SEEDS)
    assert seen.holds(check.expected)
    assert seen.half < 0.2 * check.expected  # narrow enough to mean something


@pytest.mark.parametrize(
    ("servers", "load", "probability"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.4092)],  # from published tables (L. Kleinrock)
)
def test_erlang_c(servers: int, load: float, probability: float) -> None:
    assert theory.erlang_c(servers, load) == pytest.approx(probability, abs=1e-4)


def test_erlang_b() -> None:
    assert theory.erlang_b(2, 1.0) == pytest.approx(0.2)


def test_interval_of_known_values() -> None:
    seen = interval([1.0, 2.0, 3.0])
    assert seen == pytest.approx((2.0, 4.303 / 3**0.5))
    assert seen.holds(4.4)
    assert not seen.holds(4.6)


def test_interval_of_one_run_is_infinite() -> None:
    assert interval([1.0]).half == float("inf")


def test_bucket_accepts_a_burst_up_to_its_size() -> None:
    env = simpy.Environment()
    bucket = TokenBucket(env, rate=10, burst=50)
    taken = [bucket.take() for _ in range(80)]
    assert taken.count(False) == theory.refused_of_burst(80, 50)
    env.run(until=1)
    assert [bucket.take() for _ in range(20)].count(True) == 10


def test_fractional_capacity_slows_the_servers() -> None:
    env = simpy.Environment()
    ends = [Station(env, 2.5).submit(1.0)]
    env.run(until=ends[0])
    assert env.now == pytest.approx(1.2)


def test_new_capacity_serves_waiting_work() -> None:
    env = simpy.Environment()
    station = Station(env, 1)
    _, second = station.submit(1.0), station.submit(1.0)
    station.set_capacity(2)
    env.run(until=second)
    assert env.now == pytest.approx(1.0)


def test_submitted_work_is_always_completed() -> None:
    env = simpy.Environment()
    station = Station(env, 1)
    for _ in range(3):
        station.submit(1.0)
    env.run()
    assert env.now == pytest.approx(3.0)
    assert station.started == pytest.approx(3.0)


def test_environment_starts_cold_is_reused_and_expires() -> None:
    env = simpy.Environment()
    pool = Pool(env, 2, TokenBucket(env, 1, 10), idle_seconds=60)
    assert [pool.take(), pool.take(), pool.take()] == [True, True, None]
    pool.give_back()
    assert pool.take() is False
    pool.give_back()
    env.run(until=61)
    assert pool.take() is True


def test_ramp_limits_new_environments() -> None:
    env = simpy.Environment()
    pool = Pool(env, 100, TokenBucket(env, rate=1, burst=3), idle_seconds=60)
    assert [pool.take() for _ in range(5)].count(True) == 3
    env.run(until=2)
    assert [pool.take() for _ in range(5)].count(True) == 2


def test_same_seed_gives_same_check() -> None:
    name, check = next(iter(CHECKS.items()))
    assert check.over(name, "a", 2, 200) == check.over(name, "a", 2, 200)
    assert check.over(name, "a", 2, 200) != check.over(name, "b", 2, 200)


def test_every_submitted_event_completes() -> None:
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
