"""API Gateway's address: a path that begins with the stage, where the emulator's is longer.

Answers name other resources by paths such as /staging/customers, so clients need one that fits.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OF_THE_CONNECTION = {"connection", "date", "server", "transfer-encoding"}


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # its 5 would refuse tests that connect all at once


@contextmanager
def listening(target: str, stage: str) -> Iterator[str]:
    """Pass on what comes to `/<stage>` to the same path of the target; yield the base URL."""
    address = urlsplit(target)

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            upstream = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
            path = address.path + self.path.removeprefix(f"/{stage}")
            try:
                upstream.request(self.command, path, body, dict(self.headers))
                self._answer(upstream.getresponse())
            finally:
                upstream.close()

        def _answer(self, answer: http.client.HTTPResponse) -> None:
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in METHODS:
        setattr(Front, f"do_{method}", Front.pass_on)
    with Server(("127.0.0.1", 0), Front) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{stage}"
        finally:
            server.shutdown()
            thread.join()
