from typing import Any

from ....operation import Operation, no_content
from ...models.customer_reference_list import CustomerReferenceList
from ...types import UNSET, Unset


def delete_customers(
    *,
    body: CustomerReferenceList,
    request_id: str | Unset = UNSET,
) -> Operation[None]:
    """Each item has the `id` and the `version` of a customer that you have read. Deletes all
    customers, or none if one of them has changed. Maximum: 100 customers. Repeat the same
    request if its response was lost."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "POST",
        "/customers/delete",
        no_content,
        headers=headers,
        **_kwargs,
    )
