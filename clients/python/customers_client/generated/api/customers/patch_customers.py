from typing import Any

from ....operation import Operation
from ...models.customer_list import CustomerList
from ...models.customer_patch_list import CustomerPatchList
from ...types import UNSET, Unset


def patch_customers(
    *,
    body: CustomerPatchList,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerList]:
    """Each item has the `id` and the `version` of a customer that you have read, and the fields
    of a merge patch. Updates all customers, or none if one of them is invalid, has changed or
    conflicts. Maximum: 100 customers and 1 MiB. Repeat the same request if its response was
    lost."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "PATCH",
        "/customers",
        CustomerList.from_dict,
        headers=headers,
        **_kwargs,
    )
