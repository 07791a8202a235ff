"""Simulated usage is charged at the prices of docs/costs.md."""

from dataclasses import replace

import pytest

from infrastructure.costs import HOURS, MILLION, SECONDS, Usage, gateway, month
from load.simulation.designs import ASKED, DEPLOYED, STEPS
from load.simulation.runs import Run
from load.simulation.spending import monthly, per_million

pytestmark = pytest.mark.exhaustive

RUN = Run(
    requests=1_000,
    p50=0.1,
    p99=0.5,
    failed={429: 0.0, 500: 0.0, 503: 0.0},
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


def test_month_charges_the_simulated_usage() -> None:
    usage = Usage(RATE * SECONDS, 16, 16, instances=2, seconds=0.15, statements=1.1)
    assert monthly(DEPLOYED, RATE, [RUN]) == pytest.approx(month(usage))


def test_failed_requests_are_not_charged() -> None:
    half = replace(RUN, failed={429: 0.5, 500: 0.0, 503: 0.0})
    answered = RATE / 2 * SECONDS / MILLION
    assert monthly(DEPLOYED, RATE, [half])["API Gateway"] == pytest.approx(gateway(answered))


def test_mysql_backend_pays_for_rds_proxy_instead_of_data_api() -> None:
    parts = monthly(replace(ASKED, backend="mysql"), RATE, [RUN])
    assert parts["Data API"] == 0
    assert parts["RDS Proxy"] == pytest.approx(0.015 * 16 * 2 * HOURS)


def test_cached_responses_run_no_function() -> None:
    with_cache = replace(ASKED, is_cached=True)
    parts = monthly(with_cache, RATE, [replace(RUN, invocations=0.5)])
    whole = monthly(with_cache, RATE, [RUN])
    assert parts["Lambda"] == pytest.approx(whole["Lambda"] / 2)
    assert parts["API Gateway"] == whole["API Gateway"]


def test_instances_are_counted_in_all_clusters() -> None:
    assert DEPLOYED.instances == 2
    assert STEPS["8 shards, 4 readers each"].instances == 8 * 5
    assert STEPS["4 regions, 4 shards each"].instances == 16 * 5


def test_dollars_per_million_requests() -> None:
    assert per_million(10.0, MILLION / SECONDS) == pytest.approx(10)
