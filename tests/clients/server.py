"""The app and its gateway over HTTP, in this process, with faults between them and the client."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import NamedTuple

from tests.api import Api


class Fault(NamedTuple):
    """What happens to one request. `cut` closes the connection instead of a response."""

    status: int = 0
    headers: dict[str, str] = {}  # noqa: RUF012 (never changed)
    body: bytes = b"<html>Busy</html>"
    cut: bool = False
    is_applied: bool = False
    before: Callable[[], object] | None = None


LOST = Fault(cut=True, is_applied=True)
CUT = Fault(cut=True)


def problem(status: int, retry_after: int = 0, **more: object) -> Fault:
    document = {
        "type": "about:blank",
        "title": "Fault",
        "status": status,
        "detail": "A fault.",
        "instance": "/",
        "request_id": "fault-1",
        **more,
    }
    headers = {"Retry-After": str(retry_after), "Content-Type": "application/problem+json"}
    return Fault(status, headers, json.dumps(document).encode())


class Sent(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    status: int


class Server(ThreadingHTTPServer):
    """Serves the app. `faults` meet the next requests, in order; None is no fault."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.api = api
        self.lock = Lock()  # the app in this process has one current request
        self.faults: deque[Fault | None] = deque()
        self.sent: list[Sent] = []
        self.prefix = ""

    def handle_error(self, *_: object) -> None:
        """Print nothing when a client has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault and fault.before:
            fault.before()
        status, headers, content = 0, dict[str, str](), b""
        if fault is None or fault.is_applied or fault.before:
            status, headers, content = self._call(body)
        if fault and fault.status:
            status, headers, content = fault.status, fault.headers, fault.body
        self.server.sent.append(Sent(self.command, self.path, dict(self.headers), status))
        if fault and fault.cut:
            self.close_connection = True
        else:
            self._respond(status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

    def _call(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path = self.path.removeprefix(self.server.prefix)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            answer = self.server.api.request(self.command, path, body, headers)
        lines = {name: str(value) for name, value in answer.headers.items()}
        return answer.status_code, lines, answer.body

    def _respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        framing = {"content-length", "connection", "transfer-encoding"}
        for name, value in headers.items():
            if name.lower() not in framing:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving(api: Api) -> Iterator[Server]:
    with Server(api) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
