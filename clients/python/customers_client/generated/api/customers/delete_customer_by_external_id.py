from typing import Any
from urllib.parse import quote

from ....operation import Operation, no_content
from ...types import UNSET, Unset


def delete_customer_by_external_id(
    external_id: str,
    *,
    if_match: str | Unset = UNSET,
    request_id: str | Unset = UNSET,
) -> Operation[None]:
    """The external id is then free, and a later PUT creates another customer. Restore and erase
    the deleted customer by its id."""
    headers: dict[str, Any] = {}
    if not isinstance(if_match, Unset):
        headers["If-Match"] = if_match

    if not isinstance(request_id, Unset):
        headers["Request-Id"] = request_id

    _kwargs: dict[str, Any] = {}
    return Operation(
        "DELETE",
        "/customers/by-external-id/{external_id}".format(
            external_id=quote(str(external_id), safe=""),
        ),
        no_content,
        headers=headers,
        **_kwargs,
    )
