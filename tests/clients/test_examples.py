"""The programs of examples/client run as their docstrings say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from customers_client import CustomerCreation, Customers

from chalicelib.database import Database
from tests.clients.server import LOST, Server, problem
from tests.lockfiles import ROOT
from tests.test_changes import age

EXAMPLES = ROOT / "examples" / "client"


def run(name: str, server: Server, token: str, *arguments: str | Path) -> str:
    environment = {
        **os.environ,
        "BASE_URL": server.url,
        "TOKEN": token,
        "PYTHONPATH": str(ROOT / "clients/python"),
    }
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_updates_survive_faults(server: Server, token: str) -> None:
    server.faults += [LOST, problem(503), None, LOST]
    assert run("update.py", server, token).split()[1] == "3"


def test_parallel_creates_are_listed(server: Server, token: str) -> None:
    assert run("parallel.py", server, token) == "10\n"


def test_mirror_continues_and_forgets_erased_customers(
    server: Server, client: Customers, token: str, database: Database, tmp_path: Path
) -> None:
    new = [CustomerCreation(email=f"{number}@example.com", given_name="A") for number in range(10)]
    client.create_all(new)
    age(database, minutes=3)
    assert run("mirror.py", server, token, tmp_path / "copy.db") == "10\n"
    client.erase(next(client.list()).id)
    age(database)
    assert run("mirror.py", server, token, tmp_path / "copy.db") == "9\n"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_docstring_names_the_command(example: Path) -> None:
    assert f"python examples/client/{example.name}" in example.read_text()
