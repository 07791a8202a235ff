from typing import Any
from urllib.parse import quote
from uuid import UUID

from ....operation import Operation, no_content
from ...types import UNSET, Unset


def erase_customer(
    customer_id: UUID,
    *,
    if_match: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[None]:
    """Erases all fields except the id and the timestamps, immediately. The customer need not be
    deleted first. Erasure can't be undone."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "POST",
        "/customers/{customer_id}/erase".format(
            customer_id=quote(str(customer_id), safe=""),
        ),
        no_content,
        headers=headers,
        **_kwargs,
    )
