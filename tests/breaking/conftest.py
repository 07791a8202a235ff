from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Give a service of its own to each test: it is going to be broken."""
    with running(tmp_path) as service:
        yield service
