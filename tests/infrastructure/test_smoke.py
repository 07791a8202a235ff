"""The smoke test of a stage with mutual TLS."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from infrastructure.failures import Failure
from infrastructure.smoke import Client


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Server(HTTPServer):
    def handle_error(self, *_: object) -> None: ...  # a client without a certificate


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def url(authority: trustme.CA) -> Iterator[str]:
    """Serve HTTPS to clients whose certificates the authority has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def test_certificate_is_presented(url: str, authority: trustme.CA, tmp_path: Path) -> None:
    own = tmp_path / "client.pem"
    authority.issue_cert("crm-sync").private_key_and_cert_chain_pem.write_to_path(own)

    client = Client(url, "token", str(own))

    assert client.send(200, "GET", "/").status_code == 200
    assert client.with_token("none").send(200, "GET", "/").status_code == 200


def test_missing_certificate_is_an_error(url: str, tmp_path: Path) -> None:
    for certificate in (None, str(tmp_path / "nowhere.pem")):
        with pytest.raises(Failure, match="returned no response: "):
            Client(url, "token", certificate).send(200, "GET", "/")
