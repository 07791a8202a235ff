"""The benchmark of what each operation costs the database."""

from collections.abc import Iterator

import pytest

import app
from benchmarks import database_cost, events
from local.engines import ENGINES


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

    assert list(costs) == list(database_cost.OPERATIONS)
    assert min(costs.values()) > 0
    assert costs["batch"] > costs["create"]


def test_failed_request_ends_the_benchmark() -> None:
    unauthorized = events.event("get", 0)
    unauthorized["requestContext"]["authorizer"]["scopes"] = ""
    caller = database_cost.Caller("mysql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(database_cost.Failed, match=r"^GET /customers/"):
        caller.call(unauthorized)


def test_report_shows_both_engines_next_to_the_function() -> None:
    costs = dict.fromkeys(database_cost.OPERATIONS, 0.125)

    results = database_cost.report({"MariaDB 1": costs, "MySQL 2": costs})

    head, _, get, *_ = results.split("\n")
    assert head.startswith("| operation | MariaDB 1, ms of CPU | MySQL 2, ms of CPU | function")
    assert get.startswith("| get | 0.12 | 0.12 | ")
