"""What is simulated is paid for at docs/costs.md's prices."""

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


def test_a_month_is_that_of_the_usage_that_was_simulated() -> None:
    usage = Usage(RATE * SECONDS, 16, 16, instances=2, seconds=0.15, statements=1.1)
    assert monthly(DEPLOYED, RATE, [RUN]) == pytest.approx(month(usage))


def test_what_failed_is_not_paid_for() -> None:
    half = replace(RUN, failed={429: 0.5, 500: 0.0, 503: 0.0, 504: 0.0})
    answered = RATE / 2 * SECONDS / MILLION
    assert monthly(DEPLOYED, RATE, [half])["API Gateway"] == pytest.approx(gateway(answered))


def test_without_the_data_api_there_is_a_proxy_to_pay() -> None:
    parts = monthly(replace(ASKED, backend="mysql"), RATE, [RUN])
    assert parts["Data API"] == 0
    assert parts["RDS Proxy"] == pytest.approx(0.015 * 16 * 2 * HOURS)


def test_what_a_cache_answers_runs_no_function() -> None:
    with_cache = replace(ASKED, is_cached=True)
    parts = monthly(with_cache, RATE, [replace(RUN, invocations=0.5)])
    whole = monthly(with_cache, RATE, [RUN])
    assert parts["Lambda"] == pytest.approx(whole["Lambda"] / 2)
    assert parts["API Gateway"] == whole["API Gateway"]


def test_each_cluster_has_its_instances() -> None:
    assert DEPLOYED.instances == 2
    assert STEPS["8 shards, 4 readers each"].instances == 8 * 5
    assert STEPS["4 regions of 4 shards"].instances == 16 * 5


def test_answers_without_a_body_save_what_is_sent() -> None:
    assert not_modified(RATE, 0.5) == pytest.approx(
        RATE * SECONDS * 0.5 * 1_000 / 1e9 * PRICES["transfer"].dollars
    )


def test_dollars_for_a_million() -> None:
    assert a_million({"all": 10.0}, MILLION / SECONDS) == pytest.approx(10)
