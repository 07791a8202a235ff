"""Costs are computed from stated prices, and the page contains the results."""

import pytest

from infrastructure import costs, deployment
from infrastructure.costs import Usage
from infrastructure.policies import Arns
from infrastructure.stages import BACKENDS, STAGES
from tests.infrastructure.operations import ALARMS, COMPOSITES


def test_page_contains_computed_tables() -> None:
    (found,) = costs.MARK.findall(costs.PAGE.read_text())
    assert found == costs.tables(), "run `make costs`"


def test_gateway_tiers_have_their_own_prices() -> None:
    assert costs.gateway(1) == pytest.approx(3.50)
    assert costs.gateway(334) == pytest.approx(333 * 3.50 + 2.80)
    assert costs.gateway(1_000) == pytest.approx(333 * 3.50 + 667 * 2.80)


def test_million_requests_cost_the_sum_of_prices() -> None:
    month = costs.month(Usage(1e6, min_capacity=0.5, max_capacity=64, authorized_share=0))
    assert month["Lambda"] == pytest.approx(0.20 + 0.8333, abs=0.001)
    assert month["Aurora: capacity"] == pytest.approx(2 * 0.5 * 730 * 0.12)


def test_each_backend_has_its_price() -> None:
    small = Usage(1e6, min_capacity=0.5, max_capacity=64)
    large = Usage(1e9, min_capacity=64, max_capacity=64)

    assert costs.WAYS.keys() == set(BACKENDS)
    assert costs.WAYS["data_api"](small) == pytest.approx(1.1 * 0.35)
    endpoint = 2 * 730 * 0.01
    assert costs.WAYS["mysql"](small) == pytest.approx(8 * 730 * 0.015 + endpoint)
    assert costs.WAYS["mysql"](large) == pytest.approx(64 * 2 * 730 * 0.015 + endpoint)
    added = costs.WAYS["mysql_password"](small) - costs.WAYS["mysql"](small)
    assert added == pytest.approx(endpoint)


def test_events_cost_per_write_and_per_run_of_the_relay() -> None:
    none, usual = (
        costs.month(Usage(requests, min_capacity=0.5, max_capacity=64))["Events"]
        for requests in (0, 1e6)
    )

    assert none == pytest.approx(730 * 60 / 1e6 * (5 * 0.35 + 0.20))
    assert usual - none == pytest.approx(0.2 * (1.00 + 0.6 * 0.10))


def test_capacity_stays_within_the_stages_limits() -> None:
    assert Usage(1, min_capacity=0.5, max_capacity=64).capacity == 0.5
    assert Usage(1e12, min_capacity=0.5, max_capacity=64).capacity == 64


def test_alarms_cost_by_their_metrics() -> None:
    canary = deployment.resources(STAGES["prod"], Arns("cluster", "secret", "key"))
    of_canary = [canary[name]["Properties"] for name in ("ResponsesFailing", "FunctionsFailing")]
    metrics = [
        metric
        for alarm in (*ALARMS.values(), *of_canary)
        for metric in alarm.get("Metrics", [alarm])
        if "Expression" not in metric
    ]

    usage = Usage(1, min_capacity=0.5, max_capacity=64)
    assert (usage.alarms, usage.composites) == (len(metrics), len(COMPOSITES))


def test_every_price_has_a_source() -> None:
    known = {costs.AWS_PAGE, costs.BLOG, costs.UNCHECKED}
    assert {price.source for price in costs.PRICES.values()} <= known


def test_maximum_capacity_has_its_price_beside_it() -> None:
    assert costs.ceiling(STAGES["prod"]) == pytest.approx(64 * 2 * 730 * 0.12)
    assert "| prod | 64 | 2 | 11,212.80 | 500 |" in costs.PAGE.read_text()
