from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Start a separate service for each test, because the test breaks it."""
    with running(tmp_path) as service:
        yield service
