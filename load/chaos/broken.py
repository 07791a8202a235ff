"""The API without idempotency, which proves that the checker detects duplicates.

`python -m load.chaos.broken` takes the arguments of `python -m local.gateway`. This API ignores
idempotency keys. It also neither retries nor verifies an INSERT with an unknown outcome: the client
gets an error and retries.
"""

from collections.abc import Sequence

from chalicelib.database import Database
from chalicelib.http import creates
from chalicelib.http.idempotency import Key, Stored
from chalicelib.http.requests import Request
from chalicelib.http.resources import Document, Resource
from local import gateway


def no_key(self: Request, operation: str) -> Key | None:  # noqa: ARG001
    """Replace `Request.idempotency_key`: behave as if no client had sent a key."""
    return None


def insert(
    database: Database, resource: Resource, new: Sequence[Document], stored: Stored, caller: str
) -> None:
    """Replace `creates.insert`, which would retry and verify the outcome."""
    sql, parameters = creates.insertion(resource, new, stored, caller)
    database.execute(sql, **parameters)


if __name__ == "__main__":
    Request.idempotency_key = no_key  # type: ignore[method-assign]
    creates.insert = insert
    gateway.main()
