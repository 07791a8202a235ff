from typing import Any

from ....operation import Operation
from ...models.customer_change_page import CustomerChangePage
from ...types import UNSET, Unset


def get_changes(
    *,
    fields: str | Unset = UNSET,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[CustomerChangePage]:
    """Returns every customer that has changed since the cursor, once, in the order of the
    changes. Deleted and erased customers are returned without their fields. `next` is always
    present, and never expires: request it after `Retry-After` seconds for further changes. A
    change appears a minute later, so that no change is missed.

    Without a cursor, the feed begins with the oldest change, and so is an export of all
    customers. `application/x-ndjson` has one line per customer; `Link` then has the next
    page."""
    headers: dict[str, Any] = {}
    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    params: dict[str, Any] = {}

    params["fields"] = fields

    params["limit"] = limit

    params["cursor"] = cursor

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {}
    return Operation(
        "GET",
        "/customers/changes",
        CustomerChangePage.from_dict,
        params=params,
        headers=headers,
        **_kwargs,
    )
