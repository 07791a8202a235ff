from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer_erasure import CustomerErasure
from ...types import UNSET, Unset


def get_erasure(
    customer_id: UUID,
    *,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerErasure]:
    """Returns the time of the erasure, and a signed receipt that can be verified without the
    service. The receipt is the same each time. A customer that was not erased, and an id that
    no customer ever had, have different problems."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers/{customer_id}/erasure".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        CustomerErasure.from_dict,
        headers=headers,
        **_kwargs,
    )
