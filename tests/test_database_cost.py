"""The benchmarks of what each operation costs the database."""

from collections.abc import Iterator
from typing import Any

import pytest

import app
from benchmarks import database_cost, database_work, events, servers
from benchmarks.operations import OPERATIONS, Caller, Failed
from local.database_server import DatabaseServer
from local.engines import ENGINES
from tests.recorded import Recorded


@pytest.fixture(autouse=True)
def _restored_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", "")
    yield
    app.database.cache_clear()


@pytest.mark.exhaustive
def test_each_operation_costs_the_database_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLICES": 1, "SLICE": 1, "BULK_SLICE": 1, "CUSTOMERS": 60}.items():
        monkeypatch.setattr(database_cost, name, value)

    costs = database_cost.measure(ENGINES["mariadb"])

    assert list(costs) == list(OPERATIONS)
    assert min(costs.values()) > 0


def test_cost_is_the_servers_time_per_request(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 1.5])
    monkeypatch.setattr(servers, "cpu_seconds", lambda _: next(times))
    monkeypatch.setattr(Caller, "call", lambda *_: None)
    monkeypatch.setattr(database_cost, "SLICE", 5)

    cost = database_cost.slice_cost(Caller("mysql://nobody@127.0.0.1:1/nothing"), "list", 1)

    assert cost == 100


def test_failed_request_ends_the_benchmark() -> None:
    unauthorized = events.event("get", 0)
    unauthorized["requestContext"]["authorizer"] = {**events.AUTHORIZER, "scopes": ""}
    caller = Caller("mysql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(Failed, match=r"^GET /customers/"):
        caller.call(unauthorized)


def test_report_shows_both_engines_next_to_the_function() -> None:
    costs = dict.fromkeys(OPERATIONS, 0.125)

    results = database_cost.report({"MariaDB 1": costs, "MySQL 2": costs})

    head, _, get, *_ = results.split("\n")
    assert head.startswith("| operation | MariaDB 1, ms of CPU | MySQL 2, ms of CPU | function")
    assert get.startswith("| get | 0.12 | 0.12 | ")


def test_repeated_statement_doubles_the_counted_work(
    database_server: DatabaseServer,
    database: Recorded,  # noqa: ARG001 (migrated)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It reads a small table: an index from which the server removes old rows loses pages."""

    def read(times: int) -> tuple[int, int]:
        def call(own: Caller, _: Any) -> None:
            for _ in range(times):
                own.database.fetch_all("SELECT name FROM schema_migrations")

        monkeypatch.setattr(Caller, "call", call)
        return database_work.least_work(Caller(database_server.url), [{}] * 9)

    once = read(times=1)

    assert min(once) >= 1
    assert read(times=2) == tuple(2 * work for work in once)
