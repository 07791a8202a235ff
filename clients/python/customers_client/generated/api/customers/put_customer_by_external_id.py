from typing import Any
from urllib.parse import quote

from ....operation import Operation
from ...models.customer import Customer
from ...models.customer_replacement import CustomerReplacement
from ...models.put_customer_by_external_id_if_none_match import PutCustomerByExternalIdIfNoneMatch
from ...types import UNSET, Unset


def put_customer_by_external_id(
    external_id: str,
    *,
    body: CustomerReplacement,
    if_match: str | Unset = UNSET,
    if_none_match: PutCustomerByExternalIdIfNoneMatch | Unset = UNSET,
    prefer: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """Creates the customer if no customer has the external id, and otherwise replaces all
    writable fields. `If-None-Match: *` only creates, and `If-Match` only replaces. The
    request may be repeated, for example if its response was lost."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = str(if_none_match)

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "PUT",
        "/customers/by-external-id/{external_id}".format(
            external_id=quote(str(external_id), safe=""),
        ),
        Customer.from_dict,
        headers=headers,
        **_kwargs,
    )
