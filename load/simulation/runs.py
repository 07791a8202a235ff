"""Run a scenario with one seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import simpy

from load.simulation.figures import percentile
from load.simulation.queues import Process
from load.simulation.scenario import Scenario
from load.simulation.service import KINDS, Second, Service

WARM_UP = 4.0


@dataclass(frozen=True)
class Run:
    """Result of one seed: seconds, shares of requests, and usage per request."""

    requests: int
    p50: float
    p99: float
    failed: dict[int, float]
    attempts: float
    billed: float
    invocations: float
    cold: float
    statements: float
    acu: float
    busy: float
    seconds: Sequence[Second]


def run(scenario: Scenario, seed: str) -> Run:
    """Simulate a scenario once. The same seed gives the same result."""
    env = simpy.Environment()
    chance = random.Random(f"{seed} {scenario.stream or scenario.name}")
    service = Service(env, scenario, chance)
    share = 1 / scenario.factor / scenario.design.cells
    before = scenario.rate if scenario.before is None else scenario.before
    service.warm(before * share)
    end = WARM_UP + scenario.seconds
    env.process(service.watch())

    def rate(at: float) -> float:
        return (before if at < WARM_UP else scenario.rate) * share

    env.process(_arrivals(service, chance, rate, end))
    if scenario.greedy:
        env.process(_arrivals(service, chance, lambda _: scenario.greedy * share, end, greedy=True))
    env.run(until=end)
    seen = service.record.seconds[int(WARM_UP) :]
    acu, busy = mean(each.acu for each in seen), mean(each.busy for each in seen)
    env.run(until=end + 45)  # until the last requests end
    return _run(service, acu, busy * scenario.factor * scenario.design.cells, int(end))


def _arrivals(
    service: Service,
    chance: random.Random,
    rate: Callable[[float], float],
    end: float,
    *,
    greedy: bool = False,
) -> Process:
    """Send requests as a Poisson process with a changing rate (an open loop).

    Method: thinning, P. A. W. Lewis, G. S. Shedler, 1979.
    """
    env = service.env
    highest = max(rate(at / 10) for at in range(int(end * 10)))
    while True:
        yield env.timeout(chance.expovariate(highest))
        if env.now >= end:
            return
        if chance.random() * highest < rate(env.now):
            is_counted = env.now >= WARM_UP and not greedy
            env.process(service.request(is_counted=is_counted, is_greedy=greedy))


def _run(service: Service, acu: float, busy: float, until: int) -> Run:
    record = service.record
    latencies = sorted(record.latencies)
    requests = max(1, len(latencies) + sum(record.failed.values()))
    return Run(
        requests=requests,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        failed={kind: record.failed[kind] / requests for kind in KINDS},
        attempts=record.attempts / requests,
        billed=record.billed / max(1, record.invocations),
        invocations=record.invocations / max(1, sum(s.attempts for s in record.seconds)),
        cold=record.cold_starts / max(1, record.invocations),
        statements=record.statements / max(1, record.invocations),
        acu=acu,
        busy=busy,
        seconds=record.seconds[int(WARM_UP) : until],
    )
