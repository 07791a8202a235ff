"""The data step of the search keys survives SIGKILL of its process and of the database.

`tests/test_data_steps.py` simulates these kills at every statement.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import migrations
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, connect
from chalicelib.http import values
from chalicelib.settings import Settings
from local.database_server import DatabaseServer
from local.processes import free_port
from tests.test_search import insert_as_before

STEP = "0007_fill_search_keys"
KEYS = ("name_key", "family_name_key", "company_name_key", "email_key")
# Applies the migrations, in batches of 10 rows, and waits for a line before it fills one row.
RUNNER = f"""
import os
import migrations
from chalicelib.database import connect
from chalicelib.settings import Settings
from migrations import filling

def wait(step):
    def compute(row):
        if row["given_name"] == "Wait":
            print("waiting", flush=True)
            input()
        return step.fill.compute(row)
    return step._replace(fill=step.fill._replace(compute=compute))

filling.ROWS = 10
settings = Settings.from_environ(os.environ)
files = [wait(file) if file.name == "{STEP}" else file for file in migrations.read()]
migrations.apply(connect(settings), connect(settings), files, lambda line: None)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DatabaseServer]:
    """Run a server with 25 customers without keys; the runner waits before the 15th."""
    server = DatabaseServer(tmp_path / "database", free_port())
    try:
        server.start()
        database = connected(server)
        earlier = [step for step in migrations.read() if step.name < STEP]
        migrations.apply(database, connected(server), earlier, print)
        for number in range(1, 26):
            given_name = "Wait" if number == 15 else f"Łu{number}"
            insert_as_before(database, number, given_name=given_name, family_name="Groß")
        yield server
    finally:
        server.stop()


def connected(server: DatabaseServer) -> Database:
    return connect(Settings(database_url=server.url))


@pytest.fixture
def runner(server: DatabaseServer) -> Iterator["subprocess.Popen[str]"]:
    """Return a process that has filled the first batch, and waits in the second one."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        env={**os.environ, "DATABASE_URL": server.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as runner:
        assert runner.stdout
        assert runner.stdout.readline() == "waiting\n"
        yield runner
        runner.kill()


def write_as_before(database: Database) -> None:
    """Create and update customers, before and after the position, as code without keys does."""
    insert_as_before(database, 0, given_name="Ørjan")
    insert_as_before(database, 26, given_name="Đặng")
    for number in (3, 13, 23):
        database.execute(
            "UPDATE customers SET given_name = 'Işık', version = 2, updated_at = :now"
            " WHERE id = :id",
            id=values.lowest_id(number + 1),
            now=values.now(),
        )


def filled(database: Database) -> list[int]:
    """Return the numbers of the customers with the keys of their current names."""
    names = ("id", "email", "given_name", "family_name", "company_name", *KEYS)
    rows = database.fetch_all(f"SELECT {', '.join(names)} FROM customers ORDER BY id")
    return [number_of(row) for row in rows if {name: row[name] for name in KEYS} == keys_of(row)]


def keys_of(row: dict[str, Any]) -> dict[str, Any]:
    return CUSTOMERS.to_row(row, KEYS)


def number_of(row: dict[str, Any]) -> int:
    return (int.from_bytes(row["id"]) >> 80) - 1


def resume(server: DatabaseServer) -> None:
    """Apply the migrations, and check that every customer has its keys."""
    database = connected(server)
    said: list[str] = []
    migrations.apply(database, connected(server), migrations.read(), said.append)
    assert said[0] == f"applied {STEP}"
    assert filled(database) == list(range(27))
    assert database.fetch_all("SELECT name FROM schema_passes") == []


def test_killed_runner_is_resumed(server: DatabaseServer, runner: "subprocess.Popen[str]") -> None:
    database = connected(server)
    assert filled(database) == list(range(1, 11))
    write_as_before(database)

    runner.kill()

    assert runner.wait() == -signal.SIGKILL
    assert filled(database) == [1, 2, *range(4, 11)]
    resume(server)


def test_runner_whose_database_is_killed_is_resumed(
    server: DatabaseServer, runner: "subprocess.Popen[str]"
) -> None:
    write_as_before(connected(server))
    os.kill(server.pid, signal.SIGKILL)

    runner.communicate("\n")

    assert runner.returncode == 1
    server.start()
    assert filled(connected(server)) == [1, 2, *range(4, 11)]
    resume(server)
