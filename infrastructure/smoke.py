"""Smoke test: a customer's life cycle on a stage, over HTTPS. It leaves no data behind."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import requests

from infrastructure.failures import Failure

TIMEOUT_SECONDS = 30
CLEANING_ATTEMPTS = 3
MERGE_PATCH = "application/merge-patch+json"

Say = Callable[[str], None]


class Client:
    """Sends requests with a token, and remembers the customers that it created.

    `certificate` is a file with a client's certificate and key, for mutual TLS.
    """

    def __init__(self, url: str, token: str, certificate: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.created: set[str] = set()
        self._token = token
        self._certificate = certificate

    def send(
        self, expected: int, method: str, path: str, document: object = None, **headers: str
    ) -> requests.Response:
        """Send a request; headers are named as in `if_match`. Raises Failure on another status."""
        sent = {"Authorization": f"Bearer {self._token}"}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        try:
            response = requests.request(
                method,
                self.url + path,
                json=document,
                headers=sent,
                timeout=TIMEOUT_SECONDS,
                cert=self._certificate,
            )
        except OSError as error:  # of the network, TLS or the certificate's file
            name = type(error).__name__
            raise Failure(f"{method} {self.url}{path} returned no response: {name}.") from None
        if response.status_code == requests.codes.created:
            created = response.json()
            self.created.update(item["id"] for item in created.get("items", [created]))
        if response.status_code != expected:
            raise Failure(_unexpected(response, expected))
        return response

    def with_token(self, token: str) -> "Client":
        return Client(self.url, token, self._certificate)

    def clean(self, say: Say) -> None:
        """Erase the remaining customers, and name those that could not be erased."""
        for customer_id in list(self.created):
            for _ in range(CLEANING_ATTEMPTS):
                try:
                    self.erase(customer_id)
                    break
                except Failure as error:
                    last = error
            else:
                say(f"  could not erase customer {customer_id}: erase it manually ({last})")

    def erase(self, customer_id: str) -> None:
        try:
            self.send(204, "POST", f"/customers/{customer_id}/erase")
        except Failure:
            self.send(404, "POST", f"/customers/{customer_id}/erase")
        self.created.discard(customer_id)


def run(url: str, token: str, say: Say, certificate: str | None = None) -> None:
    """Run all steps with their durations, then erase the customer.

    Raises Failure if a step fails.
    """
    client = Client(url, token, certificate)
    try:
        _run_steps(client, lambda name: _timed(name, say))
    finally:
        client.clean(say)


def _run_steps(client: Client, step: Callable[[str], Any]) -> None:
    key = str(uuid.uuid4())
    external_id = f"smoke é+? {key}"  # a gateway that decodes otherwise would not find it
    draft = {"email": f"smoke.{key}@example.com", "given_name": "Smoke", "family_name": "Test"}
    draft["external_id"] = external_id
    with step("the service and its database are healthy"):
        client.send(200, "GET", "/health?deep=true")
    with step("a request without a token is rejected"):
        client.with_token("none").send(401, "GET", "/customers")
    with step("create"):
        created = client.send(201, "POST", "/customers", draft, idempotency_key=key)
    customer_id, tag = created.json()["id"], created.headers["ETag"]
    path = f"/customers/{customer_id}"
    with step("a retried create returns the same customer"):
        retried = client.send(201, "POST", "/customers", draft, idempotency_key=key)
        _expect(retried.json()["id"], customer_id, "the id of the retried create")
    with step("read"):
        _expect(client.send(200, "GET", path).json()["email"], draft["email"], "the email address")
        client.send(304, "GET", path, if_none_match=tag)
    with step("filter by email address"):
        matches = client.send(200, "GET", f"/customers?email={draft['email']}").json()["items"]
        _expect([customer["id"] for customer in matches], [customer_id], "the customers found")
    with step("read by external id"):
        by_external_id = f"/customers/by-external-id/{quote(external_id, safe='')}"
        found = client.send(200, "GET", by_external_id).json()
        _expect(found["id"], customer_id, "the id of the customer with the external id")
    with step("an invalid body is rejected"):
        client.send(400, "POST", "/customers", {"email": "no address"})
    with step("change"):
        patch = {"given_name": "Changed"}
        changed = client.send(200, "PATCH", path, patch, if_match=tag, content_type=MERGE_PATCH)
        _expect(changed.json()["given_name"], "Changed", "the changed name")
    with step("an outdated change is rejected"):
        client.send(412, "PUT", path, {**draft, "given_name": "Late"}, if_match=tag)
    with step("delete and restore"):
        client.send(204, "DELETE", path)
        client.send(404, "GET", path)
        client.send(200, "POST", f"{path}/restore")
    with step("erase"):
        client.erase(customer_id)
        client.send(404, "GET", path)


@contextmanager
def _timed(name: str, say: Say) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    except Failure:
        say(f"  failed  {name}")
        raise
    say(f"  {(time.perf_counter() - start) * 1_000:5.0f} ms  {name}")


def _expect(actual: object, expected: object, name: str) -> None:
    if actual != expected:
        raise Failure(f"Unexpected value in a response: {name}.")


def _unexpected(response: requests.Response, expected: int) -> str:
    """Describe a response with its problem details, which contain no personal data."""
    request = response.request
    try:
        detail = response.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    name = response.headers.get("Request-Id", "none")
    return (
        f"{request.method} {request.url}: status {response.status_code} instead of {expected}."
        f" {detail} Request-Id: {name}. docs/operating.md explains how to trace it."
    )
