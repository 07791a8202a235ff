"""The API without idempotency, which proves that the checker detects duplicates.

`python -m load.chaos.broken` takes the arguments of `python -m local.gateway`. This API ignores
idempotency keys. It also neither retries nor verifies an INSERT with an unknown outcome: the client
gets an error and retries.
"""

from collections.abc import Sequence

from chalicelib.customers import creates
from chalicelib.customers.rows import Customer
from chalicelib.database import Database
from chalicelib.http.requests import Request
from local import gateway


def no_key(self: Request, operation: str) -> bytes | None:  # noqa: ARG001
    """Replace `Request.idempotency_key`: behave as if no client had sent a key."""
    return None


def insert(
    database: Database, new: Sequence[Customer], key: bytes | None, fingerprint: bytes | None
) -> None:
    """Replace `creates._store`, which would verify the outcome."""
    sql, parameters = creates._insertion(new, key, fingerprint)  # noqa: SLF001
    database.execute(sql, **parameters)


if __name__ == "__main__":
    Request.idempotency_key = no_key  # type: ignore[method-assign]
    creates._store = insert  # noqa: SLF001
    gateway.main()
