from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation
from ...models.customer_export import CustomerExport
from ...types import UNSET, Unset


def export_customer(
    customer_id: UUID,
    *,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerExport]:
    """Returns everything that the service keeps about one person, in one document (GDPR,
    articles 15 and 20): the customer, its history, and the texts by which the service finds
    it. A deleted customer can be exported until it is erased."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers/{customer_id}/export".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        CustomerExport.from_dict,
        headers=headers,
        **_kwargs,
    )
