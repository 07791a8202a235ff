from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation, no_content
from ...types import UNSET, Unset


def delete_customer(
    customer_id: UUID,
    *,
    if_match: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[None]:
    """The customer can't be found any more, and other customers can use its email address and
    external id. The customer can be restored until it is erased. Default: after 30 days."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "DELETE",
        "/customers/{customer_id}".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        no_content,
        headers=headers,
        **_kwargs,
    )
