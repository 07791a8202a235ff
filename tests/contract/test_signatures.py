"""Compares more of the slim client's requests with botocore's than `make test` has time for."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.slim.requests import CASES
from tests.slim.test_requests import compare


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(2))
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=CASES)
def test_twenty_thousand_requests_are_identical_to_botocores(part: int, case: Any) -> None:  # noqa: ARG001
    """The parts are short enough for the timeout of a test."""
    compare(case)
