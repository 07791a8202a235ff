"""Creates that are retried with their Idempotency-Key are applied once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from chalicelib.customers import schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database
from chalicelib.http import creates, updates
from chalicelib.http.idempotency import Key
from chalicelib.http.preconditions import Intent
from tests import tokens
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
GRACE = {"email": "grace@example.com", "given_name": "Grace"}


def test_retried_create_is_replayed(api: Api, database: Recorded) -> None:
    first = api.post("/customers", ADA, idempotency_key=KEY)
    assert len(database.statements) == 1
    assert "Idempotency-Replayed" not in first.headers

    again = api.post("/customers", ADA, idempotency_key=KEY)

    assert len(database.statements) == 3
    assert (again.status_code, again.body) == (201, first.body)
    for name in ("ETag", "Location"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(api.get("/customers").json_body["items"]) == 1


@pytest.mark.slow
def test_twenty_parallel_creates_create_one_customer(api: Api) -> None:
    with ThreadPoolExecutor(20) as clients:
        answers = list(
            clients.map(lambda _: Api().post("/customers", ADA, idempotency_key=KEY), range(20))
        )

    assert {(answer.status_code, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    assert len(api.get("/customers").json_body["items"]) == 1


@pytest.mark.parametrize("change", ["patch", "put", "delete", "restore"])
def test_retried_create_is_replayed_after_other_changes(api: Api, change: str) -> None:
    first = api.post("/customers", ADA, idempotency_key=KEY)
    path = first.headers["Location"]
    if change == "patch":
        api.patch(path, {"email": "augusta@example.com"})
        api.post("/customers", ADA)  # another customer that uses the email address
    elif change == "put":
        api.put(path, GRACE, if_match="*")
    else:
        api.delete(path)
    if change == "restore":
        api.post(path + "/restore")

    again = api.post("/customers", ADA, idempotency_key=KEY)

    assert (again.status_code, again.body) == (201, first.body)


def test_erased_customer_can_be_created_again(api: Api) -> None:
    """Erasure removes everything that could identify the customer, including the key."""
    first = api.post("/customers", ADA, idempotency_key=KEY)
    api.post(first.headers["Location"] + "/erase")

    again = api.post("/customers", ADA, idempotency_key=KEY)

    assert again.status_code == 201
    assert again.headers["Location"] != first.headers["Location"]


def test_key_reused_with_another_body_returns_422(api: Api) -> None:
    api.post("/customers", ADA, idempotency_key=KEY)

    for other in (GRACE, ADA | {"locale": "en"}, ADA | {"given_name": "ada"}):
        answer = api.post("/customers", other, idempotency_key=KEY)
        assert_problem(answer, 422, "idempotency-key-reused")


def test_equivalent_body_is_replayed(api: Api) -> None:
    first = api.post("/customers", ADA | {"phone": "+442079460000"}, idempotency_key=KEY)

    other = {"phone": "+44 20 7946-0000", "addresses": [], **dict(reversed(ADA.items()))}
    again = api.post("/customers", other, idempotency_key=KEY)

    assert again.body == first.body


def test_other_key_creates_another_customer(api: Api) -> None:
    api.post("/customers", ADA, idempotency_key=KEY)

    assert_problem(
        api.post("/customers", ADA, idempotency_key="other"),
        409,
        "email-taken",
        ("/email", "taken"),
    )
    assert api.post("/customers", GRACE, idempotency_key="other").status_code == 201


def test_keys_of_callers_are_independent(api: Api) -> None:
    api.post("/customers", ADA, idempotency_key=KEY)
    other = Api(tokens.issuer().token(sub="another"))

    assert other.post("/customers", GRACE, idempotency_key=KEY).status_code == 201


def test_stored_hashes_reveal_neither_key_nor_body(database: Database) -> None:
    """The fingerprint depends on the key, so an attacker without the key can't guess bodies."""
    keys = [Key(b"a" * 32, b"c" * 32), Key(b"b" * 32, b"d" * 32)]
    for key in keys:
        (customer,) = creates.create(database, CUSTOMERS, schemas.load_customer(ADA), key).items
        updates.delete(
            database, CUSTOMERS, UUID(customer["id"]), timedelta(days=30), Intent(None, b"")
        )

    rows = database.fetch_all("SELECT idempotency_key, idempotency_fingerprint FROM customers")

    assert not {row["idempotency_key"] for row in rows} & {key.secret for key in keys}
    assert len({row["idempotency_fingerprint"] for row in rows}) == 2


def test_keys_of_operations_are_independent(api: Api) -> None:
    api.post("/customers", ADA, idempotency_key=KEY)

    answer = api.post("/customers/batch", {"items": [GRACE]}, idempotency_key=KEY)

    assert answer.status_code == 201


def test_key_and_operation_are_not_concatenated(api: Api) -> None:
    """`create_customer` and `s1` are not `create_customers` and `1`."""
    api.post("/customers", ADA, idempotency_key="s1")

    answer = api.post("/customers/batch", {"items": [GRACE]}, idempotency_key="1")

    assert answer.status_code == 201


@pytest.mark.parametrize("key", [f'"{KEY}"', f" {KEY} "])
def test_key_may_be_quoted(api: Api, key: str) -> None:
    first = api.post("/customers", ADA, idempotency_key=KEY)

    assert api.post("/customers", ADA, idempotency_key=key).body == first.body


@pytest.mark.parametrize(
    "key", ["", '""', "x" * 256, f'"{"x" * 256}"', "a b", "ключ", '"a', 'a"b', "a\tb"]
)
def test_invalid_key_is_rejected(api: Api, key: str) -> None:
    answer = api.post("/customers", ADA, idempotency_key=key)

    assert_problem(answer, 400, "validation-error", ("Idempotency-Key", "idempotency-key"))
    (error,) = answer.json_body["errors"]
    assert "without spaces" in error["detail"]
    assert "Put a key with spaces in quotation marks." in error["detail"]


@pytest.mark.parametrize("key", ["x" * 255, '"a b"', "~!@#$%^&*()"])
def test_unusual_key_is_accepted(api: Api, key: str) -> None:
    assert api.post("/customers", ADA, idempotency_key=key).status_code == 201
    again = api.post("/customers", ADA, idempotency_key=key)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_rejected_create_does_not_use_the_key(api: Api) -> None:
    api.post("/customers", ADA)
    rejected = api.post("/customers", ADA, idempotency_key=KEY)
    invalid = api.post("/customers", {}, idempotency_key=KEY)

    assert (rejected.status_code, invalid.status_code) == (409, 400)
    assert api.post("/customers", GRACE, idempotency_key=KEY).status_code == 201


def test_fingerprint_is_stored_only_with_a_key(api: Api, database: Recorded) -> None:
    """The fingerprint is a hash of personal data, and only retries with a key need it."""
    api.post("/customers", GRACE)
    api.post("/customers/batch", batch(3), idempotency_key=KEY)

    kept = database.fetch_one(
        "SELECT COUNT(idempotency_key) AS ours, COUNT(idempotency_fingerprint) AS prints"
        " FROM customers"
    )

    assert kept == {"ours": 1, "prints": 1}


# --- batches ---------------------------------------------------------------------------------


def batch(size: int, **fields: Any) -> dict[str, Any]:
    return {"items": [ADA | {"email": f"ada{n}@example.com"} | fields for n in range(size)]}


def test_batch_is_stored_in_one_statement(api: Api, database: Recorded) -> None:
    answer = api.post("/customers/batch", batch(100))

    assert len(database.statements) == 1
    assert answer.status_code == 201
    items = answer.json_body["items"]
    assert [item["email"] for item in items] == [f"ada{n}@example.com" for n in range(100)]
    assert len({item["id"] for item in items}) == 100
    listed = api.get("/customers?limit=100").json_body["items"]
    assert sorted(map(str, listed)) == sorted(map(str, items))


def test_batch_is_listed_in_order(api: Api) -> None:
    items = api.post("/customers/batch", batch(20)).json_body["items"]

    assert api.get("/customers?sort=created_at").json_body["items"] == items


def test_retried_batch_is_replayed(api: Api) -> None:
    first = api.post("/customers/batch", batch(100), idempotency_key=KEY)
    api.patch(f"/customers/{first.json_body['items'][7]['id']}", {"locale": "en"})
    api.delete(f"/customers/{first.json_body['items'][0]['id']}")

    again = api.post("/customers/batch", batch(100), idempotency_key=KEY)
    other = api.post("/customers/batch", batch(99), idempotency_key=KEY)

    assert (again.status_code, again.body) == (201, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert_problem(other, 422, "idempotency-key-reused")


def test_batch_is_atomic(api: Api) -> None:
    api.post("/customers", ADA | {"email": "ADA3@example.com", "external_id": "crm-1"})
    items = batch(6)["items"]
    items[5]["external_id"] = "crm-1"

    answer = api.post("/customers/batch", {"items": items}, idempotency_key=KEY)

    assert_problem(
        answer,
        409,
        "email-taken",
        ("/items/3/email", "taken"),
        ("/items/5/external_id", "taken"),
    )
    assert len(api.get("/customers").json_body["items"]) == 1
    del items[5], items[3]
    assert api.post("/customers/batch", {"items": items}, idempotency_key=KEY).status_code == 201


def test_batch_with_external_id_in_use_returns_409(api: Api) -> None:
    api.post("/customers", GRACE | {"external_id": "crm-1"})

    answer = api.post("/customers/batch", batch(1, external_id="crm-1"))

    assert_problem(answer, 409, "external-id-taken", ("/items/0/external_id", "taken"))


def test_email_conflict_takes_precedence_over_external_id_conflict(api: Api) -> None:
    api.post("/customers", ADA | {"email": "ada1@example.com", "external_id": "crm-1"})
    items = batch(2)["items"]
    items[0]["external_id"] = "crm-1"

    answer = api.post("/customers/batch", {"items": items})

    assert_problem(
        answer,
        409,
        "email-taken",
        ("/items/0/external_id", "taken"),
        ("/items/1/email", "taken"),
    )


def test_errors_of_each_item_are_reported(api: Api) -> None:
    items = [*batch(2)["items"], {"given_name": 7}, "text", ADA | {"addresses": [{}]}]

    answer = api.post("/customers/batch", {"items": items})

    assert_problem(
        answer,
        400,
        "validation-error",
        ("/items/2/email", "required"),
        ("/items/2/given_name", "type"),
        ("/items/3", "type"),
        ("/items/4/addresses/0/line1", "required"),
        ("/items/4/addresses/0/country", "required"),
    )


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"items": []}, ("/items", "too-few")),
        (batch(101), ("/items", "too-many")),
        ({}, ("/items", "required")),
        ({"items": None}, ("/items", "null")),
        ({"items": {}}, ("/items", "type")),
        ({"items": [ADA], "more": 1}, ("/more", "unknown")),
        ([ADA], ("", "type")),
    ],
)
def test_invalid_batch_is_rejected(api: Api, document: object, error: tuple[str, str]) -> None:
    answer = api.post("/customers/batch", document)

    assert_problem(answer, 400, "validation-error", error)


def test_duplicates_in_a_batch_are_reported(api: Api) -> None:
    items = batch(3)["items"]
    items[2] |= {"email": "ADA0@example.com", "external_id": "x"}
    items[1] |= {"external_id": "x"}

    answer = api.post("/customers/batch", {"items": items})

    assert_problem(
        answer,
        400,
        "validation-error",
        ("/items/2/email", "repeated"),
        ("/items/2/external_id", "repeated"),
    )
    details = {error["pointer"]: error["detail"] for error in answer.json_body["errors"]}
    assert details["/items/2/email"] == "Duplicates item 0."
    assert details["/items/2/external_id"] == "Duplicates item 1."


@pytest.mark.parametrize(
    ("first", "second", "are_the_same"),
    [
        ("Ԁx@example.com", "ԁx@example.com", True),
        ("ÉVA@example.com", "éva@example.com", True),
        ("İx@example.com", "ix@example.com", False),
        ("straße@example.com", "strasse@example.com", True),
        ("éva@example.com", "eva@example.com", False),
    ],
)
def test_emails_are_compared_the_same_way_everywhere(
    api: Api, first: str, second: str, *, are_the_same: bool
) -> None:
    """Batch, database and list agree on equal email addresses, regardless of the collation."""
    items = [ADA | {"email": first}, ADA | {"email": second}]

    batch = api.post("/customers/batch", {"items": items})

    if are_the_same:
        assert_problem(batch, 400, "validation-error", ("/items/1/email", "repeated"))
        assert api.post("/customers", items[0]).status_code == 201
        answer = api.post("/customers", items[1])
        assert_problem(answer, 409, "email-taken", ("/email", "taken"))
    else:
        assert batch.status_code == 201
    found = api.get(f"/customers?{urlencode({'email': second})}").json_body["items"]
    assert [item["email"] for item in found] == [first if are_the_same else second]


@pytest.mark.parametrize("count", [101, 9_000])
def test_items_are_counted_before_they_are_validated(api: Api, count: int) -> None:
    answer = api.request("POST", "/customers/batch", b'{"items":[%s]}' % b",".join([b"{}"] * count))

    assert_problem(answer, 400, "validation-error", ("/items", "too-many"))


def test_response_reports_at_most_a_hundred_errors(api: Api) -> None:
    unknown = {f"x{n}": 1 for n in range(500)}

    assert len(api.post("/customers", ADA | unknown).json_body["errors"]) == 100


def test_batch_of_the_largest_customers_is_accepted(api: Api) -> None:
    text = "x" * 200
    address = {"line1": text, "line2": text, "city": text, "region": text, "country": "GB"}
    largest = batch(100, addresses=[address] * 5, company_name="x" * 500)

    assert api.post("/customers/batch", largest).status_code == 201


def test_too_large_batch_returns_413(api: Api) -> None:
    body = b'{"items": []}' + b" " * (1 << 20)

    assert_problem(api.request("POST", "/customers/batch", body), 413, "content-too-large")
