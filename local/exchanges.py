"""The headers and bodies of the laptop's own requests, which only the console shows.

The gateway sends them to the console like segments, but in another format. X-Ray's daemon rejects
this format, so no account can receive them.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from serve.gateway import Headers, LambdaResponse, header_lines

PROTOCOL = b'{"format":"exchange","version":1}\n'
MAX_DATAGRAM = 65_507  # bytes
MAX_BODIES = (20_000, 4_000, 0)  # characters of a body; the first that fits into a datagram
MAX_VALUE = 1_000  # characters of a target or a header
SECRET = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
MASK = "***"


class Sent(NamedTuple):
    """A request. The API's log and history do not contain `caller`, the subject of its token."""

    target: str
    headers: Headers
    body: bytes | None = None
    caller: str = ""


def encode(trace_id: str, request: Sent, response: LambdaResponse) -> bytes:
    """Return the datagram of a request and its response; tokens and keys are masked."""
    lines = [
        (name, str(value))
        for name, given in request.headers.items()
        for value in (given if isinstance(given, list) else [given])
    ]
    sent, received = (request.body or b"").decode(errors="replace"), str(response["body"] or "")
    for limit in MAX_BODIES:
        document = {
            "trace_id": trace_id,
            "target": request.target[:MAX_VALUE],
            "caller": request.caller[:MAX_VALUE],
            "request": _message(lines, sent, limit),
            "response": _message(header_lines(response), received, limit),
        }
        text = json.dumps(document, ensure_ascii=False)
        datagram = PROTOCOL + text.encode(errors="replace")
        if len(datagram) <= MAX_DATAGRAM:
            break
    return datagram


def _message(lines: Iterable[tuple[str, str]], body: str, limit: int) -> dict[str, Any]:
    headers = [[name, _masked(name, value)[:MAX_VALUE]] for name, value in lines]
    return {"headers": headers, "body": body[:limit], "length": len(body)}


def _masked(name: str, value: str) -> str:
    """Return a value without its secret; the scheme, such as Bearer, remains."""
    if name.lower() not in SECRET:
        return value
    scheme, space, secret = value.partition(" ")
    return f"{scheme}{space}{MASK}" if secret else MASK
