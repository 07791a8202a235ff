from typing import Any

from ....operation import Operation
from ...models.customer import Customer
from ...models.customer_creation import CustomerCreation
from ...types import UNSET, Unset


def create_customer(
    *,
    body: CustomerCreation,
    idempotency_key: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """Send an `Idempotency-Key` to make retries safe: requests with the same key create one
    customer, and the response to a retry has the header `Idempotency-Replayed: true`."""
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "POST",
        "/customers",
        Customer.from_dict,
        headers=headers,
        **_kwargs,
    )
