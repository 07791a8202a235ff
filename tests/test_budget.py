"""The budget detects rising costs, and contains every measured cost."""

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import app
from benchmarks import budget, database_work, events, operations, stub
from chalicelib.customers import lists
from chalicelib.customers.fields import CUSTOMERS
from local.engines import ENGINES

MEASURED = ("get", *budget.OPERATIONS)
ALL = (*budget.OPERATIONS, *budget.OTHERS)
FUNCTIONS = {"authorize", "purge_customers", "relay_events"}
BUDGET = {"cold instructions": 1_000_000, "modules loaded": 100}


def test_cost_within_five_percent_passes() -> None:
    assert budget.compare(BUDGET, {"cold instructions": 1_050_000, "modules loaded": 90}) == 0


def test_cost_above_five_percent_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert budget.compare(BUDGET, {"cold instructions": 1_050_001, "modules loaded": 100}) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("too much")] == ["cold"]


@pytest.mark.parametrize(("pages", "code"), [(125, 0), (126, 1)])
def test_page_requests_may_vary_by_a_quarter(pages: int, code: int) -> None:
    name = f"mysql get {database_work.PAGES}"

    assert budget.compare({name: 100}, {name: pages}) == code


def test_engine_of_another_version_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "budget.json"
    file.write_text(json.dumps({"python": "3", "mariadb": "MariaDB 1", "mysql": "MySQL 1", "x": 1}))
    monkeypatch.setattr(sys, "argv", ["budget"])
    monkeypatch.setattr(budget, "FILE", file)
    monkeypatch.setattr(budget, "interpreter", Path)
    monkeypatch.setattr(budget, "build", lambda _: "3")
    monkeypatch.setattr(budget, "measure", lambda *_, **__: {"x": 1})
    engines = {"mariadb": "MariaDB 1", "mysql": "MySQL 2"}
    monkeypatch.setattr(database_work, "installed", lambda: engines)
    counting = Mock(return_value={})
    monkeypatch.setattr(database_work, "measure", counting)

    assert budget.main() == 0
    assert engines.keys() & counting.call_args[0][0] == {"mariadb"}
    assert "no work of MySQL 2, because the budget is for MySQL 1" in capsys.readouterr().out


def test_budget_contains_every_cost() -> None:
    names = json.loads(budget.FILE.read_text())

    assert {"python", "bytes of the package", "modules loaded"} <= names.keys()
    kinds = ("cold", *budget.FURTHER, *(f"cold {kind}" for kind in ALL))
    assert {f"{kind} instructions" for kind in kinds} <= names.keys()
    work = product(ENGINES, operations.OPERATIONS, (database_work.CALLS, database_work.PAGES))
    assert {*ENGINES, *map(" ".join, work)} <= names.keys()


def test_budget_covers_every_operation_and_function() -> None:
    """Except reads that need no database: health and the documents."""
    routes = {
        (method, each.path)
        for each in app.operation.table.values()
        if each.scope
        for method in each.methods
        if method != "HEAD"
    }

    assert {events.KINDS[kind][:2] for kind in MEASURED} == routes
    assert {events.KINDS[kind][:2] for kind in operations.OPERATIONS} == routes
    assert {program.handler for program in budget.OTHERS.values()} == FUNCTIONS


class Asked:
    """A database that responds like the stub, with the service's own statements."""

    def fetch_all(self, sql: str, /, **parameters: Any) -> list[dict[str, Any]]:
        names = stub.columns(stub.COLUMNS.match(sql)[1])  # type: ignore[index]
        row = {stub.label(name): stub.plain(stub.field(name)) for name in names}
        return [row] * parameters.get("rows", 1)

    def fetch_one(self, sql: str, /, **parameters: Any) -> dict[str, Any]:
        return self.fetch_all(sql, **parameters)[0]


def test_stub_returns_complete_customers() -> None:
    """Otherwise the benchmark would measure less than the real work."""
    page = lists.page(Asked(), lists.Query(limit=50), b"k" * 32)  # type: ignore[arg-type]

    items = json.loads(page.items)
    assert len(items) == 50
    assert page.cursor
    assert items[0].keys() == set(CUSTOMERS.names)
