"""Fixtures of the contract tests: one service, a stack, a browser, and Node packages."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.contract.browser import chromium, install, is_installed
from tests.local.run import Run
from tests.service import Service, running

NODE = Path(__file__).parent / "node"


def pytest_configure(config: pytest.Config) -> None:
    """Install Chromium if it is missing, before several test processes would install it at once."""
    if hasattr(config, "workerinput") or is_installed():
        return
    try:
        install()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("contract")) as service:
        yield service


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Install the Node packages that `node` locks; return their folder."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node or npm is missing")
    lock, modules = NODE / "package-lock.json", NODE / "node_modules"
    installed = modules / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"]
        subprocess.run(npm, cwd=NODE, check=True, capture_output=True)
        installed.touch()
    return modules


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with Run(tmp_path_factory.mktemp("stack"), "run") as stack:
        stack.read_until("Ctrl-C")
        yield stack


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(chrome: Chrome) -> Iterator[Chrome]:
    """Return the browser without pages, messages and emulation of previous tests."""
    chrome.get("about:blank")
    chrome.get_log("browser")
    yield chrome
    chrome.execute_script("try { sessionStorage.clear() } catch { /* of about:blank */ }")
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
