"""Documentation of the orders' operations: examples, responses and problems."""

from typing import Any

from chalicelib.orders.fields import ORDERS as RESOURCE
from chalicelib.orders.schemas import Order
from openapi.declarations import Body, Documentation, Response, Tag

NEW: dict[str, Any] = {
    "customer_id": "01a2043a-b5d2-7386-b484-33764a732a70",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price": 995}],
    "currency": "EUR",
}
ORDER: dict[str, Any] = {
    "id": "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e31",
    "version": 1,
    **NEW,
    "total": 1990,
    "status": "open",
    "created_at": "2026-03-02T09:30:00.000Z",
    "updated_at": "2026-03-02T09:30:00.000Z",
    "deleted_at": None,
    "purge_at": None,
}
PAID = ORDER | {"version": 2, "status": "paid"}
PAGE = {"items": [ORDER], "next": None, "has_more": False}

ORDERS = Tag("orders", "Orders.", schema=Order, example=ORDER, problems=(RESOURCE.missing(),))
ONE = ("validation-error", "order-not-found", "precondition-failed")
BODY = ("malformed-json", "validation-error", "content-too-large", "unsupported-media-type")

LIST = Documentation(
    ORDERS,
    responses={200: Response("A page of orders.", "OrderPage", PAGE, headers=("Link",))},
    problems=("validation-error",),
)

CREATE = Documentation(
    ORDERS,
    responses={
        201: Response(
            "The new order.",
            "Order",
            ORDER,
            headers=("ETag", "Location", "Idempotency-Replayed"),
            links=("get_order", "patch_order", "delete_order"),
        )
    },
    problems=(*BODY, "idempotency-key-reused"),
    headers=("Idempotency-Key",),
    body=Body("OrderCreation", NEW),
)

GET = Documentation(
    ORDERS,
    responses={
        200: Response("The order.", "Order", ORDER, headers=("ETag",)),
        304: Response("The order has not changed.", headers=("ETag",)),
    },
    problems=ONE,
    headers=("If-Match", "If-None-Match"),
)

PATCH = Documentation(
    ORDERS,
    responses={
        200: Response("The updated order.", "Order", PAID, headers=("ETag",)),
        204: Response("With `Prefer: return=minimal`.", headers=("ETag", "Preference-Applied")),
    },
    problems=(*BODY, "order-not-found", "precondition-failed"),
    headers=("If-Match", "Prefer"),
    body=Body("OrderPatch", {"status": "paid"}),
)

DELETE = Documentation(
    ORDERS,
    responses={204: Response("The order is deleted.")},
    problems=ONE,
    headers=("If-Match",),
)
