"""Operators see no personal data: requests contain markers, and the tests search for them.

The markers are in every field of a customer, in known and unknown headers, in the query, and in
tokens. The tests cause every operation and every problem of the function, with X-Ray sampling each
request. Paths contain no marker, because `instance` and the gateway's segment repeat the path.
"""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

import app
from app import SCOPES
from chalicelib.database import connect
from chalicelib.observability import logs
from chalicelib.settings import Settings
from tests import tokens
from tests.api import Api
from tests.daemon import Daemon

MARKER = re.compile(r"zqm|447700900123|Troll", re.IGNORECASE)
# valid values with a marker; the phone number and the time zone are markers themselves
CUSTOMER = {
    "email": "zqm.email@example.com",
    "given_name": "Zqm Given",
    "family_name": "Zqm Family",
    "company_name": "Zqm Company",
    "phone": "+447700900123",
    "external_id": "zqm-external",
    "addresses": [
        {
            "type": "billing",
            "line1": "Zqm Street 1",
            "line2": "Zqm Floor",
            "city": "Zqm City",
            "region": "Zqm Region",
            "postal_code": "ZQM 1",
            "country": "GB",
        }
    ],
    "locale": "en-x-zqm",
    "time_zone": "Antarctica/Troll",
    "metadata": {"zqm-name": "zqm-value"},
}
HEADERS = {
    "Cookie": "session=zqm-cookie",
    "Origin": "https://zqm-origin.example",
    "Prefer": "zqm-prefer",
    "Referer": "https://zqm-referer.example",
    "Request-Id": "zqm@request",
    "User-Agent": "zqm-agent",
    "X-Amzn-Trace-Id": "Self=zqm-self;Root=zqm-root;Parent=zqm-parent",
    "X-Forwarded-For": "zqm-address",
    "X-Zqm": "zqm-unknown",
}
CLAIMS: dict[str, Any] = {
    "email": "zqm.claim@example.com",
    "name": "Zqm Name",
    "cognito:username": "zqm-user",
}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"


def token(*scopes: str) -> str:
    return tokens.issuer().token(scopes, subject="zqm.subject@example.com", **CLAIMS)


class Output:
    """Everything that operators see: log lines and X-Ray segments; and the problems."""

    def __init__(self, stream: io.StringIO, daemon: Daemon) -> None:
        self._stream, self._daemon = stream, daemon
        self.problems: list[HTTPResponse] = []
        self.documents: list[Any] = []

    @property
    def logged(self) -> str:
        return self._stream.getvalue()

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        api: Api | None = None,
    ) -> HTTPResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **HEADERS, **(headers or {})}
        sender = api or Api(token(*SCOPES))
        answer = sender.request(method, path, b"" if body is None else raw, sent)
        if answer.status_code >= 400:
            self.problems.append(answer)
        self.documents += self._daemon.drain()
        return answer

    @property
    def found(self) -> list[str]:
        """The lines, segments and problems that contain a marker."""
        places = [*self.logged.splitlines(), *map(json.dumps, self.documents)]
        places += [f"{problem.headers} {problem.body.decode()}" for problem in self.problems]
        return [place for place in places if MARKER.search(place)]


@pytest.fixture
def output(daemon: Daemon) -> Iterator[Output]:
    """Capture the output of all loggers."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    loggers = (app.app.log, logging.getLogger())
    for logger in loggers:
        logger.addHandler(handler)
    yield Output(stream, daemon)
    for item in loggers:
        item.removeHandler(handler)


def test_operations_reveal_no_personal_data(api: Api, output: Output) -> None:
    """Calls every operation, with every field."""
    del api
    created = output.send("POST", "/customers", CUSTOMER, {"Idempotency-Key": "zqm-key"})
    again = output.send("POST", "/customers", CUSTOMER, {"Idempotency-Key": "zqm-key"})
    path = created.headers["Location"]
    items = [{"email": f"zqm.{n}@example.com", "given_name": "Zqm"} for n in range(3)]
    change = CUSTOMER | {"given_name": "Zqm Changed"}
    other = CUSTOMER | {"email": "zqm.other@example.com", "external_id": "crm-1"}
    by_external_id = "/customers/by-external-id/crm-1"
    batch = output.send("POST", "/customers/batch", {"items": items}, {"Idempotency-Key": "zqm-2"})
    references = [{"id": each["id"], "version": 2} for each in batch.json_body["items"]]
    patches = [each | {"version": 1, "company_name": "Zqm Company"} for each in references]
    answers = [
        created,
        again,
        batch,
        output.send("GET", path),
        output.send("HEAD", path),
        output.send("GET", path, headers={"If-None-Match": '"zqm", "v1"'}),
        output.send("GET", "/customers?email=zqm.email%40example.com&external_id=zqm-external"),
        output.send("GET", "/customers?q=zqm&fields=email"),
        output.send("GET", "/customers?phone=%2B447700900123&include_deleted=true&limit=1"),
        output.send("GET", "/customers/changes"),
        output.send("PUT", path, change, {"If-Match": '"zqm", "v1"'}),
        output.send("PATCH", path, {"metadata": {"zqm-other": "zqm"}}, MERGE_PATCH),
        output.send("PUT", by_external_id, other),
        output.send("GET", by_external_id),
        output.send("PATCH", by_external_id, {"metadata": {"zqm-other": "zqm"}}, MERGE_PATCH),
        output.send("DELETE", by_external_id),
        output.send("DELETE", path),
        output.send("POST", f"{path}/restore"),
        history := output.send("GET", f"{path}/history"),
        exported := output.send("GET", f"{path}/export"),
        output.send("POST", f"{path}/erase"),
        erasure := output.send("GET", f"{path}/erasure"),
        output.send("PATCH", "/customers", {"items": patches}),
        output.send("POST", "/customers/delete", {"items": references}),
        output.send("OPTIONS", path),
        output.send("GET", "/health?deep=true"),
        output.send("GET", "/openapi.json"),
        output.send("GET", "/problems"),
    ]

    statuses = [answer.status_code for answer in answers]
    reads, removals = [200, 200, 304, *[200] * 6], [204, *[200] * 3, 204, 200]
    by_place, together = [201, 200, 200, 204], [200, 204]
    expected = [*[201] * 3, *reads, *by_place, *removals, *together, 204, *[200] * 3]
    assert statuses == expected
    assert MARKER.search(created.body.decode())
    assert MARKER.search(exported.body.decode())
    assert not MARKER.search(f"{history.body.decode()} {erasure.body.decode()}")
    assert output.logged.count('"message":"request"') == len(answers)
    assert {document["name"] for document in output.documents} >= {
        "customers/local",
        *app.operation.table,
    }
    assert output.found == []


def invalid_customers(value: object) -> list[dict[str, object]]:
    """Return customers that each have one invalid field, with a marker as its value."""
    whole: dict[str, object] = {"email": "ada@example.com", "given_name": "Ada"}
    address: dict[str, object] = {"line1": "1", "country": "GB"}
    texts = (
        "status",
        "email",
        "phone",
        "locale",
        "time_zone",
        "addresses",
        "metadata",
        "given_name",
    )
    return [
        *({**whole, name: value} for name in texts),
        *({**whole, "addresses": [{**address, name: value}]} for name in ("type", "country")),
        {**whole, "metadata": {"a": value}},
        {**whole, "metadata": {"a": ["zqm"]}},
        {**whole, "external_id": "zqm" * 100},
        {**whole, "family_name": "zqm\u0000"},
    ]


REJECTED: dict[str, tuple[int, Callable[[Output, str], Any]]] = {
    "body that is not JSON": (
        400,
        lambda output, _: output.send("POST", "/customers", b'{"zqm": zqm'),
    ),
    "query": (
        400,
        lambda output, _: output.send(
            "GET",
            "/customers?limit=zqm&sort=zqm&cursor=zqm&status=zqm&created_after=zqm&fields=zqm",
        ),
    ),
    "search": (400, lambda output, _: output.send("GET", "/customers?q=" + "zqm" * 40)),
    "entity tag": (
        400,
        lambda output, path: output.send("GET", path, headers={"If-None-Match": "zqm"}),
    ),
    "version": (400, lambda output, path: output.send("DELETE", path, headers={"If-Match": "zqm"})),
    "key": (
        400,
        lambda output, _: output.send(
            "POST", "/customers", CUSTOMER, {"Idempotency-Key": "zqm \u00e9"}
        ),
    ),
    "several with outcomes": (
        207,
        lambda output, _: output.send(
            "POST",
            "/customers/batch",
            {"items": [CUSTOMER, {"email": "zqm@zqm@zqm"}]},
            {"Prefer": "handling=lenient"},
        ),
    ),
    "no token": (401, lambda output, path: output.send("GET", path, api=Api(""))),
    "token of another issuer": (
        401,
        lambda output, path: output.send(
            "GET", path, api=Api(tokens.stranger().token(SCOPES, subject="zqm", **CLAIMS))
        ),
    ),
    "malformed token": (401, lambda output, path: output.send("GET", path, api=Api("zqm.zqm.zqm"))),
    "scope": (
        403,
        lambda output, path: output.send(
            "DELETE", path, api=Api(token("customers:read", "zqm:scope"))
        ),
    ),
    "id": (404, lambda output, _: output.send("GET", UNKNOWN)),
    "method": (405, lambda output, _: output.send("DELETE", "/customers")),
    "several": (
        400,
        lambda output, _: output.send("PATCH", "/customers", {"items": [{"id": "zqm", "zqm": 1}]}),
    ),
    "other versions": (
        409,
        lambda output, path: output.send(
            "POST", "/customers/delete", {"items": [{"id": path[-36:], "version": 9}]}
        ),
    ),
    "accept": (406, lambda output, path: output.send("GET", path, headers={"Accept": "text/zqm"})),
    "conflict": (409, lambda output, _: output.send("POST", "/customers", CUSTOMER)),
    "other version": (
        412,
        lambda output, path: output.send("PUT", path, CUSTOMER, {"If-Match": '"v9"'}),
    ),
    "size": (
        413,
        lambda output, _: output.send("POST", "/customers", b'"' + b"zqm" * 30_000 + b'"'),
    ),
    "media type": (
        415,
        lambda output, _: output.send("POST", "/customers", CUSTOMER, {"Content-Type": "text/zqm"}),
    ),
    "reused key": (
        422,
        lambda output, _: output.send(
            "POST", "/customers", CUSTOMER | {"locale": None}, {"Idempotency-Key": "zqm-key"}
        ),
    ),
    "no version": (428, lambda output, path: output.send("PUT", path, CUSTOMER)),
}


@pytest.mark.parametrize(("status", "send"), REJECTED.values(), ids=REJECTED)
def test_rejections_reveal_no_personal_data(
    api: Api, output: Output, status: int, send: Any
) -> None:
    del api
    created = output.send("POST", "/customers", CUSTOMER, {"Idempotency-Key": "zqm-key"})

    assert send(output, created.headers["Location"]).status_code == status

    assert len(output.problems) == (status >= 400)
    assert output.found == []


@pytest.mark.parametrize("value", ["zqm@zqm@zqm", "Zqm", "zqm " * 200, ["zqm"], {"a": "zqm"}])
def test_validation_errors_reveal_no_personal_data(api: Api, output: Output, value: object) -> None:
    del api
    for customer in invalid_customers(value):
        output.send("POST", "/customers", customer)
        output.send("POST", "/customers/batch", {"items": [customer]})
        output.send("PUT", UNKNOWN, customer, {"If-Match": '"v1"'})

    assert len(output.problems) > 30
    assert output.found == []


def send_requests_that_fail(output: Output, status: int) -> None:
    """Send requests that need the database, and assert that they fail with the status."""
    for method, path, body, headers in (
        ("POST", "/customers", CUSTOMER, {}),
        ("POST", "/customers/batch", {"items": [CUSTOMER]}, {}),
        ("GET", "/customers?email=zqm.email%40example.com", None, {}),
        ("GET", UNKNOWN, None, {}),
        ("PUT", UNKNOWN, CUSTOMER, {"If-Match": '"v1"'}),
        ("PATCH", UNKNOWN, {"given_name": "Zqm"}, MERGE_PATCH),
        ("DELETE", UNKNOWN, None, {}),
        ("POST", f"{UNKNOWN}/restore", None, {}),
        ("POST", f"{UNKNOWN}/erase", None, {}),
        ("PUT", "/customers/by-external-id/crm-1", CUSTOMER | {"external_id": "crm-1"}, {}),
        ("PATCH", "/customers", {"items": [{"id": UNKNOWN[-36:], "version": 1}]}, {}),
        ("POST", "/customers/delete", {"items": [{"id": UNKNOWN[-36:], "version": 1}]}, {}),
        ("GET", "/health?deep=true", None, {}),
    ):
        answer = output.send(method, path, body, headers)
        assert answer.status_code == status, path
    assert output.logged.count('"where":') == 13


def test_unreachable_database_reveals_no_personal_data(broken_api: Api, output: Output) -> None:
    del broken_api

    send_requests_that_fail(output, 503)

    assert output.found == []


def test_unexpected_errors_reveal_no_personal_data(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log contains neither their message nor that of their cause."""

    def fail() -> None:
        try:
            int("zqm")
        except ValueError as error:
            raise KeyError("zqm", CUSTOMER) from error

    monkeypatch.setattr(app, "database", fail)

    send_requests_that_fail(output, 500)

    assert output.found == []


def test_failed_statement_reveals_no_personal_data(
    data_api: str, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's error message contains the statement's values."""
    elsewhere = connect(Settings(endpoint_url=data_api, database_name="information_schema"))
    monkeypatch.setattr(app, "database", lambda: elsewhere)

    for method, path, body in (
        ("POST", "/customers", CUSTOMER),
        ("GET", "/customers?q=zqm", None),
    ):
        assert output.send(method, path, body).status_code == 500

    assert "StatementFailed" in output.logged
    assert output.found == []


def test_purge_reveals_no_personal_data(
    api: Api, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    del api
    path = output.send("POST", "/customers", CUSTOMER).headers["Location"]
    output.send("DELETE", path)
    app.database().execute("UPDATE customers SET purge_at = '2020-01-01 00:00:00'")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root=1-00000000-{0:024x};Parent={0:016x};Sampled=1")

    event = "version account region detail detail-type source time id resources".split()
    Client(app.app).lambda_.invoke("purge_customers", dict.fromkeys(event, ""))

    assert '"operation":"purge_customers"' in output.logged
    assert output.found == []


def test_markers_are_detected(output: Output) -> None:
    app.app.log.warning("zqm")

    assert len(output.found) == 1


def test_unreachable_jwks_reveals_no_personal_data(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.tokens import authorizer

    monkeypatch.setenv("TOKEN_JWKS_URL", "http://127.0.0.1:1/keys")
    authorizer.verifier.cache_clear()

    assert output.send("GET", UNKNOWN).status_code == 503

    authorizer.verifier.cache_clear()
    assert "Could not fetch JWKS" in output.logged
    assert output.found == []
