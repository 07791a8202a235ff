"""Update and delete several customers, all of them or none."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

import app
from chalicelib.database import DatabaseUnavailable
from chalicelib.database.contract import MAX_STATEMENT_LENGTH
from chalicelib.http import schemas
from chalicelib.http.items import Item, load_changes, load_references
from chalicelib.http.resources import MAX_BATCH
from tests.api import ADA, Api, assert_problem, largest_customers
from tests.recorded import Recorded

Customers = list[dict[str, Any]]
DELETE = "/customers/delete"
JSON = {"content_type": "application/json"}


@pytest.fixture
def customers(api: Api) -> Customers:
    return create(api, 3)


def create(api: Api, count: int, **fields: Any) -> Customers:
    items = [ADA | fields | {"email": f"{n}@example.com"} for n in range(count)]
    created: Customers = api.post("/customers/batch", {"items": items}).json_body["items"]
    return created


def patch(api: Api, items: Customers) -> Any:
    return api.patch("/customers", {"items": items}, **JSON)


def reference(customer: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": customer["id"], "version": customer["version"], **fields}


def stored(api: Api, customers: Customers) -> Customers:
    return [api.get(f"/customers/{each['id']}").json_body for each in customers]


def test_each_customer_gets_its_own_patch(api: Api, customers: Customers) -> None:
    changes: Customers = [
        {"locale": "de", "phone": None},
        {"given_name": "Bea"},
        {"metadata": {"a": "b"}},
    ]

    answer = patch(api, [reference(customers[n], **changes[n]) for n in (2, 0, 1)])

    assert answer.status_code == 200
    items = answer.json_body["items"]
    assert [item["id"] for item in items] == [customers[n]["id"] for n in (2, 0, 1)]
    assert items == stored(api, items)
    for item, n in zip(items, (2, 0, 1), strict=True):
        updated = {"version": 2, "updated_at": item["updated_at"]}
        assert item == customers[n] | changes[n] | updated


def test_feed_has_every_change(api: Api, customers: Customers, database: Recorded) -> None:
    database.execute("UPDATE customers SET changed_at = '2026-01-01'")

    patch(api, [reference(each, locale="de") for each in customers[:2]])
    delete(api, [reference(each, version=2) for each in customers[:1]])

    rows = database.fetch_all(
        "SELECT changed_at < '2026-01-02' AS is_old FROM customers ORDER BY id"
    )
    assert [row["is_old"] for row in rows] == [0, 0, 1]


def test_names_are_found_after_the_update(api: Api, customers: Customers) -> None:
    patch(api, [reference(each, given_name=f"Zoë {n}") for n, each in enumerate(customers)])

    found = api.get("/customers?q=zoe 1").json_body["items"]

    assert [each["id"] for each in found] == [customers[1]["id"]]


def test_customer_without_a_change_keeps_its_version(api: Api, customers: Customers) -> None:
    items = [reference(customers[0], given_name="Ada"), reference(customers[1], locale="de")]

    answer = patch(api, items)

    assert [item["version"] for item in answer.json_body["items"]] == [1, 2]
    assert patch(api, [reference(customers[2])]).json_body["items"] == [customers[2]]


@pytest.mark.parametrize("path", ["/customers", DELETE])
def test_nothing_changes_if_a_customer_has_changed_or_is_missing(
    api: Api, customers: Customers, path: str
) -> None:
    api.patch(f"/customers/{customers[1]['id']}", {"locale": "fr"})
    before = stored(api, customers)
    send = patch if path == "/customers" else delete

    answer = send(api, [reference(each) for each in customers])

    assert_problem(answer, 409, "version-conflict", ("/items/1/version", "version"))
    [error] = answer.json_body["errors"]
    assert error["detail"] == "The customer has changed: it has another version."
    api.delete(f"/customers/{customers[2]['id']}")
    unknown = {"id": str(uuid4()), "version": 1}
    answer = send(api, [unknown, *map(reference, customers)])
    assert_problem(
        answer,
        404,
        "customer-not-found",
        ("/items/0/id", "not-found"),
        ("/items/2/version", "version"),
        ("/items/3/id", "not-found"),
    )
    assert stored(api, customers[:2]) == before[:2]


def delete(api: Api, items: Customers) -> Any:
    return api.post(DELETE, {"items": items})


def test_all_are_deleted_and_can_be_restored(api: Api, customers: Customers) -> None:
    answer = delete(api, [reference(each) for each in customers[:2]])

    assert (answer.status_code, answer.body) == (204, b"")
    assert api.get("/customers").json_body["items"] == [customers[2]]
    restored = api.post(f"/customers/{customers[0]['id']}/restore")
    assert restored.json_body["version"] == 3


def test_repeated_requests_get_the_same_response(api: Api, customers: Customers) -> None:
    items = [reference(each, locale="de") for each in customers]
    first, again = (patch(api, items) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json_body == again.json_body

    gone = [reference(each) for each in first.json_body["items"]]
    assert [delete(api, gone).status_code for _ in range(2)] == [204, 204]


def test_another_request_for_the_same_versions_is_no_repetition(
    api: Api, customers: Customers
) -> None:
    patch(api, [reference(each, locale="de") for each in customers])

    other = patch(api, [reference(each, locale="de") for each in customers[:1]])

    assert_problem(other, 409, "version-conflict", ("/items/0/version", "version"))
    api.delete(f"/customers/{customers[0]['id']}")
    gone = delete(api, [{"id": customers[0]["id"], "version": 2}])
    assert_problem(gone, 404, "customer-not-found", ("/items/0/id", "not-found"))


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"email": "1@example.com"}, [("/items/0/email", "taken")]),
        ({"external_id": "crm-1"}, [("/items/0/external_id", "taken")]),
    ],
)
def test_taken_values_are_conflicts(
    api: Api, customers: Customers, fields: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    api.patch(f"/customers/{customers[1]['id']}", {"external_id": "crm-1"})

    answer = patch(api, [reference(customers[0], **fields), reference(customers[2], locale="de")])

    assert_problem(answer, 409, f"{next(iter(fields)).replace('_', '-')}-taken", *errors)
    assert [each["version"] for each in stored(api, customers)] == [1, 2, 1]


def test_value_that_two_items_want_is_invalid(api: Api, customers: Customers) -> None:
    answer = patch(api, [reference(each, email="New@example.com") for each in customers])

    assert_problem(
        answer,
        400,
        "validation-error",
        ("/items/1/email", "repeated"),
        ("/items/2/email", "repeated"),
    )


def test_each_invalid_item_is_named_by_its_place(api: Api, customers: Customers) -> None:
    items = [
        reference(customers[0], locale="de"),
        reference(customers[1], email="?", unknown=1),
        reference(customers[2], given_name=None, family_name=None),
    ]

    assert_problem(
        patch(api, items),
        400,
        "validation-error",
        ("/items/1/email", "email"),
        ("/items/1/unknown", "unknown"),
        ("/items/2", "name-required"),
    )


ITEM: dict[str, Any] = {"id": str(uuid4()), "version": 1}


def test_usual_items_need_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the schemas would slow down a cold start."""
    for name in ("load_changes", "load_references"):
        monkeypatch.delattr(schemas, name)

    assert load_changes({"items": [ITEM | {"locale": "de"}]}) == [
        Item(UUID(ITEM["id"]), 1, {"locale": "de"})
    ]
    items: Customers = [{"id": str(uuid4()), "version": 1} for _ in range(MAX_BATCH)]
    assert load_references({"items": items}) == [Item(UUID(each["id"]), 1, {}) for each in items]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], ("", "type")),
        ({}, ("/items", "required")),
        ({"items": []}, ("/items", "too-few")),
        ({"items": [ITEM | {"id": str(uuid4())} for _ in range(101)]}, ("/items", "too-many")),
        ({"items": [ITEM], "more": 1}, ("/more", "unknown")),
        ({"items": [1]}, ("/items/0", "type")),
        ({"items": [{"version": 1}]}, ("/items/0/id", "required")),
        ({"items": [{"id": ITEM["id"]}]}, ("/items/0/version", "required")),
        ({"items": [ITEM | {"id": "x"}]}, ("/items/0/id", "uuid")),
        ({"items": [ITEM | {"version": 0}]}, ("/items/0/version", "range")),
        ({"items": [ITEM | {"version": 2**32}]}, ("/items/0/version", "range")),
        ({"items": [ITEM | {"version": True}]}, ("/items/0/version", "type")),
        ({"items": [ITEM, ITEM]}, ("/items/1/id", "repeated")),
    ],
)
def test_malformed_requests_are_rejected(
    api: Api, document: object, error: tuple[str, str]
) -> None:
    assert_problem(api.patch("/customers", document, **JSON), 400, "validation-error", error)
    assert_problem(api.post(DELETE, document), 400, "validation-error", error)


def test_deletion_has_no_fields(api: Api) -> None:
    answer = delete(api, [ITEM | {"locale": "de"}])

    assert_problem(answer, 400, "validation-error", ("/items/0/locale", "unknown"))


def test_references_are_normalized(api: Api, customers: Customers) -> None:
    item = {"id": customers[0]["id"].upper(), "version": 1.0}

    assert patch(api, [item | {"locale": "de"}]).json_body["items"][0]["version"] == 2
    assert delete(api, [item | {"version": 2.0}]).status_code == 204


def test_merge_patch_is_no_media_type_for_several(api: Api) -> None:
    answer = api.patch("/customers", {"items": [ITEM]})

    assert_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept-Patch"] == "application/json"


def test_largest_requests_take_two_statements_and_one(api: Api, database: Recorded) -> None:
    """Every field changes. The Data API limits statements, and responses to 1 MiB."""
    customers = [api.post("/customers", each).json_body for each in largest_customers(MAX_BATCH)]
    changed: dict[str, Any] = {
        "status": "inactive",
        "phone": None,
        "given_name": "y" * 300,
        "family_name": "y" * 300,
        "company_name": "y" * 500,
        "addresses": [],
        "locale": "de",
        "time_zone": "Europe/Berlin",
        "metadata": {f"key{n}": "n" * 400 for n in range(9)},
    }
    items = [
        reference(each, **changed, email=f"{n}@example.net", external_id=f"crm-{n}")
        for n, each in enumerate(customers)
    ]
    database.statements.clear()

    answer = patch(api, items)

    assert answer.status_code == 200
    assert len(answer.json_body["items"]) == MAX_BATCH
    assert [sql.split()[0] for sql in database.statements] == ["SELECT", "UPDATE"]
    assert max(map(len, database.statements)) < 0.8 * MAX_STATEMENT_LENGTH
    database.statements.clear()
    assert delete(api, [reference(each) for each in answer.json_body["items"]]).status_code == 204
    assert [sql.split()[0] for sql in database.statements] == ["UPDATE"]


@pytest.mark.parametrize("send", [patch, delete])
@pytest.mark.usefixtures("one_attempt")
def test_request_whose_outcome_is_unknown_can_be_repeated(
    api: Api, customers: Customers, database: Recorded, monkeypatch: pytest.MonkeyPatch, send: Any
) -> None:
    items = [reference(each) for each in customers]
    if send is patch:
        items = [item | {"locale": "de"} for item in items]
    run = database._database._run
    lost: list[str] = []

    def lose(sql: str, parameters: Any) -> Any:
        result = None if lost else run(sql, parameters)
        if lost or sql.startswith("UPDATE"):
            lost.append(sql)
            raise DatabaseUnavailable("lost")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(database, "_run", lose)
        assert_problem(send(api, items), 503, "service-unavailable")

    assert send(api, items).status_code in {200, 204}
    versions = database.fetch_all("SELECT version FROM customers")
    assert [row["version"] for row in versions] == [2] * 3


@pytest.mark.usefixtures("parallel")
def test_parallel_updates_of_overlapping_customers_are_atomic(api: Api, database: Recorded) -> None:
    """Each request changes two of three customers. Those that succeed changed both."""
    customers = create(api, 3)

    def change(n: int) -> int:
        pair = [customers[n % 3], customers[(n + 1) % 3]]
        items = [reference(each, metadata={"by": str(n)}) for each in pair]
        status: int = patch(Api(), items).status_code
        return status

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(change, range(12)))

    assert sorted(set(statuses)) == [200, 409]
    assert statuses.count(200) == 1
    versions = [row["version"] for row in database.fetch_all("SELECT version FROM customers")]
    assert sorted(map(str, versions)) == ["1", "2", "2"]


def test_audit_names_every_customer(api: Api, customers: Customers, lines: Any) -> None:
    patch(api, [reference(each, locale="de") for each in customers])
    delete(api, [reference(each, version=2) for each in customers])

    audits = [line for line in lines("audit") if line["operation"].endswith("_customers")][-2:]

    ids = [each["id"] for each in customers]
    assert [line["customers"] for line in audits] == [ids, ids]
    assert app.operation.table["patch_customers"].scope == "customers:write"
