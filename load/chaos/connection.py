"""An HTTP connection that returns a response, or nothing after a timeout."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse

from load.traffic.mix import Response

PATIENCE = 3.0
"""Seconds that a client waits for a response."""


@dataclass(frozen=True)
class Request:
    """A request. Every retry sends the same bytes."""

    method: str
    path: str
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


NOTHING = Response(0, {}, b"")
"""No response, or an incomplete one."""


class Connection:
    """A connection that is reopened after each failure. It never retries a request."""

    def __init__(self, port: int, token: str) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._token = token

    def send(self, request: Request) -> Response:
        try:
            own = {"Authorization": f"Bearer {self._token}"}
            self._http.request(
                request.method, request.path, request.body, own | dict(request.headers)
            )
            return _read(self._http.getresponse())
        except (OSError, HTTPException):
            self._http.close()
            return NOTHING

    def close(self) -> None:
        self._http.close()


def _read(response: HTTPResponse) -> Response:
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Response(response.status, headers, body)
