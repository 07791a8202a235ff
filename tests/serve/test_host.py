"""The files for a host: units of systemd, Containerfile and Compose file."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name

from chalicelib.database.address import Address
from local.processes import PROJECT
from serve.settings import GRACE_SECONDS, REQUIRED
from tests.lockfiles import pins
from tests.serve.running import environment

HOST = PROJECT / "serve" / "host"
UNITS = sorted(HOST.glob("customers*"))
LOCK = PROJECT / "requirements" / "serve.txt"
PROGRAMS = "serve.__main__, serve.supervisor, serve.worker, migrations.__main__"


def test_files_and_packages_of_the_image_suffice(tmp_path: Path) -> None:
    for source in re.findall(
        r"^COPY (?!--)(.*)$", (HOST / "Containerfile").read_text(), re.MULTILINE
    ):
        *paths, target = source.split()
        for path in paths:
            own = tmp_path / (target + Path(path).name if target.endswith("/") else target)
            copy = shutil.copytree if (PROJECT / path).is_dir() else shutil.copy
            own.parent.mkdir(parents=True, exist_ok=True)
            copy(PROJECT / path, own)

    loaded = _loaded_without(_packages_beside(LOCK), tmp_path)
    assert {"pymysql", "tqdm", "uvicorn"} <= loaded


def _packages_beside(lock: Path) -> set[str]:
    """Return the importable packages of this environment that the lock file does not install."""
    locked = {canonicalize_name(pin.name) for pin in pins(lock)}
    return {
        package
        for package, names in packages_distributions().items()
        if locked.isdisjoint(map(canonicalize_name, names))
    }


def _loaded_without(packages: set[str], directory: Path) -> set[str]:
    """Return the packages that the programs load in a directory, if they can't load these."""
    missing = f"import sys; sys.modules |= dict.fromkeys({packages!r})"
    program = f"{missing}\nimport {PROGRAMS}\nprint(*(n for n, m in sys.modules.items() if m))"
    environ = environment("mysql://a:b@127.0.0.1:1/c", PROMETHEUS_MULTIPROC_DIR=str(directory))
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env=environ,
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_compose_file_has_every_required_setting() -> None:
    services = yaml.safe_load((HOST / "compose.yaml").read_text())["services"]
    api, database = services["api"]["environment"], services["database"]["environment"]
    address = Address.parse(api["DATABASE_URL"].replace("${DATABASE_PASSWORD:?}", "x"))

    assert set(api) == set(REQUIRED)
    assert (address.host, address.database) == ("database", database["MYSQL_DATABASE"])
    assert address.user == database["MYSQL_USER"]
    assert int(services["api"]["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS


def test_service_waits_for_the_end_of_requests() -> None:
    service = (HOST / "customers.service").read_text()

    assert int(re.findall(r"TimeoutStopSec=(\d+)", service)[0]) > GRACE_SECONDS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_units_are_valid(tmp_path: Path) -> None:
    for unit in UNITS:  # the program that a unit starts must exist
        text = unit.read_text().replace("/opt/customers/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("User=customers", "User=root"))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]

    verified = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in verified.stderr.splitlines() if "customers" in line]
    assert (verified.returncode, lines) == (0, [])
