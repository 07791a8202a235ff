"""Simulated usage is billed at the prices of docs/costs.md."""

from dataclasses import replace

import pytest

from infrastructure.costs import HOURS, MILLION, PRICES, SECONDS, Usage, gateway, month
from load.simulation.designs import ASKED, DEPLOYED, STEPS
from load.simulation.runs import Run
from load.simulation.spending import a_million, monthly, not_modified

RUN = Run(
    requests=1_000,
    p50=0.1,
    p99=0.5,
    failed={429: 0.0, 500: 0.0, 503: 0.0, 504: 0.0},
    attempts=1.0,
    billed=0.15,
    invocations=1.0,
    cold=0.0,
    statements=1.1,
    acu=16.0,
    busy=150.0,
    seconds=[],
)
RATE = 1_000


def test_monthly_bill_uses_simulated_usage() -> None:
    usage = Usage(RATE * SECONDS, 16, 16, instances=2, seconds=0.15, statements=1.1)
    assert monthly(DEPLOYED, RATE, [RUN]) == pytest.approx(month(usage))


def test_failed_requests_are_not_billed() -> None:
    half = replace(RUN, failed={429: 0.5, 500: 0.0, 503: 0.0, 504: 0.0})
    answered = RATE / 2 * SECONDS / MILLION
    assert monthly(DEPLOYED, RATE, [half])["API Gateway"] == pytest.approx(gateway(answered))


def test_mysql_backend_is_billed_for_a_proxy() -> None:
    parts = monthly(replace(ASKED, backend="mysql"), RATE, [RUN])
    assert parts["Data API"] == 0
    assert parts["RDS Proxy"] == pytest.approx(0.015 * 16 * 2 * HOURS)


def test_cached_responses_invoke_no_function() -> None:
    with_cache = replace(ASKED, is_cached=True)
    parts = monthly(with_cache, RATE, [replace(RUN, invocations=0.5)])
    whole = monthly(with_cache, RATE, [RUN])
    assert parts["Lambda"] == pytest.approx(whole["Lambda"] / 2)
    assert parts["API Gateway"] == whole["API Gateway"]


def test_instances_of_each_cluster_are_billed() -> None:
    assert DEPLOYED.instances == 2
    assert STEPS["8 shards, 4 readers each"].instances == 8 * 5
    assert STEPS["4 regions of 4 shards"].instances == 16 * 5


def test_not_modified_responses_save_transfer_costs() -> None:
    assert not_modified(RATE, 0.5) == pytest.approx(
        RATE * SECONDS * 0.5 * 1_000 / 1e9 * PRICES["transfer"].dollars
    )


def test_a_million_requests_cost_their_share_of_the_bill() -> None:
    assert a_million({"all": 10.0}, MILLION / SECONDS) == pytest.approx(10)
