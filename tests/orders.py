"""A second resource: its fields, its documentation and its operations."""

from typing import Any

from chalice import Chalice, Response
from chalice.app import AuthRequest, AuthResponse
from marshmallow import validate
from marshmallow.fields import Nested

from chalicelib.http.fields import Identifier, Items, ReadOnly, Text
from chalicelib.http.queries import Page, WholeNumber
from chalicelib.http.responses import JSON
from chalicelib.http.routing import Operations
from chalicelib.http.schemas import JSONObject
from openapi.declarations import Body, Documentation, Tag
from openapi.declarations import Response as Documented


class Line(JSONObject):
    sku = Text(40, required=True, metadata={"description": "The article."})
    note = Text(
        200, allow_none=True, load_default=None, metadata={"description": "Note for packing."}
    )


class Order(JSONObject):
    id = ReadOnly(metadata={"description": "Identifies the order."})
    customer_id = Identifier(required=True, metadata={"description": "Who ordered."})
    lines = Items(Nested(Line), max_items=50, required=True, metadata={"description": "What."})
    status = Text(
        8,
        load_default="open",
        validate=validate.OneOf(["open", "paid"]),
        metadata={"description": "Whether the order is paid."},
    )
    total = ReadOnly(metadata={"description": "Sum of the lines.", "type": "number"})


class ListOrders(Page):
    limit = WholeNumber(
        validate=validate.Range(1, 30), metadata={"description": "Number of orders per page."}
    )


NEW = {"customer_id": "01a2043a-b5d2-7386-b484-33764a732a70", "lines": [{"sku": "A1"}]}
ORDER: dict[str, Any] = {
    "id": "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e31",
    **NEW,
    "lines": [{"sku": "A1", "note": None}],
    "status": "open",
    "total": 9.5,
}
PAGE = {"items": [ORDER], "next": None, "has_more": False}
ORDERS = Tag("orders", "Orders.", Order, example=ORDER)

CREATE = Documentation(
    ORDERS,
    responses={
        201: Documented(
            "The new order.", "Order", ORDER, headers=("Location",), links=("get_order",)
        )
    },
    problems=("validation-error",),
    headers=("Idempotency-Key",),
    body=Body("OrderCreation", NEW),
)
LIST = Documentation(
    ORDERS,
    responses={200: Documented("A page.", "OrderPage", PAGE)},
    defaults={"limit": 10},
)
GET = Documentation(
    ORDERS,
    responses={200: Documented("The order.", "Order", ORDER)},
    problems=("validation-error",),
)

app = Chalice("orders")


@app.authorizer()
def authorize(_: AuthRequest) -> AuthResponse:
    raise NotImplementedError


operation = Operations(app, authorize, {"orders:read": "read orders", "orders:write": "order"})


@operation(
    "/orders",
    "GET",
    scope="orders:read",
    query="tests.orders:ListOrders",
    documentation="tests.orders:LIST",
)
def get_orders(*_: object) -> Response:
    """List orders."""
    raise NotImplementedError


@operation(
    "/orders",
    "POST",
    scope="orders:write",
    consumes=[JSON],
    share=0.25,
    documentation="tests.orders:CREATE",
)
def create_order(*_: object) -> Response:
    """Create an order.

    First paragraph,
    in two lines.

    Second paragraph.
    """
    raise NotImplementedError


@operation("/orders/{order_id}", "GET", scope="orders:read", documentation="tests.orders:GET")
def get_order(*_: object) -> Response:
    """Read an order."""
    raise NotImplementedError
