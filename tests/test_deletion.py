"""Soft-delete, restore, erasure and the purge job."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from chalice.test import Client

import app
from chalicelib import deadlines
from chalicelib.customers import erasure
from chalicelib.database import Database, retries
from chalicelib.http import history, routing
from tests.api import ADA, Api, assert_problem
from tests.conftest import Lines
from tests.recorded import Recorded

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
FULL = ADA | {
    "phone": "+442079460000",
    "company_name": "Analytical Engines",
    "external_id": "crm-1",
    "addresses": [{"line1": "12 St James's Square", "country": "GB"}],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"plan": "gold"},
}


@pytest.fixture
def path(api: Api) -> str:
    return api.post("/customers", FULL).headers["Location"]


def row(database: Database) -> dict[str, Any]:
    found = database.fetch_one("SELECT * FROM customers")
    assert found
    return found


def set_purge_date_in_the_past(database: Database) -> None:
    database.execute("UPDATE customers SET purge_at = '2020-01-01 00:00:00'")


# --- deleting --------------------------------------------------------------------------------


def test_deleted_customer_returns_404(api: Api, path: str, database: Recorded) -> None:
    database.statements.clear()
    answer = api.delete(path)
    assert (answer.status_code, answer.body) == (204, b"")
    assert len(database.statements) == 1

    for again in (
        api.get(path),
        api.request("HEAD", path),
        api.patch(path, {"locale": None}),
        api.put(path, ADA, if_match="*"),
        api.put(path, ADA, if_match='"v1"'),
        api.put(path, ADA, if_match='"v2"'),
        api.patch(path, {"locale": None}, if_match='"v2"', prefer="return=minimal"),
        api.delete(path),
    ):
        assert again.status_code == 404


def test_deleted_customer_is_retained_for_thirty_days(
    api: Api, path: str, database: Database
) -> None:
    api.delete(path)

    deleted = row(database)
    assert deleted["purge_at"] - deleted["deleted_at"] == timedelta(days=30)
    assert deleted["updated_at"] == deleted["deleted_at"]
    assert deleted["email"] == "ada@example.com"


def test_retention_is_configurable(
    api: Api, path: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_DAYS", "7")
    routing.settings.cache_clear()

    api.delete(path)

    deleted = row(database)
    assert deleted["purge_at"] - deleted["deleted_at"] == timedelta(days=7)


def test_conditional_delete_requires_the_current_version(api: Api, path: str) -> None:
    assert_problem(api.delete(path, if_match='"v2"'), 412, "precondition-failed")
    assert_problem(api.delete(path, if_match='W/"v1"'), 412, "precondition-failed")
    assert_problem(api.delete(UNKNOWN, if_match='"v1"'), 404, "customer-not-found")
    assert api.delete(path, if_match='"v1"').status_code == 204


def test_retried_conditional_delete_succeeds(api: Api, path: str) -> None:
    api.delete(path, if_match='"v1"')

    assert api.delete(path, if_match='"v1"').status_code == 204
    assert_problem(api.delete(path, if_match='"v2"'), 404, "customer-not-found")
    assert_problem(api.delete(path, if_match="*"), 404, "customer-not-found")


# --- restoring -------------------------------------------------------------------------------


def test_restored_customer_is_unchanged(api: Api, path: str, database: Recorded) -> None:
    before = api.get(path).json_body
    api.delete(path)
    database.statements.clear()

    restored = api.post(path + "/restore")

    assert len(database.statements) == 2
    assert (restored.status_code, restored.headers["ETag"]) == (200, '"v3"')
    later = {"version": 3, "updated_at": restored.json_body["updated_at"]}
    assert restored.json_body == before | later
    assert api.get(path).body == restored.body


def test_retried_restore_returns_the_same_response(api: Api, path: str) -> None:
    api.delete(path)
    first = api.post(path + "/restore", if_match='"v2"')

    for again in (api.post(path + "/restore"), api.post(path + "/restore", if_match='"v2"')):
        assert (again.status_code, again.body) == (200, first.body)
    assert_problem(api.post(path + "/restore", if_match='"v1"'), 412, "precondition-failed")


def test_conditional_restore_after_other_changes_returns_412(api: Api, path: str) -> None:
    api.delete(path)
    api.post(path + "/restore")
    api.patch(path, {"locale": "fr"})

    for tag in ('"v2"', '"v3"'):
        answer = api.post(path + "/restore", if_match=tag)
        assert_problem(answer, 412, "precondition-failed")
    assert api.post(path + "/restore", if_match='"v4"').status_code == 200


def test_restore_with_other_version_returns_412(api: Api, path: str) -> None:
    api.delete(path)

    assert_problem(api.post(path + "/restore", if_match='"v1"'), 412, "precondition-failed")
    assert api.get(path).status_code == 404


def test_restore_with_email_in_use_returns_409(api: Api, path: str) -> None:
    api.delete(path)
    other = api.post("/customers", ADA).headers["Location"]

    assert_problem(api.post(path + "/restore"), 409, "email-taken", ("/email", "taken"))
    # The external id is free, because only the deleted customer has it.
    assert_problem(api.post("/customers", FULL), 409, "email-taken", ("/email", "taken"))

    api.delete(other)
    assert api.post(path + "/restore").status_code == 200


def test_restore_with_external_id_in_use_returns_409(api: Api, path: str) -> None:
    api.delete(path)
    api.post("/customers", ADA | {"email": "b@example.com", "external_id": "crm-1"})

    assert_problem(api.post(path + "/restore"), 409, "external-id-taken", ("/external_id", "taken"))


def test_restore_after_the_purge_date_returns_404(api: Api, path: str, database: Database) -> None:
    """The result is the same if the purge job is late."""
    api.delete(path)
    set_purge_date_in_the_past(database)

    assert_problem(api.post(path + "/restore"), 404, "customer-not-found")


def test_restore_unknown_customer_returns_404(api: Api) -> None:
    assert_problem(api.post(UNKNOWN + "/restore"), 404, "customer-not-found")
    assert_problem(api.post("/customers/none/restore"), 404, "customer-not-found")


# --- erasing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("deleted", [False, True])
def test_erased_customer_keeps_only_its_id_and_times(
    api: Api, path: str, database: Recorded, *, deleted: bool
) -> None:
    api.post("/customers/batch", {"items": [ADA | {"email": "b@example.com"}]})
    if deleted:
        api.delete(path)
    before = row(database)
    database.statements.clear()

    answer = api.post(path + "/erase")

    assert len(database.statements) == 1
    assert (answer.status_code, answer.body) == (204, b"")
    left = {name: value for name, value in row(database).items() if value is not None}
    assert left.pop("id") == before["id"]
    assert left.pop("version") == before["version"] + 1
    assert left.pop("updated_at") == left["erased_at"] >= left["deleted_at"]
    assert left.pop("deleted_at") == (before["deleted_at"] or left["erased_at"])
    (erasure,) = history.parse(left.pop("history"))
    assert (erasure.version, erasure.operation) == (before["version"] + 1, "erased")
    del left["erased_at"], left["last_write"], left["changed_at"]
    derived = {"state": "erased", "name": ""}
    rest = {"status": "inactive", "addresses": "[]", "metadata": "{}"}
    assert {name: left[name] for name in left if name not in derived} == rest


def test_erasure_removes_the_idempotency_key(api: Api, database: Database) -> None:
    created = api.post("/customers", ADA, idempotency_key="k")
    api.post(created.headers["Location"] + "/erase")

    left = row(database)
    assert (left["idempotency_key"], left["idempotency_fingerprint"]) == (None, None)


def test_erased_customer_returns_404(api: Api, path: str) -> None:
    api.post(path + "/erase")

    for answer in (
        api.get(path),
        api.delete(path),
        api.patch(path, {}),
        api.put(path, ADA, if_match="*"),
        api.post(path + "/restore"),
    ):
        assert_problem(answer, 404, "customer-not-found")
    assert api.get("/customers").json_body["items"] == []
    assert api.post("/customers", FULL).status_code == 201


def test_retried_erase_succeeds(api: Api, path: str, database: Database) -> None:
    api.post(path + "/erase", if_match='"v1"')
    erased = row(database)

    assert api.post(path + "/erase").status_code == 204
    assert api.post(path + "/erase", if_match='"v1"').status_code == 204
    assert_problem(api.post(path + "/erase", if_match='"v3"'), 404, "customer-not-found")
    assert row(database) == erased


def test_erase_with_other_version_returns_412(api: Api, path: str) -> None:
    assert_problem(api.post(path + "/erase", if_match='"v2"'), 412, "precondition-failed")
    assert api.get(path).status_code == 200


def test_erase_unknown_customer_returns_404(api: Api) -> None:
    assert_problem(api.post(UNKNOWN + "/erase"), 404, "customer-not-found")
    assert_problem(api.post(UNKNOWN + "/erase", if_match='"v1"'), 404, "customer-not-found")


# --- the purge job ---------------------------------------------------------------------------


@pytest.fixture
def purge(api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """Return the scheduled function, with enough time and batches of three."""
    del api  # for its database
    monkeypatch.setattr(app, "PURGE_RESERVE_MS", 0)
    monkeypatch.setattr(erasure, "PURGE_BATCH", 3)
    client = Client(app.app)
    event = client.events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
    return lambda: client.lambda_.invoke("purge_customers", event)


@pytest.fixture
def seven_due_customers(api: Api, database: Database) -> None:
    """Delete seven_due_customers customers whose purge date has passed, and keep an eighth."""
    items = [ADA | {"email": f"ada{n}@example.com"} for n in range(7)]
    for customer in api.post("/customers/batch", {"items": items}).json_body["items"]:
        api.delete(f"/customers/{customer['id']}")
    set_purge_date_in_the_past(database)
    api.post("/customers", ADA)


def ids(database: Database, condition: str) -> set[str]:
    found = database.fetch_all(f"SELECT id FROM customers WHERE {condition}")
    return {str(UUID(bytes=cast("bytes", item["id"]))) for item in found}


def erased(database: Database) -> Any:
    found = database.fetch_one("SELECT COUNT(erased_at) AS erased FROM customers") or {}
    return found["erased"]


def test_purge_erases_customers_after_their_purge_date(
    api: Api, path: str, database: Database, purge: Callable[[], object]
) -> None:
    api.delete(path)
    purge()
    assert row(database)["erased_at"] is None
    set_purge_date_in_the_past(database)

    purge()

    assert row(database)["erased_at"]
    assert row(database)["email"] is None


def test_purge_without_due_customers_erases_none(database: Database) -> None:
    assert erasure.purge(database) == []


@pytest.mark.usefixtures("seven_due_customers")
def test_purge_erases_all_due_customers_in_batches(
    database: Recorded, purge: Callable[[], object], lines: Lines
) -> None:
    due = ids(database, "purge_at < NOW()")

    purge()

    assert erased(database) == 7
    audits = [line for line in lines("audit") if line["operation"] == "purge_customers"]
    assert [len(line["customers"]) for line in audits] == [3, 3, 1]
    assert {customer for line in audits for customer in line["customers"]} == due


@pytest.mark.usefixtures("seven_due_customers")
def test_purge_skips_concurrently_restored_customer(database: Recorded) -> None:
    """The restored customer is kept, and the audit doesn't name it."""
    due = ids(database, "purge_at < NOW()")
    kept = due.pop()

    class RestoringFirst(Recorded):
        def _run(self, sql: str, parameters: Any) -> Any:
            if sql.startswith("UPDATE"):
                restore = "UPDATE customers SET purge_at = NULL, deleted_at = NULL WHERE id = :id"
                super()._run(restore, {"id": UUID(kept).bytes})
            return super()._run(sql, parameters)

    assert {str(item) for item in erasure.purge(RestoringFirst(database))} == due
    assert erased(database) == 6


@pytest.mark.usefixtures("seven_due_customers")
def test_purge_stops_before_its_timeout(
    database: Recorded, purge: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run erases the rest; Lambda would report a run that times out as a failure."""
    monkeypatch.setattr(app, "PURGE_RESERVE_MS", 1 << 40)

    purge()

    assert erased(database) == 3


def test_purge_statements_end_before_the_functions_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise Lambda would stop the function during a retry, without a log of the cause."""
    left: list[float] = []
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(app, "database", lambda: None)
    monkeypatch.setattr(erasure, "purge", lambda _: left.append(retries.seconds_left()))
    event = Client(app.app).events.generate_cw_event("aws.events", "Scheduled Event", {}, [])

    app.purge_customers(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 9_000))

    assert left == [9 - retries.ANSWER_SECONDS]
