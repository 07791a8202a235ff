"""The whole service over HTTP, one for all of these tests."""

from collections.abc import Iterator

import pytest

from tests.contract import browser
from tests.service import Service, running


def pytest_configure(config: pytest.Config) -> None:
    """Install Chromium where there is none, once, before several processes would at once."""
    if hasattr(config, "workerinput") or browser.is_installed():
        return
    try:
        browser.install()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("contract")) as service:
        yield service
