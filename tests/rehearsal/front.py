"""A proxy with URLs and headers like API Gateway's: the path begins with the stage.

The emulator's paths are longer, but responses contain links such as /staging/customers. It also
keeps the headers that API Gateway renames in the responses of functions.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from local.remapping import remapped

TIMEOUT_SECONDS = 60
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OF_FUNCTIONS = "Content-Security-Policy"  # gateway responses don't have it
HOP_BY_HOP = {"connection", "date", "server", "transfer-encoding"}


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 rejects tests that connect all at once


@contextmanager
def listening(target: str, stage: str) -> Iterator[str]:
    """Forward requests below `/<stage>` to the same path of the target; yield the base URL."""
    address = urlsplit(target)

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            upstream = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
            path = address.path + self.path.removeprefix(f"/{stage}")
            try:
                upstream.request(self.command, path, body, dict(self.headers))
                self._respond(upstream.getresponse())
            finally:
                upstream.close()

        def _respond(self, response: http.client.HTTPResponse) -> None:
            content = response.read()
            self.send_response(response.status)
            is_of_function = OF_FUNCTIONS in response.headers
            for name, value in response.getheaders():
                if is_of_function and name.lower() not in HOP_BY_HOP:
                    for new, same in remapped({name: value}).items():
                        self.send_header(new, same)
                elif name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in METHODS:
        setattr(Front, f"do_{method}", Front.forward)
    with Server(("127.0.0.1", 0), Front) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{stage}"
        finally:
            server.shutdown()
            thread.join()
