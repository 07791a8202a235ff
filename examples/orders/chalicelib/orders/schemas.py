"""Validate orders in request bodies, and the query parameters of their list."""

from typing import Any

from marshmallow import post_load, validate
from marshmallow.fields import Nested

from chalicelib.http.fields import MESSAGES, Identifier, Integer, Items, ReadOnly, Text
from chalicelib.http.queries import Page
from chalicelib.http.schemas import CHOICE, JSONObject, Versioned

IS_CURRENCY = validate.OneOf(("EUR", "GBP", "USD"), error=CHOICE)
IS_STATUS = validate.OneOf(("open", "paid", "shipped"), error=CHOICE)


class Line(JSONObject):
    sku = Text(40, required=True, metadata={"description": "Article number."})
    quantity = Integer(1, 1_000, required=True, metadata={"description": "Number of articles."})
    unit_price = Integer(
        0, 100_000_000, required=True, metadata={"description": "Price of one article, in cents."}
    )


class Order(Versioned):
    customer_id = Identifier(required=True, metadata={"description": "The customer's `id`."})
    lines = Items(
        Nested(Line, error_messages=MESSAGES),
        max_items=50,
        required=True,
        validate=validate.Length(min=1, error="too-few: Must have at least {min} item."),
        metadata={"description": "The ordered articles."},
    )
    total = ReadOnly(metadata={"description": "Sum of the lines, in cents.", "type": "integer"})
    currency = Text(
        3,
        required=True,
        validate=IS_CURRENCY,
        metadata={"description": "Currency of the prices (ISO 4217)."},
    )
    status = Text(
        7,
        load_default="open",
        validate=IS_STATUS,
        metadata={"description": "Progress of the order."},
    )

    @post_load
    def _add_total(self, order: dict[str, Any], **_: Any) -> dict[str, Any]:
        total = sum(line["quantity"] * line["unit_price"] for line in order["lines"])
        return order | {"total": total}


class GetOrders(Page):
    customer_id = Identifier(metadata={"description": "Filter by customer."})
    status = Text(7, validate=IS_STATUS, metadata={"description": "Filter by status."})
