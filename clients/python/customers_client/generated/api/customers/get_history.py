from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer_history import CustomerHistory
from ...types import UNSET, Unset


def get_history(
    customer_id: UUID,
    *,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerHistory]:
    """Returns the last 20 versions, the newest first: when and how the customer changed, a
    pseudonym of the caller, and the names of the changed fields. The values of fields are not
    kept. The history of a deleted customer can be read until it is erased."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers/{customer_id}/history".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        CustomerHistory.from_dict,
        headers=headers,
        **_kwargs,
    )
