"""What both clients share: the arguments of operations, links, and the parsing of responses."""

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypedDict, TypeVar

import httpx

from customers_client.errors import InvalidResponse
from customers_client.generated.api import customers as operations
from customers_client.generated.models import (
    Customer,
    CustomerChangePage,
    CustomerPage,
    CustomerPatch,
    GetCustomersSort,
    GetCustomersStatus,
)
from customers_client.generated.types import UNSET, Unset
from customers_client.operation import Operation

T = TypeVar("T")
Edit = Callable[[Customer], CustomerPatch | None]
"""Decides what to change about a customer; None changes nothing."""

MAX_CONFLICTS = 50
"""How often an update is tried, if other clients change the customer each time."""
PAGE = 100


class Filters(TypedDict, total=False):
    """The parameters of a list. The API reference describes them."""

    limit: int
    sort: GetCustomersSort
    email: str
    phone: str
    external_id: str
    status: GetCustomersStatus
    created_after: datetime
    created_before: datetime
    updated_after: datetime
    q: str
    include_deleted: bool
    id: str


def if_match(version: int) -> str:
    """Return `If-Match` for a version.

    The service recognizes a retry by the whole request. The second tag never matches. It makes the
    request differ from the same write by another process that has the same token.
    """
    return f'"v{version}", "{uuid.uuid4()}"'


def if_given(version: int | None) -> str | Unset:
    return UNSET if version is None else if_match(version)


def pause(conflicts: int) -> float:
    """Return a random time in seconds to wait after so many conflicts."""
    return random.uniform(0, min(0.02 * 2**conflicts, 1))  # noqa: S311 (no secret)


def _link(base_url: httpx.URL, path: str, parse: Callable[[Mapping[str, Any]], T]) -> Operation[T]:
    """Return the operation that a link of a response leads to, always on the service's own host."""
    return Operation("GET", str(base_url.copy_with(raw_path=path.encode())), parse)


def next_page(base_url: httpx.URL, path: str) -> Operation[CustomerPage]:
    return _link(base_url, path, CustomerPage.from_dict)


def changes(base_url: httpx.URL, cursor: str | None) -> Operation[CustomerChangePage]:
    """Return the operation that reads the changes after a cursor, or from the beginning."""
    if cursor is None:
        return operations.get_changes()
    return _link(base_url, cursor, CustomerChangePage.from_dict)


def patch(customer: Customer, change: CustomerPatch) -> Operation[Customer]:
    """Return the operation that changes exactly this version."""
    match = if_match(customer.version)
    return operations.patch_customer(customer.id, body=change, if_match=match)


def parsed(operation: Operation[T], response: httpx.Response) -> T:
    """Return the body as a model. Raises InvalidResponse."""
    try:
        return operation.parse(response.json() if response.content else {})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"{operation.method} {response.url.path}: the response is not as documented"
        raise InvalidResponse(message) from error


def options(operation: Operation[Any]) -> dict[str, Any]:
    """Return the operation as arguments of `httpx.Client.request`."""
    return {
        "method": operation.method,
        "url": operation.url,
        "params": operation.params or None,  # {} would remove the query of a link
        "headers": operation.headers,
        "json": operation.json,
    }
