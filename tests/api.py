"""A client of the app in this process, through the local gateway."""

import json
from collections.abc import Mapping
from typing import Any

from chalice.test import Client, HTTPResponse

import app
from chalicelib.problems import TYPE_BASE
from local.gateway import Gateway

ADA = {"email": "ada@example.com", "given_name": "Ada", "family_name": "Lovelace"}


class Api:
    """Sends requests to the app; bodies are JSON unless `headers` say otherwise."""

    def __init__(self) -> None:
        client = Client(app.app, stage_name="local")
        self._http = client.http
        self._http._local_gateway = Gateway(app.app, client._chalice_config)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        sent = {"Content-Type": "application/json"} if headers is None else dict(headers)
        return self._http.request(method, path, sent, body)

    def get(self, path: str) -> HTTPResponse:
        return self.request("GET", path, headers={})

    def post(self, path: str, document: object) -> HTTPResponse:
        return self.request("POST", path, json.dumps(document).encode())

    def patch(self, path: str, document: object) -> HTTPResponse:
        merge_patch = {"Content-Type": "application/merge-patch+json"}
        return self.request("PATCH", path, json.dumps(document).encode(), merge_patch)

    def delete(self, path: str) -> HTTPResponse:
        return self.request("DELETE", path)


def assert_problem(
    answer: HTTPResponse,
    status: int,
    problem_type: str,
    *errors: tuple[str, str],
    head: bool = False,
) -> None:
    """Assert the shape that every problem has, and the pointers and codes of its errors."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    if head:
        assert answer.body == b""
        return
    problem: dict[str, Any] = json.loads(answer.body)
    known = {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem.keys() - {"errors"} == known
    assert problem["type"] == TYPE_BASE + problem_type
    assert problem["status"] == status
    assert all(problem[name] for name in known)
    if errors:
        found = [(error["pointer"], error["code"]) for error in problem["errors"]]
        assert sorted(found) == sorted(errors)
