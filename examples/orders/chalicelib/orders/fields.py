"""The fields of an order, and how they are stored."""

from chalicelib.http.problems import Problem
from chalicelib.http.resources import Field, Resource
from chalicelib.http.values import DOCUMENT, IDENTIFIER, INTEGER


class OrderNotFound(Problem):
    status = 404
    type = "order-not-found"
    title = "Order not found"


ORDERS = Resource(
    "order",
    "orders",
    OrderNotFound,
    fields=[
        Field("customer_id", IDENTIFIER),
        Field("lines", DOCUMENT),
        Field("total", INTEGER),
        Field("currency"),
        Field("status"),
    ],
)
