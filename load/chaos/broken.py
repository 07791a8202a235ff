"""The API without its promise, to see the checker fail: keys of creates are dropped.

`python -m load.chaos.broken` takes the arguments of `python -m local.gateway`. Nor is an INSERT of
which nobody knows the outcome sent again or read back: the client is told, and asks once more.
"""

from collections.abc import Sequence

from chalicelib.database import Database
from chalicelib.http import creates
from chalicelib.http.idempotency import Stored
from chalicelib.http.requests import Request
from chalicelib.http.resources import Document, Resource
from local import gateway


def no_key(self: Request, operation: str) -> bytes | None:  # noqa: ARG001
    """Stand for `Request.idempotency_key`, as if no client had sent one."""
    return None


def insert(database: Database, resource: Resource, new: Sequence[Document], stored: Stored) -> None:
    """Stand for `creates._insert`, without its retry and without reading back."""
    sql, parameters = creates.insertion(resource, new, stored)
    database.execute(sql, **parameters)


if __name__ == "__main__":
    Request.idempotency_key = no_key  # type: ignore[method-assign]
    creates._insert = insert  # noqa: SLF001
    gateway.main()
