from typing import Any
from urllib.parse import quote

from ....operation import Operation
from ...models.customer import Customer
from ...types import UNSET, Unset


def get_customer_by_external_id(
    external_id: str,
    *,
    fields: str | Unset = UNSET,
    if_match: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """`Content-Location` is the customer's own path. `ETag` also names the customer, because
    another one may get the external id."""
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
        "/customers/by-external-id/{external_id}".format(
            external_id=quote(str(external_id), safe=""),
        ),
        Customer.from_dict,
        params=params,
        headers=headers,
        **_kwargs,
    )
