"""Orders over HTTP: created once, listed in pages, and updated with optimistic locking."""

from typing import Any

import pytest

from openapi.orders import NEW
from tests import tokens
from tests.api import Api, assert_problem
from tests.recorded import Recorded

OTHER = "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e31"


@pytest.fixture
def orders(api: Api, database: Recorded) -> Api:
    database.execute("DELETE FROM orders")
    return api


def test_order_is_created_and_read_with_one_statement_each(orders: Api, database: Recorded) -> None:
    database.statements.clear()

    created = orders.post("/orders", NEW)
    read = orders.get(created.headers["Location"])

    assert (created.status_code, created.headers["ETag"]) == (201, '"v1"')
    assert created.json_body["total"] == 1990
    assert created.json_body.items() >= NEW.items()
    assert (read.status_code, read.json_body) == (200, created.json_body)
    assert len(database.statements) == 2
    unchanged = orders.get(created.headers["Location"], if_none_match='"v1"')
    assert (unchanged.status_code, unchanged.body) == (304, b"")


def test_retried_create_returns_the_first_order(orders: Api) -> None:
    first = orders.post("/orders", NEW, idempotency_key="a")
    retried = orders.post("/orders", NEW, idempotency_key="a")
    reused = orders.post("/orders", NEW | {"currency": "USD"}, idempotency_key="a")

    assert (retried.status_code, retried.body) == (201, first.body)
    assert retried.headers["Idempotency-Replayed"] == "true"
    assert_problem(reused, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"customer_id": "7"}, ("/customer_id", "uuid")),
        ({"lines": []}, ("/lines", "too-few")),
        ({"lines": [NEW["lines"][0] | {"quantity": 0}]}, ("/lines/0/quantity", "range")),
        ({"lines": [NEW["lines"][0] | {"unit_price": 9.95}]}, ("/lines/0/unit_price", "type")),
        ({"currency": "eur"}, ("/currency", "choice")),
        ({"total": 1}, ("/total", "read-only")),
    ],
)
def test_invalid_order_is_rejected(
    orders: Api, changes: dict[str, Any], error: tuple[str, str]
) -> None:
    assert_problem(orders.post("/orders", NEW | changes), 400, "validation-error", error)


def test_list_has_pages_and_filters(orders: Api) -> None:
    created = [orders.post("/orders", NEW).json_body for _ in range(3)]
    orders.post("/orders", NEW | {"customer_id": OTHER, "status": "paid"})

    first = orders.get(f"/orders?customer_id={NEW['customer_id']}&limit=2").json_body
    last = orders.get(first["next"]).json_body

    assert first["items"] + last["items"] == created[::-1]
    assert (last["next"], last["has_more"]) == (None, False)
    (paid,) = orders.get("/orders?status=paid").json_body["items"]
    assert paid["customer_id"] == OTHER
    assert len(orders.get("/orders").json_body["items"]) == 4
    assert_problem(orders.get("/orders?cursor=x"), 400, "validation-error", ("cursor", "cursor"))


def test_update_with_an_old_version_is_rejected(orders: Api) -> None:
    path = orders.post("/orders", NEW).headers["Location"]
    line = {"sku": "B-2", "quantity": 3, "unit_price": 100}

    patched = orders.patch(path, {"lines": [line], "status": "paid"}, if_match='"v1"')
    outdated = orders.patch(path, {"status": "open"}, if_match='"v1"')

    assert (patched.status_code, patched.headers["ETag"]) == (200, '"v2"')
    assert (patched.json_body["total"], patched.json_body["status"]) == (300, "paid")
    assert orders.get(path).json_body == patched.json_body
    assert_problem(outdated, 412, "precondition-failed")
    assert outdated.json_body["detail"].startswith("The order has changed: ")


def test_deleted_order_is_not_found(orders: Api) -> None:
    path = orders.post("/orders", NEW).headers["Location"]

    assert_problem(orders.delete(path, if_match='"v7"'), 412, "precondition-failed")
    assert orders.delete(path, if_match='"v1"').status_code == 204
    assert_problem(orders.get(path), 404, "order-not-found")
    assert_problem(orders.patch(path, {"status": "paid"}), 404, "order-not-found")
    assert orders.get("/orders").json_body["items"] == []


@pytest.mark.parametrize("path", [f"/orders/{OTHER}", "/orders/7"])
def test_unknown_order_is_not_found(orders: Api, path: str) -> None:
    assert_problem(orders.get(path), 404, "order-not-found")


def test_reader_may_not_write(orders: Api) -> None:
    path = orders.post("/orders", NEW).headers["Location"]
    reader = Api(tokens.token("orders:read"))

    assert reader.get(path).status_code == 200
    assert_problem(reader.delete(path), 403, "insufficient-scope")
