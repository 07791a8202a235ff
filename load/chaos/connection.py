"""HTTP as clients speak it: an answer, or none within their patience."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse

PATIENCE = 3.0
"""Seconds that a client waits for an answer."""


@dataclass(frozen=True)
class Request:
    """What is sent, byte by byte the same in each repetition."""

    method: str
    path: str
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is nothing, or less than all."""

    status: int
    headers: dict[str, str]
    body: bytes


NOTHING = Answer(0, {}, b"")


class Connection:
    """A connection that is opened anew after each failure; nothing is sent twice."""

    def __init__(self, port: int, token: str) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._token = token

    def send(self, request: Request) -> Answer:
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


def _read(response: HTTPResponse) -> Answer:
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body)
