from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer import Customer
from ...types import UNSET, Unset


def restore_customer(
    customer_id: UUID,
    *,
    if_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """Possible until the customer is erased, unless another customer uses its email address or
    external id. If the customer is not deleted, the response is the unchanged customer."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "POST",
        "/customers/{customer_id}/restore".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        Customer.from_dict,
        headers=headers,
        **_kwargs,
    )
