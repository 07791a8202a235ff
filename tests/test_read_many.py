"""Read several customers by their ids."""

from uuid import uuid4

import pytest

from chalicelib.customers.queries import MAX_IDS
from openapi.customers import ID
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded


@pytest.fixture
def ids(api: Api) -> list[str]:
    items = [ADA | {"email": f"{n}@example.com"} for n in range(4)]
    created = api.post("/customers/batch", {"items": items}).json_body["items"]
    return [item["id"] for item in created]


def test_customers_are_in_the_order_of_creation(api: Api, ids: list[str]) -> None:
    page = api.get(f"/customers?id={ids[2]},{ids[0]},{ids[2].upper()}").json_body

    assert page["items"] == [api.get(f"/customers/{ids[n]}").json_body for n in (0, 2)]
    assert (page["next"], page["has_more"]) == (None, False)


def test_missing_customers_are_absent(api: Api, ids: list[str]) -> None:
    api.delete(f"/customers/{ids[0]}")
    api.post(f"/customers/{ids[1]}/erase")

    page = api.get(f"/customers?id={','.join([*ids[:3], str(uuid4())])}").json_body

    assert [item["id"] for item in page["items"]] == [ids[2]]


def test_maximum_is_one_statement(api: Api, ids: list[str], database: Recorded) -> None:
    unknown = [str(uuid4()) for _ in range(MAX_IDS - len(ids))]
    database.statements.clear()

    page = api.get(f"/customers?id={','.join(unknown + ids)}&fields=id").json_body

    assert page["items"] == [{"id": each} for each in ids]
    assert len(database.statements) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("id=", "blank"),
        ("id=1", "uuid"),
        (f"id={ID},", "blank"),
        (f"id={ID[:-1]}", "uuid"),
        (f"id={ID}&limit=5", "combination"),
        (f"id={ID}&q=ada", "combination"),
        (f"id={ID}&sort=created_at", "combination"),
        (f"id={ID}&include_deleted=true", "combination"),
    ],
)
def test_invalid_ids_are_rejected(api: Api, query: str, code: str) -> None:
    assert_problem(api.get(f"/customers?{query}"), 400, "validation-error", ("id", code))


def test_too_many_ids_are_rejected(api: Api) -> None:
    ids = ",".join(str(uuid4()) for _ in range(MAX_IDS + 1))

    answer = api.get(f"/customers?id={ids}")

    assert_problem(answer, 400, "validation-error", ("id", "too-many"))
