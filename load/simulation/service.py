"""Model of the service: clients, gateway, function and database.

A client makes several attempts at a request. The gateway accepts or throttles each attempt. The
function runs the statements, and retries them under the policy of `chalicelib.database.retries`.
The database completes every statement that it received, even after the function stopped waiting.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from math import log

import simpy

from chalicelib.database.retries import (
    ATTEMPT_SECONDS,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    STATEMENT_SECONDS,
)
from infrastructure.firewall import TOKEN_SECONDS
from load.simulation.assumptions import (
    FIREWALL_DELAY,
    RAMP_ENVIRONMENTS,
    RAMP_SECONDS,
    RETRY_AFTER,
    Operation,
)
from load.simulation.database import Instances, mean_work
from load.simulation.demand import call, function_seconds, shares_of_work
from load.simulation.queues import Pool, Process, RateRule, TokenBucket
from load.simulation.scenario import Scenario

OK, THROTTLED, NO_ENVIRONMENT, NO_DATABASE = 200, 429, 500, 503
KINDS = (THROTTLED, NO_ENVIRONMENT, NO_DATABASE)
IDLE_TOO = 1.3
"""Ratio of existing to busy environments in a steady state, because peaks leave idle ones."""


@dataclass
class Second:
    """Counters of one second."""

    attempts: int = 0
    answered: int = 0
    refused: int = 0
    busy: int = 0
    acu: float = 0.0


@dataclass
class Record:
    """Counters for the requests that began after the warm-up.

    `latencies` are the seconds from a client's first attempt to its 200. `failed` counts, by
    status, the requests that never got a 200. `attempts` counts the attempts of clients. `billed`
    are the seconds of all function invocations.
    """

    latencies: list[float] = field(default_factory=list)
    failed: dict[int, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    attempts: int = 0
    billed: float = 0.0
    invocations: int = 0
    cold_starts: int = 0
    statements: int = 0
    seconds: list[Second] = field(default_factory=list)


def backoffs(attempts: int, chance: random.Random) -> Iterator[float]:
    """Yield the pause before each retry of a statement: full jitter, as in the service."""
    for retry in range(attempts - 1):
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**retry)
        yield chance.uniform(0, longest)


class Service:
    """One cell of a scenario's design. Its load and all its limits are scaled down equally."""

    def __init__(self, env: simpy.Environment, scenario: Scenario, chance: random.Random) -> None:
        self.env, self._chance, self._outage = env, chance, scenario.outage
        design, parameters = scenario.design, scenario.parameters
        self._design, self._parameters = design, parameters
        self.record = Record()
        share = 1 / design.shards / scenario.factor
        self._bucket = TokenBucket(env, design.rate * share, max(1.0, design.burst * share))
        plan = (design.plan_rate or design.rate) * share
        self._plan = TokenBucket(env, plan, max(1.0, plan * design.burst / design.rate))
        token = (design.token_rate or design.rate) * share
        self._rule = RateRule(env, token, TOKEN_SECONDS, FIREWALL_DELAY)
        ramp = TokenBucket(
            env, RAMP_ENVIRONMENTS / RAMP_SECONDS * share, max(1.0, RAMP_ENVIRONMENTS * share)
        )
        self.pool = Pool(env, design.concurrency * share, ramp, parameters.idle_seconds)
        self.writer = Instances(env, 1, scenario)
        self.readers = Instances(env, design.readers, scenario) if design.readers else None
        self._operations = list(parameters.mix)
        self._shares = list(accumulate(parameters.mix.values()))
        self._unit = mean_work(parameters)
        self._call = call(design, parameters)

    def warm(self, rate: float) -> None:
        """Start in the steady state of this rate, in requests per second."""
        reads, writes = shares_of_work(self._parameters)
        if self.readers:
            self.readers.warm(rate * reads)
        self.writer.warm(rate * (writes if self.readers else reads + writes))
        self.pool.warm(rate * function_seconds(self._design, self._parameters) * IDLE_TOO)

    def request(self, *, is_counted: bool = True, is_greedy: bool = False) -> Process:
        """Send a request until it gets a 200 or the client's attempts are exhausted."""
        start, record, status = self.env.now, self.record, OK
        operation = self._chance.choices(self._operations, cum_weights=self._shares)[0]
        for attempt in range(int(self._parameters.client_attempts)):
            if attempt:
                jitter = self._chance.uniform(0, self._parameters.client_jitter)
                yield self.env.timeout(RETRY_AFTER[status] * (1 + jitter))
            record.attempts += is_counted
            record.seconds[-1].attempts += 1
            status = yield from self._attempt(operation, is_greedy=is_greedy)
            if status == OK:
                break
        if not is_counted:
            return
        if status == OK:
            record.latencies.append(self.env.now - start)
        else:
            record.failed[status] += 1

    def _attempt(self, operation: Operation, *, is_greedy: bool) -> Process:
        status = self._refusal(is_greedy=is_greedy)
        yield self.env.timeout(self._parameters.gateway_ms / 1000)
        if status is None and not self._has_cached(operation):
            status = yield from self._invocation(operation)
        second = self.record.seconds[-1]
        if status in {None, OK}:
            second.answered += 1
            return OK
        second.refused += 1
        return status

    def _refusal(self, *, is_greedy: bool) -> int | None:
        if is_greedy and self._design.token_rate and self._rule.blocks():
            return THROTTLED
        if is_greedy and self._design.plan_rate and not self._plan.take():
            return THROTTLED
        return None if self._bucket.take() else THROTTLED

    def _has_cached(self, operation: Operation) -> bool:
        is_candidate = self._design.is_cached and operation.is_read
        return is_candidate and self._chance.random() < self._parameters.cached_share

    def _invocation(self, operation: Operation) -> Process:
        is_cold = self.pool.take()
        if is_cold is None:
            return NO_ENVIRONMENT
        start = self.env.now
        self.record.invocations += 1
        if is_cold:
            self.record.cold_starts += 1
            own = self._parameters
            cold = self._chance.lognormvariate(log(own.cold_ms), own.cold_spread)
            yield self.env.timeout(cold / 1000)
        status = yield from self._function(operation)
        self.pool.give_back()
        self.record.billed += self.env.now - start
        return status

    def _function(self, operation: Operation) -> Process:
        deadline = self.env.now + STATEMENT_SECONDS
        yield self.env.timeout(self._parameters.handler_ms / 1000)
        for _ in range(operation.statements):
            is_done = yield from self._retried(operation, deadline)
            if not is_done:
                return NO_DATABASE
        return OK

    def _retried(self, operation: Operation, deadline: float) -> Process:
        """Run a statement with retries; return whether an attempt succeeded.

        Every statement of the mix is a query or a guarded write, so each may be retried.
        """
        pauses = backoffs(int(self._parameters.function_attempts), self._chance)
        while not (yield from self._statement(operation, deadline)):
            pause = next(pauses, None)
            if pause is None or self.env.now + pause > deadline:
                return False
            yield self.env.timeout(pause)
        return True

    def _statement(self, operation: Operation, deadline: float) -> Process:
        """Call the database once; return whether it responded in time."""
        self.record.statements += 1
        median, spread = self._call
        way = self._chance.lognormvariate(log(median), spread) / 1000
        yield self.env.timeout(way)
        reads = operation.is_read and self.readers is not None
        instances = self.readers if reads and self.readers else self.writer
        if self._is_out(instances) or instances.is_full:
            return False
        done = instances.submit(self._chance.expovariate(1) * operation.work * self._unit)
        if not instances.has_queue:
            yield done
            return True
        patience = min(ATTEMPT_SECONDS, deadline - self.env.now)
        if patience <= 0:
            return False
        yield done | self.env.timeout(patience)
        return done.processed

    def _is_out(self, instances: Instances) -> bool:
        outage = self._outage
        hit = outage and instances is self.writer and outage.start <= self.env.now < outage.end
        return bool(hit)

    def watch(self) -> Process:
        """Record each second."""
        while True:
            self.record.seconds.append(Second(busy=self.pool.busy, acu=self.writer.acu))
            yield self.env.timeout(1)
