from typing import Any

from ....operation import Operation
from ...models.customer_creation_list import CustomerCreationList
from ...models.customer_list import CustomerList
from ...types import UNSET, Unset


def create_customers(
    *,
    body: CustomerCreationList,
    idempotency_key: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerList]:
    """Creates all customers, or none if one of them is invalid or conflicts. Maximum: 100
    customers and 1 MiB. In a problem, `errors` names each invalid value by its place, such as
    `/items/3/email`.

    With `Prefer: handling=lenient`, creates every customer that it can. The response is 207,
    with a status for each item."""
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    return Operation(
        "POST",
        "/customers/batch",
        CustomerList.from_dict,
        headers=headers,
        **_kwargs,
    )
