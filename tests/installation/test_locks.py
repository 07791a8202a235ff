"""Every lock file installs into a fresh environment, with old and new versions of pip.

Unlike in `make setup`, pip resolves the requirements here, as other tools do. A requirement that a
lock file lacks is therefore an error. `make setup` installs its own pip first. The other versions
matter for files that people pass to their own pip.
"""

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from infrastructure import interpreters
from local import bootstrap
from tests.lockfiles import LOCK_FILES, find_gaps, is_complete, pins

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
DEBIAN_12 = (
    "pip==23.0.1 --hash=sha256:236bcb61156d76c4b8a05821b988c7b8c35bf0da28a4b614e8d6ab5212c25c6f"
)
PIPS = {  # the Python and the line that installs its pip
    "of-python": (RUNNING, ""),
    "of-debian-12": ("3.11", DEBIAN_12),
    "pinned": (RUNNING, bootstrap.pins(bootstrap.TOOLS)["pip"]),
}
ANY_PIP = {"requirements.txt", "requirements-dev.txt"}
CASES = [
    pytest.param(
        lock,
        pip,
        id=f"{lock.name}-{pip}",
        marks=[] if pip == "pinned" or lock.name in ANY_PIP else [pytest.mark.exhaustive],
    )
    for lock in LOCK_FILES
    for pip in PIPS
]


@pytest.mark.parametrize(("lock", "pip"), CASES)
def test_lock_file_installs_and_is_complete(lock: Path, pip: str, tmp_path: Path) -> None:
    version, line = PIPS[pip]
    python = interpreters.find(version)
    if python is None:
        pytest.skip(f"Python {version}, which {line or 'its pip'} needs, is not installed")
    environment = tmp_path / "environment"
    subprocess.run([python, "-m", "venv", environment], check=True)
    if line:
        (tmp_path / "pip.txt").write_text(line)
        install(environment, tmp_path / "pip.txt")
    install(environment, lock)
    (packages,) = environment.glob("lib/python*/site-packages")
    installed = {
        canonicalize_name(found.name): found for found in distributions(path=[str(packages)])
    }
    pinned = pins(lock)
    assert not is_complete(lock) or find_gaps(pinned, installed) == set()
    assert installed.keys() - {"pip", "setuptools"} <= {
        canonicalize_name(pin.name) for pin in pinned
    }


def install(environment: Path, lock: Path) -> None:
    options = ["--require-hashes", "--no-compile", "--quiet", "--disable-pip-version-check"]
    if not is_complete(lock):
        options.append("--no-deps")
    python = str(environment / "bin/python")
    command = [python, "-m", "pip", "install", *options, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
