from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer import Customer
from ...models.customer_replacement import CustomerReplacement
from ...types import UNSET, Unset


def replace_customer(
    customer_id: UUID,
    *,
    body: CustomerReplacement,
    if_match: str,
    prefer: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """Replaces all writable fields. Fields that are not sent get their defaults. `If-Match` is
    required, so that concurrent updates are not lost. Read-only fields may be sent unchanged."""
    headers: dict[str, Any] = {}
    headers["If-Match"] = if_match

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "PUT",
        "/customers/{customer_id}".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        Customer.from_dict,
        headers=headers,
        **_kwargs,
    )
