"""Rename and drop headers in a function's response, as API Gateway does for REST APIs.

Responses of the gateway itself keep their headers.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

PREFIX = "x-amzn-Remapped-"
REMAPPED = frozenset(
    {
        *("authorization", "connection", "content-md5", "date", "max-forwards", "server"),
        *("user-agent", "www-authenticate"),
    }
)
DROPPED = frozenset(
    {
        *("expect", "host", "proxy-authenticate", "te", "trailer", "transfer-encoding"),
        *("upgrade", "via"),
    }
)


def remapped(headers: Mapping[str, T]) -> dict[str, T]:
    """Return the headers that a client receives."""
    return {
        f"{PREFIX}{name}" if name.lower() in REMAPPED else name: value
        for name, value in headers.items()
        if name.lower() not in DROPPED
    }
