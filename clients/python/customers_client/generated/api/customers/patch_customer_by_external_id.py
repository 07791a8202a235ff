from typing import Any
from urllib.parse import quote

from ....operation import Operation
from ...models.customer import Customer
from ...models.customer_patch import CustomerPatch
from ...types import UNSET, Unset


def patch_customer_by_external_id(
    external_id: str,
    *,
    body: CustomerPatch,
    if_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[Customer]:
    """The body is a [merge patch](https://www.rfc-editor.org/rfc/rfc7396), as by id. A patch may
    change the external id."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/merge-patch+json"
    return Operation(
        "PATCH",
        "/customers/by-external-id/{external_id}".format(
            external_id=quote(str(external_id), safe=""),
        ),
        Customer.from_dict,
        headers=headers,
        **_kwargs,
    )
