"""The slim client's requests against botocore's: many more than `make test` takes time for."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.slim.requests import CASES
from tests.slim.test_requests import compare


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
@settings(max_examples=10_000, deadline=None)
@given(case=CASES)
def test_twenty_thousand_requests_are_botocores(part: int, case: Any) -> None:  # noqa: ARG001
    """In parts, each of which ends before a test counts as stuck."""
    compare(case)
