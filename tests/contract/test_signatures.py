"""The slim client's requests against botocore's: many more than `make test` takes time for."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.slim.requests import CASES
from tests.slim.test_requests import compare


@pytest.mark.slow
@settings(max_examples=30_000, deadline=None)
@given(CASES)
def test_thirty_thousand_requests_are_botocores(case: Any) -> None:
    compare(case)
