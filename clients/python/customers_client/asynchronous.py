"""The client for asyncio. `sync` describes the methods."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack
from uuid import UUID

from customers_client import sending, shared
from customers_client.errors import PreconditionFailed
from customers_client.generated.api import customers as operations
from customers_client.generated.models import (
    Customer,
    CustomerChangePage,
    CustomerCreation,
    CustomerCreationList,
    CustomerReplacement,
)
from customers_client.operation import Operation
from customers_client.shared import MAX_CONFLICTS, PAGE, Edit, Filters, if_given, if_match

T = TypeVar("T")


class AsyncCustomers:
    """The customers API, for asyncio. Arguments, methods and errors are those of Customers.

    A function for the token should return soon: other tasks wait for it.
    """

    def __init__(
        self,
        base_url: str,
        token: sending.Token,
        *,
        timeout: float = 30,
        retry_seconds: float = 60,
    ) -> None:
        options = {"base_url": base_url, "auth": sending.Bearer(token), "timeout": timeout}
        self.http = sending.AsyncClient(retry_seconds, **options)

    async def create(self, customer: CustomerCreation, key: str | None = None) -> Customer:
        """Create a customer. Pass a stored `key` if a retry may come from another process."""
        key = key or str(uuid.uuid4())
        return await self.send(operations.create_customer(body=customer, idempotency_key=key))

    async def create_all(
        self, customers: Sequence[CustomerCreation], key: str | None = None
    ) -> Sequence[Customer]:
        """Create up to 100 customers, or none of them."""
        body, key = CustomerCreationList(list(customers)), key or str(uuid.uuid4())
        created = await self.send(operations.create_customers(body=body, idempotency_key=key))
        return created.items

    async def get(self, customer_id: UUID) -> Customer:
        return await self.send(operations.get_customer(customer_id))

    async def update(self, customer_id: UUID, edit: Edit) -> Customer:
        """Read the customer, and write what `edit` returns, if no other client wrote meanwhile.

        Otherwise both steps are repeated, so `edit` may be called several times.
        """
        for conflicts in range(MAX_CONFLICTS):
            customer = await self.get(customer_id)
            patch = edit(customer)
            if patch is None:
                return customer
            try:
                return await self.send(shared.patch(customer, patch))
            except PreconditionFailed as error:
                last = error
            await asyncio.sleep(shared.pause(conflicts))
        raise last

    async def replace(
        self, customer_id: UUID, new: CustomerReplacement, *, version: int
    ) -> Customer:
        """Replace all fields of a version. Raises PreconditionFailed for another version."""
        match = if_match(version)
        return await self.send(operations.replace_customer(customer_id, body=new, if_match=match))

    async def delete(self, customer_id: UUID, *, version: int | None = None) -> None:
        """Delete the customer. Without a version, a call with an unknown outcome is not retried."""
        await self.send(operations.delete_customer(customer_id, if_match=if_given(version)))

    async def restore(self, customer_id: UUID, *, version: int | None = None) -> Customer:
        """Restore a deleted customer. The version is as in `delete`."""
        return await self.send(operations.restore_customer(customer_id, if_match=if_given(version)))

    async def erase(self, customer_id: UUID, *, version: int | None = None) -> None:
        """Erase the customer permanently. The version is as in `delete`."""
        await self.send(operations.erase_customer(customer_id, if_match=if_given(version)))

    async def list(self, **filters: Unpack[Filters]) -> AsyncIterator[Customer]:
        """Yield all customers that match, page by page."""
        filters.setdefault("limit", PAGE)
        page = await self.send(operations.get_customers(**filters))
        for customer in page.items:
            yield customer
        while page.next_:
            page = await self.send(shared.next_page(self.http.base_url, page.next_))
            for customer in page.items:
                yield customer

    async def changes(
        self, cursor: str | None = None, *, follow: bool = False
    ) -> AsyncIterator[CustomerChangePage]:
        """Yield the pages of changes after a cursor, or from the beginning.

        Store `page.next_`, the next cursor, together with what you did with `page.items`. With
        `follow`, wait for further changes at the end, and never stop.
        """
        while True:
            operation = shared.changes(self.http.base_url, cursor)
            response = await self.http.request(**shared.options(operation))
            page = shared.parsed(operation, response)
            yield page
            if not page.has_more:
                if not follow:
                    return
                await asyncio.sleep(sending.retry_after(response))
            cursor = page.next_

    async def send(self, operation: Operation[T]) -> T:
        """Send an operation of `customers_client.operations`, and return the parsed response."""
        response = await self.http.request(**shared.options(operation))
        return shared.parsed(operation, response)

    async def aclose(self) -> None:
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.http.base_url)!r})"
