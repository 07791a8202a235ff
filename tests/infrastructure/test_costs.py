"""What a month costs is computed of stated prices, and the page says what is computed."""

import pytest

from infrastructure import costs
from infrastructure.costs import Usage


def test_page_has_what_is_computed() -> None:
    (found,) = costs.MARK.findall(costs.PAGE.read_text())
    assert found == costs.tables(), "run `make costs`"


def test_tiers_of_the_gateway_are_each_at_their_price() -> None:
    assert costs.gateway(1) == pytest.approx(3.50)
    assert costs.gateway(334) == pytest.approx(333 * 3.50 + 2.80)
    assert costs.gateway(1_000) == pytest.approx(333 * 3.50 + 667 * 2.80)


def test_a_million_requests() -> None:
    month = costs.month(Usage(1e6, min_capacity=0.5, max_capacity=64, authorized_share=0))
    assert month["Lambda"] == pytest.approx(0.20 + 0.8333, abs=0.001)
    assert month["Aurora: capacity"] == pytest.approx(2 * 0.5 * 730 * 0.12)


def test_capacity_stays_within_the_stage() -> None:
    assert Usage(1, min_capacity=0.5, max_capacity=64).capacity == 0.5
    assert Usage(1e12, min_capacity=0.5, max_capacity=64).capacity == 64


def test_every_price_says_where_it_is_from() -> None:
    known = {costs.AWS_PAGE, costs.BLOG, costs.UNCHECKED}
    assert {price.source for price in costs.PRICES.values()} <= known
