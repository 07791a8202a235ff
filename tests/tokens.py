"""The issuer of the tests' tokens, which publishes its keys over HTTP."""

import json
import os
import tempfile
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from local.issuer import Issuer


class Keys(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(issuer().jwks()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@cache
def issuer() -> Issuer:
    """Start the issuer, and set the environment variables that make the app trust it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    os.environ |= {"TOKEN_ISSUER": url, "TOKEN_AUDIENCE": "customers"}
    return Issuer(Path(tempfile.mkdtemp()), url)


@cache
def token(*scopes: str) -> str:
    return issuer().token(scopes)


@cache
def stranger() -> Issuer:
    """Return an issuer with the same URL whose keys are not published."""
    return Issuer(Path(tempfile.mkdtemp()), issuer().url)
