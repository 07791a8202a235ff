"""The API without its promise, to see the checker fail: keys of creates are dropped.

`python -m load.chaos.broken` takes the arguments of `python -m local.gateway`.
"""

from chalicelib.request import Request
from local import gateway


def no_key(self: Request, operation: str) -> bytes | None:  # noqa: ARG001
    """Stand for `Request.idempotency_key`, as if no client had sent one."""
    return None


if __name__ == "__main__":
    Request.idempotency_key = no_key  # type: ignore[method-assign]
    gateway.main()
