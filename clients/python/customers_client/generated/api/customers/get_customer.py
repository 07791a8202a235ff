from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer import Customer
from ...types import UNSET, Unset


def get_customer(
    customer_id: UUID,
    *,
    fields: str | Unset = UNSET,
    if_match: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """`ETag` identifies the version. Send it in `If-None-Match` to get 304 without a body if the
    customer has not changed, or in `If-Match` to get 412 if it has."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    params: dict[str, Any] = {}

    params["fields"] = fields

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers/{customer_id}".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        Customer.from_dict,
        params=params,
        headers=headers,
        **_kwargs,
    )
