"""Compare parts of the simulation with queueing theory, each over many seeds."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean

import simpy

from load.simulation.figures import Interval, interval
from load.simulation.queues import Pool, Process, Station, TokenBucket
from tests.load.simulation import theory

CUSTOMERS = 4_000
SERVICE = 0.01
"""Mean duration in seconds."""


@dataclass(frozen=True)
class Check:
    """A quantity with a closed formula, and a function that simulates it."""

    expected: float
    simulate: Callable[[random.Random, int], float]

    def over(self, name: str, seed: str, seeds: int, customers: int = CUSTOMERS) -> Interval:
        """Return the results of this number of runs."""
        chances = (random.Random(f"{seed} {name} {number}") for number in range(seeds))
        return interval([self.simulate(chance, customers) for chance in chances])


def waits(servers: int, load: float, chance: random.Random, customers: int) -> list[float]:
    """Return the waits of customers in an M/M/c queue, simulated by a Station, in seconds."""
    env = simpy.Environment()
    station, found = Station(env, servers), list[float]()

    def customer() -> Process:
        work, start = chance.expovariate(1 / SERVICE), env.now
        yield station.submit(work)
        found.append(max(0.0, env.now - start - work))

    def arrivals() -> Process:
        for _ in range(customers):
            yield env.timeout(chance.expovariate(load / SERVICE))
            env.process(customer())

    env.process(arrivals())
    env.run()
    return found[customers // 10 :]  # the queue is empty at first


def mean_wait(servers: int, load: float) -> Check:
    def simulate(chance: random.Random, customers: int) -> float:
        return mean(waits(servers, load, chance, customers))

    return Check(theory.mean_wait(servers, load, SERVICE), simulate)


def probability_to_wait(servers: int, load: float) -> Check:
    def simulate(chance: random.Random, customers: int) -> float:
        return mean(wait > SERVICE * 1e-9 for wait in waits(servers, load, chance, customers))

    return Check(theory.erlang_c(servers, load), simulate)


def refused_by_bucket(rate: float, refill: float) -> Check:
    def simulate(chance: random.Random, customers: int) -> float:
        env = simpy.Environment()
        bucket = TokenBucket(env, refill, refill / 10)

        def arrivals() -> Process:
            for number in range(customers):
                yield env.timeout(chance.expovariate(rate))
                taken.append(bucket.take() or number < customers // 10)

        taken: list[bool] = []
        env.process(arrivals())
        env.run()
        return 1 - mean(taken[customers // 10 :])

    return Check(theory.refused_by_bucket(rate, refill), simulate)


def refused_by_pool(limit: int, load: float) -> Check:
    """Simulate log-normal times, because Erlang's formula is valid for any distribution."""

    def simulate(chance: random.Random, customers: int) -> float:
        env = simpy.Environment()
        pool = Pool(env, limit, TokenBucket(env, 1e9, 1e9), idle_seconds=1e9)
        refused: list[bool] = []

        def customer() -> Process:
            refused.append(pool.take() is None)
            if not refused[-1]:
                yield env.timeout(SERVICE * chance.lognormvariate(-0.5, 1))
                pool.give_back()

        def arrivals() -> Process:
            for _ in range(customers):
                yield env.timeout(chance.expovariate(load / SERVICE))
                env.process(customer())

        env.process(arrivals())
        env.run()
        return mean(refused[customers // 10 :])

    return Check(theory.erlang_b(limit, load), simulate)


CHECKS: Mapping[str, Check] = {
    "M/M/1, half loaded: mean wait, s": mean_wait(1, 0.5),
    "M/M/4, 80% loaded: mean wait, s": mean_wait(4, 3.2),
    "M/M/4, 80% loaded: share that waits": probability_to_wait(4, 3.2),
    "M/M/16, 85% loaded: mean wait, s": mean_wait(16, 13.6),
    "M/M/16, 85% loaded: share that waits": probability_to_wait(16, 13.6),
    "bucket, 1.5 times its rate: share rejected": refused_by_bucket(150, 100),
    "M/G/20/20 pool, 18 Erlang: share rejected": refused_by_pool(20, 18),
}
