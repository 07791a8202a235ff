"""Each operation has one trace, one access line and metrics, all with the same request id.

The tests start the whole stack like `make run`, and query it like the console's page.
"""

import json
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import app
from app import SCOPES
from chalicelib.observability.telemetry import UNITS
from local.issuer import Issuer
from local.segments import PROTOCOL
from tests.local.run import Run
from tests.local.support import eventually

BURST = 5_000
STATEMENTS = {
    "get_health": ["SELECT"],
    "get_openapi": [],
    "get_problems": [],
    "get_customers": ["SELECT customers"],
    "get_changes": ["SELECT customers"],
    "create_customer": ["INSERT customers"],
    "create_customers": ["INSERT customers"],
    "patch_customers": ["SELECT customers", "UPDATE customers"],
    "delete_customers": ["UPDATE customers"],
    "get_customer_by_external_id": ["SELECT customers"],
    "put_customer_by_external_id": ["SELECT customers", "INSERT customers"],
    "patch_customer_by_external_id": ["SELECT customers", "UPDATE customers"],
    "delete_customer_by_external_id": ["SELECT customers", "UPDATE customers"],
    "get_customer": ["SELECT customers"],
    "replace_customer": ["UPDATE customers"],
    "patch_customer": ["SELECT customers", "UPDATE customers"],
    "delete_customer": ["UPDATE customers"],
    "restore_customer": ["SELECT customers", "UPDATE customers"],
    "erase_customer": ["UPDATE customers"],
    "get_erasure": ["SELECT customers"],
    "get_history": ["SELECT customers"],
    "export_customer": ["SELECT customers"],
}
WRITES = {name for name in STATEMENTS if not name.startswith(("get_", "export_"))}

Json = dict[str, Any]


class Stack:
    """The running stack: its API, and the requests that its console shows."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._api = f"http://127.0.0.1:{run.ports['PORT']}"
        self._token = Issuer(Path(run.own["LOCAL_STATE"]), run.console_url).token(SCOPES)

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        return requests.request(method, self._api + path, headers=headers, timeout=30, **more)

    def listed(self) -> list[Json]:
        """Return the listed requests, newest first."""
        answer: Json = self._get("/requests?since=0").json()
        found: list[Json] = answer["requests"]
        return found

    def details(self, trace_id: str) -> Json:
        details: Json = self._get(f"/requests/{trace_id}").json()
        return details

    def dropped(self) -> dict[str, int]:
        dropped: dict[str, int] = self._get("/requests?since=0").json()["dropped"]
        return dropped

    def plan(self, trace_id: str, segment: str) -> requests.Response:
        headers = {"Origin": self.run.console_url}
        url = f"{self.run.console_url}/requests/{trace_id}/plan"
        return requests.post(url, params={"segment": segment}, headers=headers, timeout=30)

    def _get(self, path: str) -> requests.Response:
        return requests.get(self.run.console_url + path, timeout=30)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Run(tmp_path_factory.mktemp("stack"), "run") as run:
        run.read_until("Ctrl-C")
        stack = Stack(run)
        stack.send("GET", "/customers")  # the gateway caches the result of the authorizer
        eventually(
            lambda: any(trace.get("path") == "/customers" for trace in stack.listed()), seconds=60
        )
        yield stack


def send_each(stack: Stack) -> dict[str, requests.Response]:
    """Send one request per operation; return the responses by operation name."""
    batch = {"items": [{"email": f"{n}@example.com", "given_name": "Ada"} for n in range(2)]}
    ada = {"email": "ada.of.traces@example.com", "given_name": "Ada"}
    created = stack.send("POST", "/customers", json=ada)
    several = stack.send("POST", "/customers/batch", json=batch)
    items = [{"id": each["id"], "version": 1} for each in several.json()["items"]]
    patches = {"items": [item | {"locale": "de"} for item in items]}
    gone = {"items": [item | {"version": 2} for item in items]}
    path, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    external, grace = "/customers/by-external-id/crm-1", ada | {"email": "grace@example.com"}
    return {
        "create_customer": created,
        "create_customers": several,
        "patch_customers": stack.send("PATCH", "/customers", json=patches),
        "delete_customers": stack.send("POST", "/customers/delete", json=gone),
        "replace_customer": stack.send(
            "PUT", path, json=ada | {"phone": "+442079460000"}, headers=tag
        ),
        "patch_customer": stack.send("PATCH", path, json={"given_name": "Augusta"}),
        "put_customer_by_external_id": stack.send("PUT", external, json=grace),
        "get_customer_by_external_id": stack.send("GET", external),
        "patch_customer_by_external_id": stack.send("PATCH", external, json={"locale": "en"}),
        "delete_customer_by_external_id": stack.send("DELETE", external),
        "get_customer": stack.send("GET", path),
        "get_customers": stack.send("GET", "/customers?status=active"),
        "get_changes": stack.send("GET", "/customers/changes"),
        "get_history": stack.send("GET", f"{path}/history"),
        "export_customer": stack.send("GET", f"{path}/export"),
        "delete_customer": stack.send("DELETE", path),
        "restore_customer": stack.send("POST", f"{path}/restore"),
        "erase_customer": stack.send("POST", f"{path}/erase"),
        "get_erasure": stack.send("GET", f"{path}/erasure"),
        "get_health": stack.send("GET", "/health?deep=true"),
        "get_openapi": stack.send("GET", "/openapi.json"),
        "get_problems": stack.send("GET", "/problems"),
    }


@pytest.mark.slow
def test_each_operation_has_complete_telemetry_by_request_id(stack: Stack) -> None:
    before = {trace["trace_id"] for trace in stack.listed()}

    sent = send_each(stack)

    assert sent.keys() == STATEMENTS.keys() == app.operation.table.keys()

    def new() -> list[Json]:
        found = [trace for trace in stack.listed() if trace["trace_id"] not in before]
        return found if len(found) == len(sent) and all("path" in trace for trace in found) else []

    traces = [stack.details(trace["trace_id"]) for trace in eventually(new)]
    by_request = {trace["request_id"]: trace for trace in traces}
    for name, answer in sent.items():
        assert_complete(name, answer, by_request.pop(answer.headers["Request-Id"]))
    assert by_request == {}
    assert stack.dropped() == {"lost": 0, "refused": 0, "full": 0}


def assert_complete(name: str, answer: requests.Response, trace: Json) -> None:
    """Assert that list, tree, log lines and metrics agree about a request."""
    listed, lines = trace["request"], trace["lines"]
    url = requests.compat.urlsplit(answer.url)
    path = re.sub("(?<=/by-external-id/).*", "*", url.path)  # an external id may be personal
    assert (listed["method"], listed["path"]) == (answer.request.method, path)
    assert (listed["operation"], listed["status"]) == (name, answer.status_code)
    assert answer.ok
    statements = STATEMENTS[name]
    assert [(segment["depth"], segment["name"]) for segment in trace["segments"]] == [
        (0, "customers/local"),
        (1, name),
        *((2, statement) for statement in statements),
    ]
    assert [bool(segment["sql"]) for segment in trace["segments"]] == [False, False] + [True] * len(
        statements
    )
    assert listed["statements"] == len(statements)
    audit = ["audit"] if name in WRITES else []
    assert [line["message"] for line in lines] == [*audit, "request"]
    assert {line["request_id"] for line in lines} == {answer.headers["Request-Id"]}
    assert_metrics(trace["metrics"], {"Requests": 1, "Statements": len(statements), "Faults": 0})


def assert_metrics(metrics: list[Json], known: dict[str, int]) -> None:
    values = {metric["name"]: metric["value"] for metric in metrics}
    units = {**UNITS, "DatabaseLatency": "Milliseconds"} if known["Statements"] else UNITS
    assert {metric["name"]: metric["unit"] for metric in metrics} == units
    assert known.items() <= values.items()
    assert 0 <= values.get("DatabaseLatency", 0) <= values["Latency"]


@pytest.mark.slow
def test_statement_plan_comes_from_the_database(stack: Stack) -> None:
    stack.send("GET", "/customers?limit=3")

    def listing() -> Json | None:
        found = (trace for trace in stack.listed() if trace.get("operation") == "get_customers")
        return next((trace for trace in found if "path" in trace), None)

    trace = eventually(listing)
    assert trace
    trace_id = trace["trace_id"]
    segments = stack.details(trace_id)["segments"]
    (statement,) = (segment for segment in segments if segment["sql"])

    plan = stack.plan(trace_id, statement["id"]).json()

    (row,) = (dict(zip(plan["columns"], row, strict=True)) for row in plan["rows"])
    assert row["table"] == "customers"
    assert f"FORCE INDEX ({row['key']})" in statement["sql"]
    assert stack.plan(trace_id, segments[0]["id"]).status_code == 404  # no statement
    assert stack.plan(trace_id, "SELECT 1").status_code == 404


@pytest.mark.slow
def test_burst_of_segments_stops_neither_console_nor_api(stack: Stack) -> None:
    """The burst includes garbage and a datagram of nearly the maximum size."""
    daemon = ("127.0.0.1", stack.run.ports["XRAY_PORT"])
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for number in range(BURST):
            sender.sendto(_segment(number), daemon)
            if number % 1_000 == 0:
                assert stack.send("GET", "/health").ok
                assert isinstance(stack.listed(), list)
        sender.sendto(b"garbage", daemon)
        sender.sendto(PROTOCOL + b"[" * 65_000, daemon)

    sent = set[str]()

    def found() -> Json | None:
        """Return a request after the burst; the system drops segments while its buffer is full."""
        sent.add(stack.send("GET", "/health").headers["Request-Id"])
        details = (stack.details(trace["trace_id"]) for trace in stack.listed()[:20])
        return next((detail for detail in details if detail["request_id"] in sent), None)

    trace = eventually(found)
    assert trace
    assert [segment["name"] for segment in trace["segments"]] == ["customers/local", "get_health"]
    assert len(stack.listed()) <= 2_000


def _segment(number: int) -> bytes:
    document = {
        "trace_id": f"1-5759e988-{secrets.token_hex(12)}",
        "id": f"{number:016x}",
        "name": "burst",
        "start_time": 1.0,
        "end_time": 2.0,
    }
    return PROTOCOL + json.dumps(document).encode()
