"""The simulated service obeys its limits; the lowest limit is the bottleneck."""

from dataclasses import replace

import pytest

from load.simulation.assumptions import ASSUMPTIONS, Parameters
from load.simulation.demand import function_seconds, needs, shares_of_work
from load.simulation.designs import ASKED, DEPLOYED, STEPS, Design
from load.simulation.runs import Run, run
from load.simulation.scenario import Outage, Scenario

SMALL = replace(ASKED, rate=1_000, burst=1_000, concurrency=1_000, min_acu=8, max_acu=8)
RATE = 200
ONCE = Parameters.assumed(client_attempts=1)


def simulated(design: Design = SMALL, parameters: Parameters = ONCE, **more: float) -> Run:
    rate = more.pop("rate", RATE)
    return run(Scenario("test", design, rate, parameters, seconds=5, **more), "1")  # type: ignore[arg-type]


def test_load_within_limits_has_no_failures() -> None:
    seen = simulated()
    assert sum(seen.failed.values()) == 0
    assert seen.requests == pytest.approx(RATE * 5, rel=0.1)
    assert seen.attempts == 1
    # median of a Data API call, of the function and the gateway, and some time in the database
    assert 0.12 < seen.p50 < 0.16


def test_gateway_throttles_above_its_rate() -> None:
    seen = simulated(replace(SMALL, rate=RATE / 2, burst=10))
    assert seen.failed == {429: pytest.approx(0.5, abs=0.05), 500: 0, 503: 0, 504: 0}


def test_environment_limit_rejects_as_erlang_predicts() -> None:
    from load.simulation.theory import erlang_b

    load = RATE * function_seconds(SMALL, ONCE)
    seen = simulated(replace(SMALL, concurrency=round(load * 0.7)))
    expected = erlang_b(round(load * 0.7), load)
    assert seen.failed[500] == pytest.approx(expected, abs=0.08)
    assert seen.failed[429] == seen.failed[503] == 0


def test_undersized_writer_runs_out_of_connections() -> None:
    slow = Parameters.assumed(client_attempts=1, per_acu=10, connections=50)
    seen = simulated(parameters=slow)
    assert seen.failed[503] > 0.5
    assert seen.failed[429] == seen.failed[500] == 0


def test_long_waiting_statement_times_out() -> None:
    slow = Parameters.assumed(client_attempts=1, per_acu=2, connections=1e9)
    seen = simulated(replace(SMALL, concurrency=1e6), slow, rate=100)
    assert seen.failed[503] + seen.failed[504] > 0.1
    assert seen.p99 < 29 + 0.1


def test_failover_fails_requests_to_the_writer() -> None:
    seen = simulated(outage=Outage(4, 9))  # type: ignore[arg-type]
    assert seen.failed[503] > 0.9


def test_retrying_clients_survive_a_short_failover() -> None:
    repeating = Parameters.assumed(client_attempts=5)
    seen = simulated(parameters=repeating, outage=Outage(5, 6))  # type: ignore[arg-type]
    assert sum(seen.failed.values()) == 0
    assert seen.attempts > 1.1
    assert seen.p99 > 2  # Retry-After


def test_retrying_function_occupies_its_environment() -> None:
    outage = {"outage": Outage(4, 9)}
    once = simulated(**outage)  # type: ignore[arg-type]
    patient = simulated(parameters=replace(ONCE, function_attempts=20), **outage)  # type: ignore[arg-type]
    assert patient.busy > 5 * once.busy


def test_mysql_backend_needs_a_tenth_of_the_environments() -> None:
    assert simulated(replace(SMALL, backend="mysql")).busy < simulated().busy / 5


def test_readers_relieve_the_writer() -> None:
    growing = replace(SMALL, backend="mysql", min_acu=0.5, max_acu=64)
    assert simulated(replace(growing, readers=3)).acu < simulated(growing).acu / 2


def test_usage_plan_protects_others_from_a_greedy_key() -> None:
    tight = replace(SMALL, rate=RATE * 1.5, burst=50)
    without = simulated(tight, greedy=1_000)
    planned = simulated(replace(tight, plan_rate=RATE * 0.1), greedy=1_000)
    assert without.failed[429] > 0.5
    assert sum(planned.failed.values()) < 0.01


def test_capacity_follows_load() -> None:
    seen = simulated(replace(SMALL, min_acu=0.5, max_acu=64), before=100, rate=400)
    assert seen.seconds[-1].acu > 1.2 * seen.seconds[0].acu


@pytest.mark.slow
def test_scaled_down_system_behaves_like_the_full_one() -> None:
    whole = simulated(DEPLOYED, rate=800, scale=1)
    small = simulated(DEPLOYED, rate=800, scale=4)
    assert small.requests == pytest.approx(whole.requests / 4, rel=0.1)
    # It has one server instead of four, which share the waiting work less evenly.
    assert 0.97 * whole.p50 < small.p50 < 1.25 * whole.p50
    assert 0.97 * whole.busy < small.busy < 1.3 * whole.busy
    assert small.acu == pytest.approx(whole.acu, rel=0.1)


def test_equal_seeds_give_equal_runs() -> None:
    scenario = Scenario("test", SMALL, 50, seconds=2)
    assert run(scenario, "1") == run(scenario, "1")
    assert run(scenario, "1") != run(scenario, "2")


def test_first_bottleneck_has_the_highest_utilization() -> None:
    asked = needs(DEPLOYED, 10_000, Parameters.assumed())
    assert asked["gateway's rate"] == 5
    assert max(asked, key=lambda name: asked[name]) == "gateway's rate"
    assert asked["environments"] > 1
    assert needs(STEPS["4 regions of 4 shards"], 100_000, Parameters.assumed())["writer"] < 1


def test_reads_and_writes_add_up_to_all_statements() -> None:
    parameters = Parameters.assumed()
    assert sum(shares_of_work(parameters)) == pytest.approx(parameters.statements)
    assert parameters.statements == pytest.approx(1.1)  # as in docs/costs.md


@pytest.mark.parametrize("name", ASSUMPTIONS)
def test_assumption_is_between_its_bounds(name: str) -> None:
    assumption = ASSUMPTIONS[name]
    assert assumption.low <= assumption.value <= assumption.high
    assert assumption.source
