"""The export of all data about a customer."""

import pytest

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, tables
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

# Columns that an export omits, and why.
OMITTED = {
    "changed_at": "the time of the last version in the history",
    "erased_at": "an erased customer can't be exported",
    "name": "generated from given_name and family_name",
    "state": "generated from deleted_at and erased_at",
    **{f"{one.field}_live": f"generated from {one.column}" for one in CUSTOMERS.unique},
    **dict.fromkeys(("last_write", *tables.IDEMPOTENCY), "a hash of a request, with a key"),
}


@pytest.fixture
def path(api: Api) -> str:
    full = ADA | {"external_id": "crm-1", "metadata": {"plan": "gold"}, "company_name": "Engines"}
    return api.post("/customers", full, idempotency_key="k").headers["Location"]


def test_export_has_the_customer_and_its_history(api: Api, path: str, database: Recorded) -> None:
    api.patch(path, {"locale": "en"})
    database.statements.clear()

    answer = api.get(f"{path}/export")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert len(database.statements) == 1
    exported = answer.json_body
    assert exported["customer"] == api.get(path).json_body
    assert exported["history"] == api.get(f"{path}/history").json_body["items"]
    assert exported["search_keys"]["name_key"] == "ada lovelace"


def test_export_has_every_column(api: Api, path: str, database: Database) -> None:
    row = database.fetch_one("SELECT * FROM customers")
    assert row

    exported = api.get(f"{path}/export").json_body

    shown = {*exported["customer"], *exported["search_keys"], "history"}
    assert row.keys() - shown == OMITTED.keys()


def test_deleted_customer_can_be_exported_until_it_is_erased(api: Api, path: str) -> None:
    api.delete(path)
    exported = api.get(f"{path}/export").json_body
    assert exported["customer"]["deleted_at"]
    assert exported["history"][0]["operation"] == "deleted"

    api.post(f"{path}/erase")
    answer = api.get(f"{path}/export")
    assert_problem(answer, 404, "customer-not-found")
    assert answer.json_body["detail"] == "No customer has this id, or it was erased."
