"""A second resource gets from the HTTP core what customers get, on the real database."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from chalice import Chalice, Response
from chalice.app import AuthRequest, AuthResponse
from chalice.test import Client
from marshmallow.fields import Nested

from chalicelib.database import Database, tables
from chalicelib.http import (
    creates,
    lists,
    problems,
    reads,
    responses,
    schemas,
    updates,
)
from chalicelib.http.fields import Identifier, Integer, Items, ReadOnly, Text
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import Problem
from chalicelib.http.requests import Request
from chalicelib.http.resources import Field, Resource, Unique
from chalicelib.http.responses import JSON, MERGE_PATCH
from chalicelib.http.routing import Operations
from chalicelib.http.values import DOCUMENT, IDENTIFIER, INTEGER
from chalicelib.observability import logs
from chalicelib.tokens import authorizer
from local.gateway import Gateway
from tests import tokens
from tests.api import Api, assert_problem
from tests.recorded import Recorded

KEY = b"k" * 32
RETENTION = timedelta(days=30)

# --- what a resource declares ----------------------------------------------------------------

TABLE = """
CREATE TABLE orders (
    id BINARY(16) NOT NULL PRIMARY KEY,
    version INT UNSIGNED NOT NULL,
    number VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    customer_id BINARY(16) NOT NULL,
    `lines` MEDIUMTEXT NOT NULL,
    total INT NOT NULL,
    status VARCHAR(9) NOT NULL,
    note VARCHAR(100) NULL,
    updated_at DATETIME(3) NOT NULL,
    deleted_at DATETIME(3) NULL,
    purge_at DATETIME(3) NULL,
    erased_at DATETIME(3) NULL,
    history TEXT NULL,
    last_write BINARY(32) NULL,
    idempotency_key BINARY(32) NULL UNIQUE,
    idempotency_fingerprint BINARY(32) NULL,
    number_live VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        GENERATED ALWAYS AS (IF(deleted_at IS NULL, number, NULL)) STORED UNIQUE
)
"""


class OrderNotFound(Problem):
    status = 404
    type = "order-not-found"
    title = "Order not found"


class NumberTaken(Problem):
    status = 409
    type = "number-taken"
    title = "Order number already in use"


ORDERS = Resource(
    "order",
    "orders",
    OrderNotFound,
    fields=[
        Field("number"),
        Field("customer_id", IDENTIFIER),
        Field("lines", DOCUMENT),
        Field("total", INTEGER),
        Field("status", is_detail=True),
        Field("note", is_detail=True),
    ],
    unique=[Unique("number", NumberTaken, column="number")],
)


class ItemLine(schemas.JSONObject):
    sku = Text(20, required=True)
    quantity = Integer(1, 999, required=True)


class Order(schemas.JSONObject):
    id = ReadOnly()
    version = ReadOnly()
    number = Text(20, required=True)
    customer_id = Identifier(required=True)
    lines = Items(Nested(ItemLine), max_items=50, required=True)
    total = Integer(0, 10**9, required=True)
    status = Text(9, load_default="open")
    note = Text(100, allow_none=True, load_default=None)
    created_at = ReadOnly()
    updated_at = ReadOnly()
    deleted_at = ReadOnly()
    purge_at = ReadOnly()


class Batch(schemas.Batch):
    unique = ORDERS.unique
    items = schemas.items_of(Order, "The new orders.")


# --- its views -------------------------------------------------------------------------------

app = Chalice("orders")
logs.configure(app.log)
app.log.setLevel("INFO")
connected: list[Database] = []


@app.authorizer()
def authorize(request: AuthRequest) -> AuthResponse | dict[str, Any]:
    return authorizer.authorize(request)


operation = Operations(app, authorize, {"customers:write": "everything"})
declare = partial(operation, scope="customers:write")


@declare("/orders", "GET", query="tests.orders:ListOrders")
def get_orders(request: Request, cursor: str | None = None) -> Response:
    return responses.page(
        request, lists.newest(connected[0], ORDERS, {}, limit=2, cursor=cursor, key=KEY)
    )


@declare("/orders", "POST", consumes=[JSON])
def create_order(request: Request) -> Response:
    key = request.idempotency_key("create_order")
    fields = schemas.load(Order, request.document())
    return responses.created(request, ORDERS, creates.create(connected[0], ORDERS, fields, key))


@declare("/orders/batch", "POST", consumes=[JSON])
def create_orders(request: Request) -> Response:
    key = request.idempotency_key("create_orders")
    batch = schemas.load_batch(Batch, request.document())
    created = creates.create_all(connected[0], ORDERS, batch, key)
    return responses.all_created(request, ORDERS, created)


@declare("/orders/{order_id}", "GET", "HEAD")
def get_order(request: Request, order_id: str) -> Response:
    return responses.found(
        request, ORDERS, reads.get(connected[0], ORDERS, ORDERS.parse_id(order_id))
    )


@declare("/orders/{order_id}", "PUT", consumes=[JSON])
def replace_order(request: Request, order_id: str) -> Response:
    load = partial(schemas.load, Order, request.document())
    request.require_if_match()
    order = updates.replace(connected[0], ORDERS, ORDERS.parse_id(order_id), load, request.intent)
    return responses.written(request, ORDERS, order)


@declare("/orders/{order_id}", "PATCH", consumes=[MERGE_PATCH])
def patch_order(request: Request, order_id: str) -> Response:
    edit = partial(schemas.load_patch, Order, request.document())
    order = updates.change(connected[0], ORDERS, ORDERS.parse_id(order_id), edit, request.intent)
    return responses.written(request, ORDERS, order)


@declare("/orders/{order_id}", "DELETE")
def delete_order(request: Request, order_id: str) -> Response:
    updates.delete(connected[0], ORDERS, ORDERS.parse_id(order_id), RETENTION, request.intent)
    return responses.removed(request, ORDERS, ORDERS.parse_id(order_id))


@declare("/orders/{order_id}/restore", "POST")
def restore_order(request: Request, order_id: str) -> Response:
    order = updates.restore(connected[0], ORDERS, ORDERS.parse_id(order_id), request.intent)
    return responses.written(request, ORDERS, order)


operation.answer_other_methods()

# --- tests -----------------------------------------------------------------------------------

NEW = {
    "number": "A-1",
    "customer_id": "01a2043a-b5d2-7386-b484-33764a732a70",
    "lines": [{"sku": 'x"1', "quantity": 2}],
    "total": 1999,
}
UNKNOWN = "/orders/01a2043a-b5d2-7386-b484-33764a732a70"


class OrdersApi(Api):
    def __init__(self) -> None:
        client = Client(app, stage_name="local")
        self._http = client.http
        self._http._local_gateway = Gateway(  # type: ignore[assignment]
            app, client._chalice_config
        )
        self._token = tokens.token("customers:write")


@pytest.fixture
def orders(migrated: Database) -> Iterator[Recorded]:
    """Create the table, and record the statements on it."""
    migrated.execute(TABLE)
    recorded = Recorded(migrated)
    connected.append(recorded)
    yield recorded
    connected.clear()
    migrated.execute("DROP TABLE orders")


@pytest.fixture
def api(orders: Recorded) -> OrdersApi:  # noqa: ARG001 (the views use it)
    return OrdersApi()


def test_order_is_created_and_read(api: OrdersApi, orders: Recorded) -> None:
    created = api.post("/orders", NEW)
    read = api.get(created.headers["Location"])

    assert created.status_code == 201
    assert created.headers["ETag"] == read.headers["ETag"] == '"v1"'
    assert read.json_body == created.json_body
    assert {name: created.json_body[name] for name in NEW} == NEW
    assert list(created.json_body) == list(ORDERS.names)
    assert len(orders.statements) == 2
    assert api.get(created.headers["Location"], if_none_match='"v1"').status_code == 304


def test_retried_create_is_replayed(api: OrdersApi) -> None:
    first = api.post("/orders", NEW, idempotency_key="a")
    again = api.post("/orders", NEW, idempotency_key="a")

    assert (again.status_code, again.body) == (201, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = api.post("/orders", NEW | {"total": 1}, idempotency_key="a")
    assert_problem(other, 422, "idempotency-key-reused")


def test_unique_field_conflicts_with_the_resources_own_problem(api: OrdersApi) -> None:
    api.post("/orders", NEW)

    conflict = api.post("/orders", NEW)

    assert_problem(conflict, 409, "number-taken", ("/number", "taken"))
    assert conflict.json_body["errors"][0]["detail"] == "Already used by another order."


def test_batch_is_created_atomically(api: OrdersApi, orders: Recorded) -> None:
    items = [NEW | {"number": f"B-{n}"} for n in range(3)]

    created = api.post("/orders/batch", {"items": items}, idempotency_key="b")

    assert [item["number"] for item in created.json_body["items"]] == ["B-0", "B-1", "B-2"]
    assert len(orders.statements) == 1
    again = api.post("/orders/batch", {"items": items}, idempotency_key="b")
    assert again.body == created.body
    twice = api.post("/orders/batch", {"items": [NEW, NEW]})
    assert_problem(twice, 400, "validation-error", ("/items/1/number", "repeated"))


def test_list_is_paged(api: OrdersApi) -> None:
    api.post("/orders/batch", {"items": [NEW | {"number": f"L-{n}"} for n in range(3)]})

    first = api.get("/orders").json_body
    last = api.get(first["next"]).json_body

    assert [item["number"] for item in first["items"]] == ["L-2", "L-1"]
    assert ([item["number"] for item in last["items"]], last["has_more"]) == (["L-0"], False)
    assert last["next"] is None
    forged = first["next"][:-1] + ("y" if first["next"].endswith("x") else "x")
    assert_problem(api.get(forged), 400, "validation-error", ("cursor", "cursor"))


def test_list_is_filtered_by_equal_values(api: OrdersApi, orders: Recorded) -> None:
    paid, _ = (api.post("/orders", NEW | {"number": each, "status": each}) for each in ("a", "b"))

    page = lists.newest(orders, ORDERS, {"status": "a"}, limit=2, cursor=None, key=KEY)

    assert json.loads(page.items) == [paid.json_body]


def test_integer_is_a_number_without_a_fraction(api: OrdersApi) -> None:
    whole = api.post("/orders", NEW | {"total": 1999.0})

    assert whole.json_body["total"] == 1999
    assert_problem(
        api.post("/orders", NEW | {"total": 0.5}), 400, "validation-error", ("/total", "type")
    )
    assert_problem(
        api.post("/orders", NEW | {"total": "1"}), 400, "validation-error", ("/total", "type")
    )
    assert_problem(
        api.post("/orders", NEW | {"total": -1}), 400, "validation-error", ("/total", "range")
    )


def test_patch_and_replacement_use_optimistic_locking(api: OrdersApi) -> None:
    created = api.post("/orders", NEW)
    path = created.headers["Location"]

    patched = api.patch(path, {"note": "Fragile", "total": 5}, if_match='"v1"')
    retried = api.patch(path, {"note": "Fragile", "total": 5}, if_match='"v1"')
    outdated = api.patch(path, {"total": 6}, if_match='"v1"')
    replaced = api.put(path, created.json_body | {"version": 2, "total": 7}, if_match='"v2"')

    assert (patched.json_body["note"], patched.headers["ETag"]) == ("Fragile", '"v2"')
    assert retried.body == patched.body
    assert_problem(outdated, 412, "precondition-failed")
    assert outdated.json_body["detail"].startswith("The order has changed: ")
    assert (replaced.json_body["note"], replaced.json_body["total"]) == (None, 7)
    assert replaced.headers["ETag"] == '"v3"'
    assert_problem(api.put(path, NEW), 428, "precondition-required")


def test_merge_patch_names_invalid_fields(api: OrdersApi) -> None:
    path = api.post("/orders", NEW).headers["Location"]

    invalid = api.patch(
        path,
        {
            "id": "x",
            "number": None,
            "color": "red",
            "lines": [{"sku": ""}],
            "customer_id": "1",
        },
    )

    assert_problem(
        invalid,
        400,
        "validation-error",
        ("/color", "unknown"),
        ("/customer_id", "uuid"),
        ("/id", "read-only"),
        ("/lines/0/quantity", "required"),
        ("/lines/0/sku", "blank"),
        ("/number", "null"),
    )


def test_deleted_order_can_be_restored(api: OrdersApi) -> None:
    path = api.post("/orders", NEW).headers["Location"]

    assert api.delete(path, if_match='"v1"').status_code == 204
    assert api.delete(path, if_match='"v1"').status_code == 204  # a retry
    assert_problem(api.get(path), 404, "order-not-found")
    restored = api.post(path + "/restore")

    assert (restored.status_code, restored.headers["ETag"]) == (200, '"v3"')
    assert api.get(path).json_body == restored.json_body


def test_restore_conflicts_with_an_order_of_the_same_number(api: OrdersApi) -> None:
    path = api.post("/orders", NEW).headers["Location"]
    api.delete(path)
    api.post("/orders", NEW)

    assert_problem(api.post(path + "/restore"), 409, "number-taken", ("/number", "taken"))


@pytest.mark.parametrize("method", ["get", "delete"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [(UNKNOWN, ", or it was deleted."), ("/orders/1", ", because it is not a UUID.")],
)
def test_unknown_order_is_not_found(api: OrdersApi, method: str, path: str, reason: str) -> None:
    missing = getattr(api, method)(path)

    assert_problem(missing, 404, "order-not-found")
    assert missing.json_body["detail"] == f"No order has this id{reason}"


def test_audit_names_the_resource(api: OrdersApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(logs.Formatter())
    app.log.addHandler(caplog.handler)

    order = api.post("/orders", NEW).json_body

    app.log.removeHandler(caplog.handler)
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    (audit,) = [line for line in lines if line["message"] == "audit"]
    assert (audit["orders"], audit["version"]) == ([order["id"]], 1)
    assert "customers" not in audit


def test_lost_response_of_an_update_is_read_back(orders: Recorded) -> None:
    (order,) = creates.create(orders, ORDERS, schemas.load(Order, NEW)).items
    intent = Intent({1}, b"f" * 32)
    edit = partial(schemas.load_patch, Order, {"status": "paid"})

    first = updates.change(orders, ORDERS, UUID(order["id"]), edit, intent)
    again = updates.change(orders, ORDERS, UUID(order["id"]), edit, intent)

    assert first == again
    with pytest.raises(problems.PreconditionFailed):
        updates.change(orders, ORDERS, UUID(order["id"]), edit, Intent({1}, b"g" * 32))


def test_inserted_rows_share_columns_but_not_parameters() -> None:
    rows = [{"street": "a", "street_1": "b"}, {"street": "c", "city": "d"}]

    sql, parameters = tables.insertion("places", rows, "Ada")

    line = "CONCAT_WS(' ', 1, CURRENT_TIMESTAMP(3), 'created', :history_caller)"
    assert sql == (
        "INSERT INTO places (`street`, `street_1`, `city`, `history`) VALUES"
        f" (:street_0, :street_1_0, :city_0, {line}), (:street_1, :street_1_1, :city_1, {line})"
    )
    assert parameters == {
        "street_0": "a",
        "street_1_0": "b",
        "city_0": None,
        "street_1": "c",
        "street_1_1": None,
        "city_1": "d",
        "history_caller": "Ada",
    }
    assert tables.insertion("places", [{"id": 1}], "Ada") == (
        f"INSERT INTO places (`id`, `history`) VALUES (:id, {line})",
        {"id": 1, "history_caller": "Ada"},
    )
