import datetime
from typing import Any

from ....operation import Operation
from ...models.customer_page import CustomerPage
from ...models.get_customers_sort import GetCustomersSort
from ...models.get_customers_status import GetCustomersStatus
from ...types import UNSET, Unset


def get_customers(
    *,
    fields: str | Unset = UNSET,
    limit: int | Unset = 20,
    cursor: str | Unset = UNSET,
    sort: GetCustomersSort | Unset = UNSET,
    email: str | Unset = UNSET,
    phone: str | Unset = UNSET,
    external_id: str | Unset = UNSET,
    status: GetCustomersStatus | Unset = UNSET,
    created_after: datetime.datetime | Unset = UNSET,
    created_before: datetime.datetime | Unset = UNSET,
    updated_after: datetime.datetime | Unset = UNSET,
    q: str | Unset = UNSET,
    include_deleted: bool | Unset = False,
    id: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerPage]:
    """Returns one page. `next` is the path of the next page: request it unchanged. Creating or
    deleting customers between two requests neither skips nor repeats other customers.

    `include_deleted=true` also requires the scope `customers:write`."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    params: dict[str, Any] = {}

    params["fields"] = fields

    params["limit"] = limit

    params["cursor"] = cursor

    json_sort: str | Unset = UNSET
    if not isinstance(sort, Unset):
        json_sort = sort.value

    params["sort"] = json_sort

    params["email"] = email

    params["phone"] = phone

    params["external_id"] = external_id

    json_status: str | Unset = UNSET
    if not isinstance(status, Unset):
        json_status = status.value

    params["status"] = json_status

    json_created_after: str | Unset = UNSET
    if not isinstance(created_after, Unset):
        json_created_after = created_after.isoformat()
    params["created_after"] = json_created_after

    json_created_before: str | Unset = UNSET
    if not isinstance(created_before, Unset):
        json_created_before = created_before.isoformat()
    params["created_before"] = json_created_before

    json_updated_after: str | Unset = UNSET
    if not isinstance(updated_after, Unset):
        json_updated_after = updated_after.isoformat()
    params["updated_after"] = json_updated_after

    params["q"] = q

    params["include_deleted"] = include_deleted

    params["id"] = id

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers",
        CustomerPage.from_dict,
        params=params,
        headers=headers,
        **_kwargs,
    )
