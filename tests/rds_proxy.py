"""A stand-in for RDS Proxy with IAM: accepts tokens over TLS, and forwards to a real database.

It checks what AWS's documentation says: TLS, and the token's signature, server, user and age. It
pools nothing, and the emulators of AWS have no proxy that a client can log in to.

Sources: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-connecting.html
         https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

import hmac
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pymysql
import trustme
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pymysql.constants import CLIENT

TOKEN_SECONDS = 900
VERSION = b"8.0.39-proxy"
CAPABILITIES = CLIENT.CAPABILITIES | CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.FOUND_ROWS
REQUESTS_CLEAR_TEXT = b"\xfemysql_clear_password\0"
OK = b"\x00\x00\x00\x02\x00\x00\x00"
DENIED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"


class Proxy(ThreadingTCPServer):
    """A proxy on a free port. `authority` is the file with its certificate authority.

    `key` signs valid tokens. `login` has PyMySQL's arguments for the database, whose user stands in
    for `user`. `accepted` counts logins.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, directory: Path, user: str, key: Credentials, region: str, login: dict[str, Any]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.user, self.key, self.region, self.login = user, key, region, login
        self.accepted = 0
        self.authority = directory / "proxy-authority.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.tls)

    @property
    def location(self) -> str:
        return f"localhost:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The DATABASE_URL of functions."""
        return f"mysql://{self.user}@{self.location}/customers?auth=iam&tls_ca={self.authority}"

    def accepts(self, user: str, token: str) -> bool:
        """Return whether the token is valid for this server and user, and was signed just now."""
        url = urlsplit(f"https://{token}")
        query = dict(parse_qsl(url.query))
        signature = query.pop("X-Amz-Signature", "")
        request = AWSRequest("GET", f"https://{url.netloc}/?{urlencode(query, quote_via=quote)}")
        request.context["timestamp"] = date = query.get("X-Amz-Date", "19700101T000000Z")
        signer: Any = SigV4QueryAuth(self.key, "rds-db", self.region)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return (
            user == self.user == query.get("DBUser")
            and url.netloc == self.location
            and query.get("X-Amz-Security-Token", "") == (self.key.token or "")
            and 0 <= time.time() - signed < TOKEN_SECONDS
            and hmac.compare_digest(signer.signature(text, request), signature)
        )

    def handle_error(self, *_: object) -> None:
        """Ignore clients that break off, as in a rejected TLS handshake."""


@contextmanager
def listening(
    directory: Path, user: str, key: Credentials, region: str, login: dict[str, Any]
) -> Iterator[Proxy]:
    with Proxy(directory, user, key, region, login) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Session(BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        salt = os.urandom(20).replace(b"\0", b"x")
        _send(self.request, 0, _greeting(salt))
        number, _ = _receive(self.request)  # the client asks for TLS
        with self.server.tls.wrap_socket(self.request, server_side=True) as client:
            number, response = _receive(client)
            flags = struct.unpack_from("<I", response)[0]
            user = response[32 : response.index(b"\0", 32)].decode()
            _send(client, number + 1, REQUESTS_CLEAR_TEXT + salt + b"\0")
            number, token = _receive(client)
            if not self.server.accepts(user, token.rstrip(b"\0").decode()):
                _send(client, number + 1, DENIED)
                return
            self.server.accepted += 1
            found = flags & CLIENT.FOUND_ROWS
            database: Any = pymysql.connect(**self.server.login, client_flag=found)
            with database:
                _send(client, number + 1, OK)
                _forward(client, database._sock)


def _greeting(salt: bytes) -> bytes:
    low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
    return (
        b"\x0a"
        + VERSION
        + struct.pack("<xI8sxHBHHB10x", 1, salt[:8], low, 45, 2, high, len(salt) + 1)
        + salt[8:]
        + b"\0mysql_native_password\0"
    )


def _send(to: socket.socket, number: int, payload: bytes) -> None:
    to.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


def _receive(source: socket.socket) -> tuple[int, bytes]:
    """Return a packet's number and payload."""
    head = _exactly(source, 4)
    return head[3], _exactly(source, int.from_bytes(head[:3], "little"))


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def _forward(client: socket.socket, database: socket.socket) -> None:
    """Copy in both directions until one side closes."""
    back = threading.Thread(target=_copy, args=(database, client), daemon=True)
    back.start()
    _copy(client, database)
    back.join()


def _copy(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            to.sendall(data)
    for each in (source, to):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
