"""A customer's whole life against a stage, over HTTPS; nothing of it is left."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from infrastructure.failures import Failure

TIMEOUT_SECONDS = 30
CLEANING_ATTEMPTS = 3
MERGE_PATCH = "application/merge-patch+json"

Say = Callable[[str], None]


class Client:
    """Sends requests with a token, and knows what it created."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.created: set[str] = set()
        self._token = token

    def send(
        self, expected: int, method: str, path: str, document: object = None, **headers: str
    ) -> requests.Response:
        """Send a request, with headers named as `if_match`. Raises Failure on another status."""
        sent = {"Authorization": f"Bearer {self._token}"}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        try:
            response = requests.request(
                method, self.url + path, json=document, headers=sent, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            what = type(error).__name__
            raise Failure(f"{method} {self.url}{path} has no answer: {what}.") from None
        if response.status_code == requests.codes.created:
            self.created.add(response.json()["id"])
        if response.status_code != expected:
            raise Failure(_unexpected(response, expected))
        return response

    def clean(self, say: Say) -> None:
        """Erase what is left, and name what could not be."""
        for customer_id in list(self.created):
            for _ in range(CLEANING_ATTEMPTS):
                try:
                    self.erase(customer_id)
                    break
                except Failure as error:
                    last = error
            else:
                say(f"  left behind, erase it by hand: customer {customer_id} ({last})")

    def erase(self, customer_id: str) -> None:
        try:
            self.send(204, "POST", f"/customers/{customer_id}/erase")
        except Failure:
            self.send(404, "POST", f"/customers/{customer_id}/erase")
        self.created.discard(customer_id)


def run(url: str, token: str, say: Say) -> None:
    """Take each step, tell of its time, erase the customer. Raises Failure at a wrong answer."""
    client = Client(url, token)
    try:
        _live(client, lambda what: _timed(what, say))
    finally:
        client.clean(say)


def _live(client: Client, step: Callable[[str], Any]) -> None:
    key = str(uuid.uuid4())
    wanted = {"email": f"smoke.{key}@example.com", "given_name": "Smoke", "family_name": "Test"}
    with step("the service and its database answer"):
        client.send(200, "GET", "/health?deep=true")
    with step("nobody gets in without a token"):
        Client(client.url, "none").send(401, "GET", "/customers")
    with step("create"):
        created = client.send(201, "POST", "/customers", wanted, idempotency_key=key)
    customer_id, tag = created.json()["id"], created.headers["ETag"]
    path = f"/customers/{customer_id}"
    with step("the same create again is the same customer"):
        again = client.send(201, "POST", "/customers", wanted, idempotency_key=key)
        _expect(again.json()["id"], customer_id, "the id of the repeated create")
    with step("read"):
        _expect(client.send(200, "GET", path).json()["email"], wanted["email"], "the email address")
        client.send(304, "GET", path, if_none_match=tag)
    with step("find by email address"):
        found = client.send(200, "GET", f"/customers?email={wanted['email']}").json()["items"]
        _expect([customer["id"] for customer in found], [customer_id], "who is found")
    with step("a wrong body is refused"):
        client.send(400, "POST", "/customers", {"email": "no address"})
    with step("change"):
        patch = {"given_name": "Changed"}
        changed = client.send(200, "PATCH", path, patch, if_match=tag, content_type=MERGE_PATCH)
        _expect(changed.json()["given_name"], "Changed", "the changed name")
    with step("a change of what has changed meanwhile is refused"):
        client.send(412, "PUT", path, {**wanted, "given_name": "Late"}, if_match=tag)
    with step("delete and restore"):
        client.send(204, "DELETE", path)
        client.send(404, "GET", path)
        client.send(200, "POST", f"{path}/restore")
    with step("erase"):
        client.erase(customer_id)
        client.send(404, "GET", path)


@contextmanager
def _timed(what: str, say: Say) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    except Failure:
        say(f"  failed  {what}")
        raise
    say(f"  {(time.perf_counter() - start) * 1_000:5.0f} ms  {what}")


def _expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise Failure(f"The service answered another thing than it should: {what}.")


def _unexpected(response: requests.Response, expected: int) -> str:
    """Say what came; a problem's own words have no personal data."""
    sent = response.request
    try:
        said = response.json().get("detail", "")
    except (ValueError, AttributeError):
        said = ""
    name = response.headers.get("Request-Id", "none")
    return (
        f"{sent.method} {sent.url}: {response.status_code} instead of {expected}. {said}"
        f" Request-Id: {name}; docs/operating.md says how to follow it."
    )
