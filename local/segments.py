"""API Gateway's part of X-Ray on a laptop: the trace header, and the gateway's segment.

If AWS_XRAY_DAEMON_ADDRESS is set, requests are sampled, and their segment (the root of the trace)
is sent there by UDP. Otherwise, requests are only sampled if the client requires it.

Sources: https://docs.aws.amazon.com/xray/latest/devguide/xray-services-apigateway.html
         https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from chalicelib.observability.tracing import Header

NAME = "x-amzn-trace-id"
PROTOCOL = b'{"format":"json","version":1}\n'
ORIGIN = "AWS::ApiGateway::Stage"


class Segment:
    """The gateway's segment of a request, which continues the client's trace."""

    def __init__(self, name: str, headers: Mapping[str, str]) -> None:
        self._name = name
        sent = Header.parse(next((v for k, v in headers.items() if k.lower() == NAME), None))
        self.trace_id = sent.trace_id or f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        self._parent_id = sent.parent_id if sent.trace_id else None
        self._daemon = _daemon()
        self._is_sampled = bool(self._daemon) if sent.is_sampled is None else sent.is_sampled
        self._id = secrets.token_hex(8)
        self._start = time.time()
        self.caller = ""  # the subject of the token; no part of the segment
        self._parts: list[dict[str, Any]] = []

    @property
    def header(self) -> str:
        """The trace header for the function: this segment is the parent of its segments."""
        return f"Root={self.trace_id};Parent={self._id};Sampled={int(self._is_sampled)}"

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of the request, which is sent with the segment."""
        start = time.time()
        try:
            yield
        finally:
            times = {"start_time": start, "end_time": time.time()}
            self._parts.append({"name": name, "id": secrets.token_hex(8), **times})

    def end(self, method: str, path: str, status: int, length: int) -> None:
        """Send the segment, if it is sampled."""
        document = {
            "name": self._name,
            "id": self._id,
            "trace_id": self.trace_id,
            "start_time": self._start,
            "end_time": time.time(),
            "origin": ORIGIN,
            "http": {
                "request": {"method": method, "url": path},
                "response": {"status": status, "content_length": length},
            },
            **({"parent_id": self._parent_id} if self._parent_id else {}),
            **({"subsegments": self._parts} if self._parts else {}),
            **_marks(status),
        }
        self.send(PROTOCOL + json.dumps(document).encode())

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the daemon, if the request is sampled. Errors are ignored."""
        if self._daemon and self._is_sampled:
            with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(datagram, self._daemon)


def _daemon() -> tuple[str, int] | None:
    """Parse the address of the X-Ray daemon: `HOST:PORT`, or `tcp:HOST:PORT udp:HOST:PORT`."""
    address = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "")
    udp = next((part for part in address.split() if not part.startswith("tcp:")), "")
    host, _, port = udp.removeprefix("udp:").rpartition(":")
    is_port = port.isdecimal() and int(port) in range(1, 65_536)
    return (host, int(port)) if host and is_port else None


def _marks(status: int) -> dict[str, Any]:
    """Return the fields that X-Ray uses to find failed requests."""
    if status < HTTPStatus.BAD_REQUEST:
        return {}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return {"fault": True}
    return {"error": True, "throttle": status == HTTPStatus.TOO_MANY_REQUESTS}
