"""The budget detects rising costs, and contains every measured cost."""

import json
from typing import Any

import pytest

import app
from benchmarks import budget, events, stub
from chalicelib.customers import lists
from chalicelib.customers.fields import CUSTOMERS

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


def test_budget_contains_every_cost() -> None:
    names = json.loads(budget.FILE.read_text())

    assert {"python", "bytes of the package", "modules loaded"} <= names.keys()
    kinds = ("cold", *budget.FURTHER, *(f"cold {kind}" for kind in ALL))
    assert {f"{kind} instructions" for kind in kinds} <= names.keys()


def test_budget_covers_every_operation_and_function() -> None:
    """Except reads that need no database: health and the documents."""
    requests = {(kind.method, kind.resource) for kind in (events.KINDS[name] for name in MEASURED)}
    operations = {
        (method, each.path)
        for each in app.operation.table.values()
        if each.scope
        for method in each.methods
        if method != "HEAD"
    }

    assert requests == operations
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
