import ssl
from collections.abc import Iterator
from functools import cache

import pytest
from customers_client import Customers, sending

import app
from chalicelib.database import Database
from tests import tokens
from tests.api import Api
from tests.clients.server import Server, serving

create_context = cache(ssl.create_default_context)
"""httpx would read all certificates for each client."""


@pytest.fixture
def server(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the app to clients that wait for a millisecond at most, besides `Retry-After`."""
    monkeypatch.setattr(ssl, "create_default_context", create_context)
    monkeypatch.setattr(app, "database", lambda: database)
    monkeypatch.setattr(sending, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(sending, "LONGEST_WAIT", 0.001)
    with serving(Api(token="")) as server:
        yield server


@pytest.fixture
def token() -> str:
    return tokens.token(*app.SCOPES)


@pytest.fixture
def client(server: Server, token: str) -> Iterator[Customers]:
    with Customers(server.url, token) as client:
        yield client
