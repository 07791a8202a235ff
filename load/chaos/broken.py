"""The API without its promise, to see the checker fail: keys of creates are dropped.

`python -m load.chaos.broken` takes the arguments of `python -m local.gateway`. Nor is an INSERT of
which nobody knows the outcome sent again or read back: the client is told, and asks once more.
"""

from collections.abc import Sequence

from chalicelib.customers import creates
from chalicelib.customers.rows import Customer
from chalicelib.database import Database
from chalicelib.http.requests import Request
from local import gateway


def no_key(self: Request, operation: str) -> bytes | None:  # noqa: ARG001
    """Stand for `Request.idempotency_key`, as if no client had sent one."""
    return None


def insert(
    database: Database, new: Sequence[Customer], key: bytes | None, fingerprint: bytes | None
) -> None:
    """Stand for `creation._store`, which makes sure."""
    sql, parameters = creates._insertion(new, key, fingerprint)  # noqa: SLF001
    database.execute(sql, **parameters)


if __name__ == "__main__":
    Request.idempotency_key = no_key  # type: ignore[method-assign]
    creates._store = insert  # noqa: SLF001
    gateway.main()
