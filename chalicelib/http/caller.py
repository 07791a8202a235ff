"""Who sends a request, as the gateway's authorizer says of the token."""

from typing import NamedTuple

LEEWAY_SECONDS = 30  # that the issuer's clock and ours may differ by


class Caller(NamedTuple):
    """Who a token names, with what scopes, until when (Unix time in seconds)."""

    subject: str
    scopes: frozenset[str]
    expires: int
