"""Create the customers of a batch that can be created, and report on the others."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.database import DatabaseUnavailable
from chalicelib.http.resources import MAX_BATCH
from infrastructure import gateway
from tests.api import ADA, Api, assert_problem
from tests.conftest import Lines
from tests.recorded import Recorded

BATCH = "/customers/batch"
Items = list[dict[str, Any]]


def customer(name: str, **fields: Any) -> dict[str, Any]:
    return {"email": f"{name}@example.com", "given_name": name, **fields}


MIXED = [
    customer("a"),
    customer("b", locale=1),
    customer("c"),
    customer("ada"),
    customer("d", email="A@example.com"),
    customer("e", external_id="crm-1"),
    customer("f"),
]
STATUSES = [201, 400, 201, 409, 400, 409, 201]


@pytest.fixture(autouse=True)
def _ada(api: Api) -> None:
    api.post("/customers", ADA | {"external_id": "crm-1"})


def send(api: Api, items: Any = MIXED, **headers: str) -> HTTPResponse:
    return api.post(BATCH, {"items": items}, prefer="handling=lenient", **headers)


def statuses(answer: HTTPResponse) -> list[int]:
    assert answer.status_code == 207
    return [item["status"] for item in answer.json_body["items"]]


def test_every_item_has_its_own_outcome(api: Api, lines: Lines) -> None:
    answer = send(api)

    assert lines("audit")[-1]["version"] == 1
    assert statuses(answer) == STATUSES
    assert answer.headers["Preference-Applied"] == "handling=lenient"
    assert "Idempotency-Replayed" not in answer.headers
    items = answer.json_body["items"]
    for item, wanted in zip(items, MIXED, strict=True):
        if item["status"] == 201:
            assert item["customer"]["email"] == wanted["email"]
            assert api.get(f"/customers/{item['customer']['id']}").json_body == item["customer"]
    problems = [item["problem"] for item in items if "problem" in item]
    errors = [(error["pointer"], error["code"]) for each in problems for error in each["errors"]]
    assert errors == [
        ("/items/1/locale", "type"),
        ("/items/3/email", "taken"),
        ("/items/4/email", "repeated"),
        ("/items/5/external_id", "taken"),
    ]
    assert problems[2]["errors"][0]["detail"] == "Duplicates item 0."
    kinds = [each["type"].partition("#")[2] for each in problems]
    assert kinds == ["validation-error", "email-taken", "validation-error", "external-id-taken"]
    assert {each["instance"] for each in problems} == {BATCH}
    assert {each["request_id"] for each in problems} == {answer.headers["Request-Id"]}


def test_value_of_an_invalid_item_is_free_for_a_later_one(api: Api) -> None:
    items = [customer("a", locale=1), customer("a"), customer("a")]

    assert statuses(send(api, items)) == [400, 201, 400]


def test_items_that_all_fail_change_nothing(api: Api, database: Recorded) -> None:
    items = [customer("ada"), customer("b", locale=1)]

    assert statuses(send(api, items, idempotency_key="1")) == [409, 400]
    assert len(database.fetch_all("SELECT id FROM customers")) == 1


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], ("", "type")),
        ({}, ("/items", "required")),
        ({"items": {}}, ("/items", "type")),
        ({"items": []}, ("/items", "too-few")),
        ({"items": [ADA] * 101}, ("/items", "too-many")),
        ({"items": [customer("a")], "more": 1}, ("/more", "unknown")),
    ],
)
def test_body_that_is_no_batch_is_rejected(
    api: Api, document: object, error: tuple[str, str]
) -> None:
    answer = api.post(BATCH, document, prefer="handling=lenient")

    assert_problem(answer, 400, "validation-error", error)


@pytest.mark.parametrize("prefer", ["handling=strict", "return=minimal", "lenient"])
def test_default_is_all_or_none(api: Api, prefer: str) -> None:
    answer = api.post(BATCH, {"items": [customer("a"), customer("ada")]}, prefer=prefer)

    assert_problem(answer, 409, "email-taken", ("/items/1/email", "taken"))
    assert "Preference-Applied" not in answer.headers


def test_retry_gets_the_first_response(api: Api) -> None:
    first, again = (send(api, idempotency_key="1") for _ in range(2))

    assert again.headers["Idempotency-Replayed"] == "true"
    assert _outcomes(again) == _outcomes(first)


def test_retry_reports_a_value_that_was_in_use_at_first(api: Api) -> None:
    send(api, idempotency_key="1")
    [ada] = api.get("/customers?email=ada@example.com").json_body["items"]
    api.patch(f"/customers/{ada['id']}", {"email": "lovelace@example.com"})

    item = send(api, idempotency_key="1").json_body["items"][3]

    detail = "Used by another customer when this request was first made."
    error = {"pointer": "/items/3/email", "code": "taken", "detail": detail}
    assert (item["status"], item["problem"]["errors"]) == (409, [error])


def _outcomes(answer: HTTPResponse) -> list[Any]:
    """Return the outcomes without the ids of the request, which differ."""
    return [
        (
            item["status"],
            item.get("customer"),
            {key: value for key, value in item.get("problem", {}).items() if key != "request_id"},
        )
        for item in answer.json_body["items"]
    ]


def test_retry_creates_nothing_although_a_conflict_is_gone(api: Api, database: Recorded) -> None:
    """The first customer of the batch was deleted, too."""
    first = send(api, idempotency_key="1")
    api.delete("/customers/by-external-id/crm-1")
    api.delete(f"/customers/{first.json_body['items'][0]['customer']['id']}")
    before = database.fetch_all("SELECT id, version FROM customers ORDER BY id")

    again = send(api, idempotency_key="1")

    assert statuses(again) == STATUSES
    created = [item.get("customer") for item in again.json_body["items"]]
    assert created == [item.get("customer") for item in first.json_body["items"]]
    kinds = [item["problem"]["type"] for item in again.json_body["items"] if "problem" in item]
    assert "/problems#email-taken" in kinds
    assert database.fetch_all("SELECT id, version FROM customers ORDER BY id") == before


@pytest.mark.parametrize("other", ["body", "handling"])
def test_key_is_for_one_body_and_one_handling(api: Api, other: str) -> None:
    items = [customer("a")]
    send(api, items, idempotency_key="1")

    if other == "body":
        answer = send(api, [customer("b")], idempotency_key="1")
    else:
        answer = api.post(BATCH, {"items": items}, idempotency_key="1")

    assert_problem(answer, 422, "idempotency-key-reused")


def test_key_of_a_strict_batch_is_not_for_a_lenient_one(api: Api) -> None:
    items = [customer("a")]
    api.post(BATCH, {"items": items}, idempotency_key="1")

    assert_problem(send(api, items, idempotency_key="1"), 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("items", "number"),
    [([customer("a"), customer("b", locale=1)], 1), (MIXED, 3)],
    ids=["no conflict", "conflicts"],
)
def test_number_of_statements(api: Api, database: Recorded, items: Items, number: int) -> None:
    database.statements.clear()

    send(api, items, idempotency_key="1")

    assert len(database.statements) == number
    database.statements.clear()
    send(api, items, idempotency_key="1")
    assert len(database.statements) == 3


def test_largest_batch(api: Api) -> None:
    items = [customer(f"n{n}") for n in range(MAX_BATCH)]

    assert statuses(send(api, items, idempotency_key="1")) == [201] * MAX_BATCH
    again = send(api, items, idempotency_key="1")
    assert statuses(again) == [201] * MAX_BATCH
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.usefixtures("one_attempt")
def test_lost_outcome_can_be_repeated(
    api: Api, database: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database applies the second INSERT, and then becomes unavailable."""
    run = database._database._run
    inserts: list[str] = []

    def lose(sql: str, parameters: Any) -> Any:
        if len(inserts) == 2:
            raise DatabaseUnavailable("lost")
        if sql.startswith("INSERT"):
            inserts.append(sql)
        result = run(sql, parameters)
        if len(inserts) == 2:
            raise DatabaseUnavailable("lost")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(database, "_run", lose)
        assert_problem(send(api, idempotency_key="1"), 503, "service-unavailable")

    again = send(api, idempotency_key="1")

    assert (statuses(again), again.headers["Idempotency-Replayed"]) == (STATUSES, "true")
    assert len(database.fetch_all("SELECT id FROM customers")) == 1 + STATUSES.count(201)


@pytest.mark.usefixtures("parallel")
def test_parallel_requests_with_one_key_create_each_customer_once(
    api: Api, database: Recorded
) -> None:
    del api

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: send(Api(), idempotency_key="1"), range(10)))

    assert [statuses(answer) for answer in answers] == [STATUSES] * 10
    assert len({str(_outcomes(answer)) for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    assert len(database.fetch_all("SELECT id FROM customers")) == 1 + STATUSES.count(201)


def test_gateway_leaves_invalid_items_to_the_function() -> None:
    model = gateway.models()["CustomerCreationList"]

    assert model["properties"]["items"] == {"type": "array", "minItems": 1, "maxItems": MAX_BATCH}
