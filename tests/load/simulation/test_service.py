"""Each limit of the simulated service rejects what exceeds it."""

import random
from dataclasses import replace
from typing import Any

import pytest
import simpy

from chalicelib.database.retries import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MAX_ATTEMPTS,
    STATEMENT_SECONDS,
)
from load.simulation import service
from load.simulation.assumptions import ASSUMPTIONS, Parameters
from load.simulation.demand import function_seconds, needs, shares_of_work
from load.simulation.designs import ASKED, DEPLOYED, STEPS, Design
from load.simulation.plan import UNLIMITED
from load.simulation.queues import RateRule
from load.simulation.runs import Run, run
from load.simulation.scenario import Outage, Scenario
from load.simulation.service import backoffs

pytestmark = pytest.mark.exhaustive

SMALL = replace(ASKED, rate=1_000, burst=1_000, concurrency=1_000, min_acu=8, max_acu=8)
RATE = 200
ONCE = Parameters(client_attempts=1)


def simulated(design: Design = SMALL, parameters: Parameters = ONCE, **more: Any) -> Run:
    rate = more.pop("rate", RATE)
    return run(Scenario("test", design, rate, parameters, seconds=5, **more), "1")


def test_load_within_limits_never_fails() -> None:
    seen = simulated()
    assert sum(seen.failed.values()) == 0
    assert seen.requests == pytest.approx(RATE * 5, rel=0.1)
    assert seen.attempts == 1
    # the median of a Data API call, of the function and the gateway, and a little in the database
    assert 0.12 < seen.p50 < 0.16


def test_gateway_throttles_above_its_rate() -> None:
    seen = simulated(replace(SMALL, rate=RATE / 2, burst=10))
    assert seen.failed == {429: pytest.approx(0.5, abs=0.05), 500: 0, 503: 0}


def test_missing_environments_fail_as_erlang_predicts() -> None:
    from tests.load.simulation.theory import erlang_b

    load = RATE * function_seconds(SMALL, ONCE)
    seen = simulated(replace(SMALL, concurrency=round(load * 0.7)))
    expected = erlang_b(round(load * 0.7), load)
    assert seen.failed[500] == pytest.approx(expected, abs=0.08)
    assert seen.failed[429] == seen.failed[503] == 0


def test_small_writer_runs_out_of_connections() -> None:
    slow = Parameters(client_attempts=1, per_acu=10, connections=50)
    seen = simulated(parameters=slow)
    assert seen.failed[503] > 0.5
    assert seen.failed[429] == seen.failed[500] == 0


def test_statement_times_out() -> None:
    slow = Parameters(client_attempts=1, per_acu=2, connections=1e9)
    seen = simulated(replace(SMALL, concurrency=1e6), slow, rate=100)
    assert seen.failed[503] > 0.1
    assert seen.p99 < 29 + 0.1


def test_failover_fails_all_statements_of_the_writer() -> None:
    single = replace(ONCE, function_attempts=1)
    assert simulated(parameters=single, outage=Outage(4, 9)).failed[503] > 0.9


def test_client_retries_after_short_failover_succeed() -> None:
    seen = simulated(parameters=Parameters(client_attempts=5), outage=Outage(5, 6.5))
    assert sum(seen.failed.values()) == 0
    assert seen.attempts > 1.1
    assert seen.p99 > 2  # Retry-After


def test_function_makes_as_many_attempts_as_the_retry_policy() -> None:
    seen = simulated(outage=Outage(0, 60))
    assert seen.failed[503] == 1
    assert seen.statements == MAX_ATTEMPTS


def test_function_retries_hide_a_short_fault() -> None:
    single = replace(ONCE, function_attempts=1)
    failed = simulated(parameters=single, outage=Outage(5, 5.2)).failed[503]
    assert simulated(outage=Outage(5, 5.2)).failed[503] < failed / 3


def test_function_retries_end_before_the_deadline() -> None:
    unlimited = replace(ONCE, function_attempts=UNLIMITED)
    roomy = replace(SMALL, concurrency=1e6)
    seen = simulated(roomy, unlimited, rate=20, outage=Outage(0, 90))
    assert STATEMENT_SECONDS - LONGEST_PAUSE_SECONDS - 1 < seen.billed < STATEMENT_SECONDS + 1
    assert seen.failed[503] == 1


def test_function_retries_occupy_environments_during_a_failover() -> None:
    outage = Outage(4, 9)
    single = simulated(parameters=replace(ONCE, function_attempts=1), outage=outage)
    assert 2 * single.busy < simulated(outage=outage).busy < 5 * single.busy
    unlimited = simulated(parameters=replace(ONCE, function_attempts=UNLIMITED), outage=outage)
    assert unlimited.busy > 5 * single.busy


def test_backoff_has_full_jitter_and_a_maximum() -> None:
    drawn = [list(backoffs(10, random.Random(seed))) for seed in range(200)]
    longest = [max(pauses) for pauses in zip(*drawn, strict=True)]
    limits = [min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**retry) for retry in range(9)]
    assert all(0.9 * limit < pause <= limit for pause, limit in zip(longest, limits, strict=True))
    assert min(drawn)[0] < 0.1 * FIRST_PAUSE_SECONDS
    assert list(backoffs(1, random.Random(0))) == []


def test_mysql_backend_needs_fewer_environments() -> None:
    assert simulated(replace(SMALL, backend="mysql")).busy < simulated().busy / 5


def test_readers_reduce_the_writer_capacity() -> None:
    growing = replace(SMALL, backend="mysql", min_acu=0.5, max_acu=64)
    assert simulated(replace(growing, readers=3)).acu < simulated(growing).acu / 2


def test_usage_plan_protects_other_clients() -> None:
    tight = replace(SMALL, rate=RATE * 1.5, burst=50)
    without = simulated(tight, greedy=1_000)
    planned = simulated(replace(tight, plan_rate=RATE * 0.1), greedy=1_000)
    assert without.failed[429] > 0.5
    assert sum(planned.failed.values()) < 0.01


def test_firewall_protects_other_clients_once_it_has_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tight = replace(SMALL, rate=RATE * 1.5, burst=50, token_rate=RATE * 0.1)
    before = simulated(tight, greedy=1_000)
    monkeypatch.setattr(service, "FIREWALL_DELAY", 0)
    after = simulated(tight, greedy=1_000)
    assert before.failed[429] > 0.5
    assert sum(after.failed.values()) < 0.01


def test_firewall_blocks_a_client_until_it_sends_less() -> None:
    """It blocks every request meanwhile, where a token bucket would let some pass."""
    env = simpy.Environment()
    rule = RateRule(env, rate=2, window=10, delay=3)

    def at(seconds: float) -> bool:
        env.run(until=seconds)
        return rule.blocks()

    assert not any(at(0.1 + second / 10) for second in range(25))  # 25 requests in 2.5 s
    assert not at(5.0)  # 20 of them are older than the delay
    assert at(5.7)
    assert at(12.0)
    assert not at(15.0)  # the mean of ten seconds, three seconds ago, is low again


def test_capacity_grows_with_load() -> None:
    seen = simulated(replace(SMALL, min_acu=0.5, max_acu=64), before=100, rate=400)
    assert seen.seconds[-1].acu > 1.2 * seen.seconds[0].acu


@pytest.mark.slow
def test_scaled_down_system_resembles_the_whole() -> None:
    whole = simulated(DEPLOYED, rate=800, scale=1)
    small = simulated(DEPLOYED, rate=800, scale=4)
    assert small.requests == pytest.approx(whole.requests / 4, rel=0.1)
    # it has one server where the whole has four, which wait for each other's work less
    assert 0.97 * whole.p50 < small.p50 < 1.25 * whole.p50
    assert 0.97 * whole.busy < small.busy < 1.3 * whole.busy
    assert small.acu == pytest.approx(whole.acu, rel=0.1)


def test_same_seed_gives_same_run() -> None:
    scenario = Scenario("test", SMALL, 50, seconds=2)
    assert run(scenario, "1") == run(scenario, "1")
    assert run(scenario, "1") != run(scenario, "2")


def test_bottleneck_has_the_highest_utilization() -> None:
    asked = needs(DEPLOYED, 10_000, Parameters())
    assert asked["gateway rate"] == 5
    assert max(asked, key=lambda name: asked[name]) == "gateway rate"
    assert asked["environments"] > 1
    assert needs(STEPS["4 regions, 4 shards each"], 100_000, Parameters())["writer"] < 1


def test_shares_of_reads_and_writes_add_up() -> None:
    parameters = Parameters()
    assert sum(shares_of_work(parameters)) == pytest.approx(parameters.statements)
    assert parameters.statements == pytest.approx(1.1)  # as docs/costs.md has it


def test_assumptions_lie_between_their_bounds() -> None:
    for name, each in ASSUMPTIONS.items():
        assert each.low <= each.value <= each.high, name
        assert each.source, name
