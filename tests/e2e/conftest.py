"""Fixtures of the end-to-end tests, which use only HTTP and a token.

    BASE_URL=https://... TOKEN=... pytest tests/e2e

BASE_URL is the API under test; if omitted, the tests start the local gateway and `serve`. The token
needs every scope.
The tests leave existing customers unchanged and erase the customers that they create.
"""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.service import Service, running

BASE_URL = os.environ.get("BASE_URL")


class Client:
    """Sends requests with the token; `clean()` erases the customers that it created."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self._created: list[str] = []

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request; `path` may also be a link from a response."""
        response = self.session.request(method, self.url(path), timeout=30, **more)
        if response.status_code == requests.codes.created:
            document = response.json()
            self._created += [item["id"] for item in document.get("items", [document])]
        return response

    def url(self, path: str) -> str:
        """Return the URL of a path, or of a link, which already contains the stage."""
        stage = requests.compat.urlsplit(self.base_url).path
        return self.base_url + path.removeprefix(stage)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, headers=_named(headers))

    def post(self, path: str, document: object = None, **headers: str) -> requests.Response:
        return self.send("POST", path, json=document, headers=_named(headers))

    def put(self, path: str, document: object, **headers: str) -> requests.Response:
        return self.send("PUT", path, json=document, headers=_named(headers))

    def patch(self, path: str, document: object, **headers: str) -> requests.Response:
        merge_patch = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", path, json=document, headers=merge_patch | _named(headers))

    def delete(self, path: str, **headers: str) -> requests.Response:
        return self.send("DELETE", path, headers=_named(headers))

    def clean(self) -> None:
        for customer_id in self._created:
            self.post(f"/customers/{customer_id}/erase")


def _named(headers: dict[str, str]) -> dict[str, str]:
    """Convert argument names to header names: `if_match` is If-Match."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("e2e")) as started:
        yield started


@pytest.fixture(scope="session", params=[BASE_URL] if BASE_URL else ["local.gateway", "serve"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Return the base URL of the API and a token."""
    if BASE_URL:
        yield BASE_URL, os.environ["TOKEN"]
        return
    own: Service = request.getfixturevalue("service")
    if request.param == "local.gateway":
        yield own.url, own.token
        return
    from tests.serve.running import running as serving

    with serving(tmp_path_factory.mktemp("serve"), own.database_server.url) as server:
        yield server.url, own.token


@pytest.fixture
def api(target: tuple[str, str]) -> Iterator[Client]:
    client = Client(*target)
    try:
        yield client
    finally:
        client.clean()


@pytest.fixture
def ada() -> dict[str, Any]:
    """Return a new customer with a unique email address and external id."""
    mark = uuid.uuid4().hex
    return {
        "email": f"ada.{mark}@example.com",
        "external_id": f"e2e-{mark}",
        "given_name": "Ada",
        "family_name": f"Lovelace {mark}",
    }
