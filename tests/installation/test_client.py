"""The Python client installs alone into a fresh environment, as a wheel of a release does."""

import subprocess
import sys
from pathlib import Path

from local.processes import PROJECT


def test_client_installs_from_its_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    programs = tmp_path / "environment" / "bin"
    subprocess.run([programs / "pip", "install", "./clients/python"], cwd=PROJECT, check=True)

    shown = subprocess.run(
        [programs / "customers", "import", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    use = "from customers_client import Customers, operations; print(Customers)"
    subprocess.run([programs / "python", "-c", use], cwd=tmp_path, check=True)

    assert shown.startswith("usage: customers import ")
