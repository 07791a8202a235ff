"""A client that calls the app in this process, through the local gateway."""

import json
from collections.abc import Mapping
from typing import Any

from chalice.test import Client, HTTPResponse

import app
from app import SCOPES
from chalicelib.customers.fields import MAX_SIZE, size
from chalicelib.customers.schemas import load_customer
from chalicelib.http.problems import TYPE_BASE
from local.gateway import Gateway
from tests import tokens

ADA = {"email": "ada@example.com", "given_name": "Ada", "family_name": "Lovelace"}


class Api:
    """Sends requests to the app, with the given token or with one that has every scope.

    Bodies are JSON unless `headers` say otherwise.
    """

    def __init__(self, token: str | None = None) -> None:
        client = Client(app.app, stage_name="local")
        self._http = client.http
        self._http._local_gateway = Gateway(  # type: ignore[assignment]
            app.app, client._chalice_config
        )
        self._token = tokens.token(*SCOPES) if token is None else token

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        sent = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        sent |= {"Content-Type": "application/json"} if headers is None else headers
        return self._http.request(method, path, sent, body)

    def get(self, path: str, **headers: str) -> HTTPResponse:
        return self.request("GET", path, headers=_named(headers))

    def post(self, path: str, document: object = None, **headers: str) -> HTTPResponse:
        return self._send("POST", path, document, headers)

    def put(self, path: str, document: object, **headers: str) -> HTTPResponse:
        return self._send("PUT", path, document, headers)

    def patch(self, path: str, document: object, **headers: str) -> HTTPResponse:
        merge_patch = {"content_type": "application/merge-patch+json"}
        return self._send("PATCH", path, document, {**merge_patch, **headers})

    def delete(self, path: str, **headers: str) -> HTTPResponse:
        return self.request("DELETE", path, headers=_named(headers))

    def _send(
        self, method: str, path: str, document: object, headers: Mapping[str, str]
    ) -> HTTPResponse:
        sent = {"content_type": "application/json", **headers}
        return self.request(method, path, json.dumps(document).encode(), _named(sent))


def largest_customers(count: int) -> list[dict[str, Any]]:
    """Return different customers that need as many bytes as possible in the database."""
    quotes = '"' * 200
    details = {"phone": "+442079460000", "time_zone": "America/Argentina/ComodRivadavia"}
    address = {"line1": quotes, "line2": quotes, "city": quotes, "region": quotes, "country": "GB"}
    second = {"line1": "x", "country": "GB"}
    customer = {**ADA, **details, "addresses": [address, second]}
    unused = MAX_SIZE - size(load_customer(customer))
    for field in ("line1", "line2", "city", "region", "postal_code"):
        second[field] = '"' * max(1, min(200, unused // 4 - 2))
        unused = MAX_SIZE - size(load_customer(customer))
    assert unused < 500
    return [
        {
            **customer,
            "email": f"{'a' * 60}{n}@{'example.' * 23}com",
            "external_id": f"{n:02}{quotes[:98]}",
        }
        for n in range(count)
    ]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Convert argument names to header names: `if_match` is If-Match."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def assert_problem(
    answer: HTTPResponse,
    status: int,
    problem_type: str,
    *errors: tuple[str, str],
    head: bool = False,
) -> None:
    """Assert that the response is a complete problem with these errors (place and code)."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    if head:
        assert answer.body == b""
        return
    problem: dict[str, Any] = json.loads(answer.body)
    known = {"type", "title", "status", "detail", "instance", "request_id"}
    known |= {"outcome"} if status in {503, 504} else set()
    assert problem.keys() - {"errors"} == known
    assert problem["type"] == TYPE_BASE + problem_type
    assert problem["status"] == status
    assert all(problem[name] for name in known)
    if errors:
        places = ("pointer", "header", "parameter")
        found = [
            (next(error[place] for place in places if place in error), error["code"])
            for error in problem["errors"]
        ]
        assert sorted(found) == sorted(errors)
