"""Headers that API Gateway renames or drops, and the rehearsal's front, which does the same."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.remapping import remapped
from tests.rehearsal import front

CHALLENGE = "Bearer realm=customers"
RENAMED = "x-amzn-Remapped-WWW-Authenticate"


def test_headers_are_renamed_dropped_or_kept() -> None:
    given = {"WWW-Authenticate": 1, "DATE": 2, "Via": 3, "Transfer-Encoding": 4, "ETag": 5}

    assert remapped(given) == {RENAMED: 1, "x-amzn-Remapped-DATE": 2, "ETag": 5}


@contextmanager
def upstream(headers: dict[str, str]) -> Iterator[str]:
    """Run an emulator that answers every request with these headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("own", "received"),
    [({"Content-Security-Policy": "default-src 'none'"}, RENAMED), ({}, "WWW-Authenticate")],
    ids=["of a function", "of the gateway"],
)
def test_rehearsal_renames_the_headers_of_functions(own: dict[str, str], received: str) -> None:
    challenge = {"WWW-Authenticate": CHALLENGE}
    with upstream(own | challenge) as target, front.listening(target, "staging") as url:
        address = url.removeprefix("http://").removesuffix("/staging")
        with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            connection.request("GET", "/staging/customers")
            response = connection.getresponse()
            response.read()

    challenges = [name for name in ("WWW-Authenticate", RENAMED) if response.headers[name]]
    assert challenges == [received]
