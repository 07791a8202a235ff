"""The history: each write's own statement adds its line, which has no values."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

import app
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, Row, tables
from chalicelib.http import history, routing
from chalicelib.http.history import Version
from chalicelib.http.values import format_time
from chalicelib.observability import telemetry
from tests.api import ADA, Api
from tests.recorded import Recorded

CALLER = "local-developer"
FULL = ADA | {
    "phone": "+442079460000",
    "company_name": "Analytical Engines",
    "addresses": [{"line1": "12 St James's Square", "country": "GB"}],
    "metadata": {"plan": "gold"},
}
MINIMAL = {"prefer": "return=minimal", "if_match": '"v1"'}


@pytest.fixture
def path(api: Api) -> str:
    return api.post("/customers", FULL).headers["Location"]


def pseudonym() -> str:
    return telemetry.pseudonym(CALLER, routing.settings().cursor_key)


def stored(database: Database) -> list[Version]:
    row = database.fetch_one("SELECT history FROM customers ORDER BY id LIMIT 1")
    assert row
    return history.parse(row["history"])


def changed_at(row: Row) -> str:
    return str(format_time(cast("Any", row["changed_at"])))


def summary(versions: list[Version]) -> list[tuple[int, str, list[str]]]:
    return [(one.version, one.operation, one.changed_fields) for one in versions]


WRITES: dict[str, tuple[Callable[[Api, str], Any], str, list[str]]] = {
    "replace": (
        lambda api, path: api.put(path, FULL | {"phone": None, "given_name": "A"}, if_match="*"),
        "updated",
        ["phone", "given_name"],
    ),
    "replace without reading": (
        lambda api, path: api.put(path, ADA | {"metadata": {"plan": "gold"}}, if_match='"v1"'),
        "updated",
        ["phone", "company_name", "addresses"],
    ),
    "patch": (
        lambda api, path: api.patch(path, {"locale": "en", "family_name": "Lovelace"}),
        "updated",
        ["locale"],
    ),
    "patch without reading": (
        lambda api, path: api.patch(path, {"email": "ADA@example.com", "phone": None}, **MINIMAL),
        "updated",
        ["email", "phone"],
    ),
    "delete": (lambda api, path: api.delete(path), "deleted", []),
    "erase": (lambda api, path: api.post(f"{path}/erase"), "erased", []),
}


@pytest.mark.parametrize("kind", WRITES)
def test_write_adds_its_version(api: Api, database: Recorded, path: str, kind: str) -> None:
    write, operation, fields = WRITES[kind]
    database.statements.clear()

    assert write(api, path).status_code in {200, 204}

    row = database.fetch_one("SELECT version, changed_at FROM customers")
    assert row
    assert row["version"] == 2
    assert stored(database)[0] == Version(2, operation, changed_at(row), pseudonym(), fields)
    writes = [sql for sql in database.statements if sql.startswith("UPDATE")]
    assert len(writes) == 1


def test_history_has_each_operation_in_order(api: Api, database: Database, path: str) -> None:
    api.patch(path, {"locale": "en"})
    api.patch(path, {"locale": "en"})  # changes nothing
    api.delete(path)
    api.post(f"{path}/restore")

    assert summary(stored(database)) == [
        (4, "restored", []),
        (3, "deleted", []),
        (2, "updated", ["locale"]),
        (1, "created", []),
    ]


def test_batch_has_a_history_for_each_customer(api: Api, database: Database) -> None:
    others = [ADA | {"email": f"{n}@example.com"} for n in range(3)]
    api.post("/customers/batch", {"items": others})

    rows = database.fetch_all("SELECT history, changed_at FROM customers")
    assert [history.parse(row["history"]) for row in rows] == [
        [Version(1, "created", changed_at(row), pseudonym(), [])] for row in rows
    ]
    assert len(rows) == 3


def test_history_keeps_the_last_versions(api: Api, database: Database, path: str) -> None:
    for n in range(tables.MAX_VERSIONS):
        api.patch(path, {"locale": None if n % 2 else "en"})

    versions = [one.version for one in stored(database)]
    assert versions == list(range(tables.MAX_VERSIONS + 1, 1, -1))


def test_longest_history_fits_into_its_column(api: Api, database: Database, path: str) -> None:
    values = {"email": "b@example.com", "status": "inactive", "given_name": "B", "family_name": "B"}
    values |= {"external_id": "b", "time_zone": "UTC", "locale": "en"}
    database.execute("UPDATE customers SET version = 4294967000")
    for n in range(tables.MAX_VERSIONS):
        body = ADA if n % 2 else values
        assert api.put(path, body, if_match="*").status_code == 200

    row = database.fetch_one("SELECT LENGTH(history) AS bytes FROM customers")
    assert row
    assert isinstance(row["bytes"], int)
    assert 2_000 < row["bytes"] < 5_000


def test_previous_code_leaves_a_gap(api: Api, database: Database, path: str) -> None:
    """During a deployment, and before the migration, versions have no line."""
    database.execute("UPDATE customers SET history = NULL")
    assert stored(database) == []
    api.patch(path, {"locale": "en"})
    database.execute("UPDATE customers SET version = version + 1, phone = NULL")
    api.patch(path, {"locale": "de"})

    assert summary(stored(database)) == [(4, "updated", ["locale"]), (2, "updated", ["locale"])]


def test_erasure_leaves_its_own_version_only(api: Api, database: Database, path: str) -> None:
    api.patch(path, {"locale": "en"})
    api.post(f"{path}/erase")
    first = stored(database)
    api.post(f"{path}/erase")

    assert summary(first) == [(3, "erased", [])]
    assert stored(database) == first


def test_purge_is_in_the_history(api: Api, database: Database, path: str) -> None:
    api.delete(path)
    database.execute("UPDATE customers SET purge_at = '2020-01-01 00:00:00'")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    app.purge_customers(
        {
            "version": "0",
            "account": "",
            "region": "",
            "detail": {},
            "detail-type": "",
            "source": "",
            "time": "",
            "id": "",
            "resources": [],
        },
        context,
    )

    (erased,) = stored(database)
    assert (erased.version, erased.operation, erased.caller) == (3, "erased", "schedule")


def test_history_of_live_and_deleted_customers(api: Api, database: Database, path: str) -> None:
    customer_id = UUID(path.removeprefix("/customers/"))
    api.delete(path)
    found = history.get(database, CUSTOMERS, customer_id)
    assert [one["operation"] for one in found] == ["deleted", "created"]
    assert found[0].keys() == set(Version._fields)

    api.post(f"{path}/erase")
    with pytest.raises(CUSTOMERS.not_found):
        history.get(database, CUSTOMERS, customer_id)


def test_history_is_read_with_one_statement(api: Api, database: Recorded, path: str) -> None:
    api.patch(path, {"locale": "en"})
    database.statements.clear()

    answer = api.get(f"{path}/history")

    assert answer.status_code == 200
    assert len(database.statements) == 1
    assert answer.json_body == {"items": [one._asdict() for one in stored(database)]}
    assert api.request("HEAD", f"{path}/history").body == b""


def test_writes_of_several_customers_add_lines(api: Api, database: Database) -> None:
    items = [ADA | {"email": f"{n}@example.com"} for n in range(2)]
    created = api.post("/customers/batch", {"items": items}).json_body["items"]
    changes: list[dict[str, Any]] = [{"locale": "en", "family_name": "King"}, {"phone": None}]
    both = [{"id": each["id"], "version": 1} for each in created]
    patched = [one | change for one, change in zip(both, changes, strict=True)]
    versions = [2, 1]  # the second one has no phone already

    api.patch("/customers", {"items": patched}, content_type="application/json")
    for one, version in zip(both, versions, strict=True):
        one["version"] = version
    assert api.post("/customers/delete", {"items": both}).status_code == 204

    rows = database.fetch_all("SELECT history, changed_at FROM customers ORDER BY email_key, id")
    lines = sorted((history.parse(row["history"]) for row in rows), key=len)
    assert [summary(one) for one in lines] == [
        [(2, "deleted", []), (1, "created", [])],
        [(3, "deleted", []), (2, "updated", ["family_name", "locale"]), (1, "created", [])],
    ]
    assert {one.caller for one in lines[0]} == {pseudonym()}
    assert {one[0].changed_at for one in lines} == {changed_at(row) for row in rows}
