"""The segments that X-Ray receives over a real socket, and requests without X-Ray."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from aws_xray_sdk.core.context import Context
from chalice.test import Client

import app
from app import SCOPES
from chalicelib.database import Database, connect, tables
from chalicelib.observability import telemetry, tracing
from chalicelib.observability.tracing import Header, statement_name
from chalicelib.settings import Settings
from local.processes import Child, answers, free_port
from tests import tokens
from tests.api import ADA, Api
from tests.daemon import Daemon

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT};Sampled=1"
UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"

Document = dict[str, Any]


# --- the header ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (SAMPLED, Header(ROOT, PARENT, True)),
        (f"{SAMPLED};Lineage=1:a87bd80c:0", Header(ROOT, PARENT, True)),
        (f"Sampled=0; Parent={PARENT} ;Root={ROOT}", Header(ROOT, PARENT, False)),
        (f"Self=1-67891234-12456789abcdef012345678a;Root={ROOT}", Header(ROOT)),
        (f"Root={ROOT};Sampled=?", Header(ROOT)),
        (f"Root={ROOT};Parent={PARENT.upper()}", Header(ROOT)),
        (f"Root={ROOT}0;Parent={PARENT}0", Header()),
        (f"Root={ROOT}\n", Header(ROOT)),
        (f"Root=ada@example.com {ROOT}", Header()),
        ("Root;;=;Sampled", Header()),
        ("", Header()),
        (None, Header()),
    ],
)
def test_trace_header_is_parsed(text: str | None, header: Header) -> None:
    assert Header.parse(text) == header


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT id, email FROM customers WHERE id = :id", "SELECT customers"),
        (tables.insert_sql("customers", 2, ("id", "email")), "INSERT customers"),
        ("UPDATE customers SET version = 1 WHERE id = :id", "UPDATE customers"),
        ("SELECT 1", "SELECT"),
        ("  (", "statement"),
    ],
)
def test_statement_name_is_its_verb_and_table(sql: str, name: str) -> None:
    assert statement_name(sql) == name


# --- the tree --------------------------------------------------------------------------------


def test_request_has_a_complete_trace(api: Api, daemon: Daemon) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    daemon.drain()

    assert api.get(f"{path}?fields=email").status_code == 200

    read, operation, gateway = daemon.take(3)
    assert daemon.is_silent
    assert gateway["origin"] == "AWS::ApiGateway::Stage"
    assert gateway["name"] == "customers/local"
    assert gateway["http"]["request"] == {"method": "GET", "url": path}
    assert gateway["http"]["response"]["status"] == 200
    assert gateway["http"]["response"]["content_length"] > 0
    assert operation["name"] == "get_customer"
    assert operation["annotations"] == {
        "operation": "get_customer",
        "stage": "local",
        "status": 200,
        "replayed": False,
        "cold_start": False,
    }
    assert (read["name"], read["namespace"]) == ("SELECT customers", "remote")
    assert read["metadata"]["default"] == {"rows": 1, "attempts": 1}
    assert read["sql"]["sanitized_query"].endswith("WHERE id = :id AND deleted_at IS NULL")
    assert_tree(gateway, operation, read)


def test_call_of_the_authorizer_is_part_of_the_trace_until_it_is_cached(
    api: Api, daemon: Daemon
) -> None:
    gateways = []
    for _ in range(2):
        assert api.get(UNKNOWN).status_code == 404
        *_, gateway = daemon.take(3)
        gateways.append(gateway)

    (authorizer,) = gateways[0]["subsegments"]
    assert authorizer["name"] == "authorizer"
    assert gateways[0]["start_time"] <= authorizer["start_time"] <= authorizer["end_time"]
    assert authorizer["end_time"] <= gateways[0]["end_time"]
    assert "subsegments" not in gateways[1]


def test_first_request_of_a_process_is_marked(
    api: Api, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_cold_starts", iter([1, 0, 0]))

    for _ in range(2):
        api.get("/customers?limit=1")

    operations = [item for item in daemon.drain() if "annotations" in item]
    assert [item["annotations"]["cold_start"] for item in operations] == [True, False]


def assert_tree(*documents: Document) -> None:
    """Assert that each document is a child of the previous one, also in time, and none failed."""
    first, *others = documents
    assert first.get("type") is None
    for parent, child in zip(documents, others, strict=False):
        assert child["parent_id"] == parent["id"]
        assert child["type"] == "subsegment"
        assert parent["start_time"] <= child["start_time"]
        assert child["end_time"] <= parent["end_time"]
    for document in documents:
        assert document["trace_id"] == first["trace_id"]
        assert not {"fault", "error", "throttle", "cause"} & document.keys()
        assert not document.get("in_progress")


def test_each_statement_is_a_child_of_the_operation(api: Api, daemon: Daemon) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    daemon.drain()

    assert api.patch(path, {"locale": "en"}).status_code == 200

    read, write, operation, _ = daemon.take(4)
    assert [read["name"], write["name"]] == ["SELECT customers", "UPDATE customers"]
    assert {read["parent_id"], write["parent_id"]} == {operation["id"]}
    assert write["metadata"]["default"]["rows"] == 1


def test_replay_is_annotated(api: Api, daemon: Daemon) -> None:
    for _ in range(2):
        assert api.post("/customers", ADA, idempotency_key="a").status_code == 201

    operations = [item for item in daemon.drain() if "annotations" in item]
    assert [operation["annotations"]["replayed"] for operation in operations] == [False, True]


def test_large_statement_fits_into_a_datagram(api: Api, daemon: Daemon) -> None:
    batch = [{"email": f"{n}@example.com", "given_name": "Ada"} for n in range(100)]

    assert api.post("/customers/batch", {"items": batch}).status_code == 201

    insert, operation, _ = daemon.take(3)
    assert insert["metadata"]["default"]["rows"] == 100
    assert len(insert["sql"]["sanitized_query"]) == tracing.MAX_SQL
    assert operation["annotations"]["operation"] == "create_customers"


def test_purge_is_traced(
    migrated: Database, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "database", lambda: migrated)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", SAMPLED)

    Client(app.app).lambda_.invoke("purge_customers", {**dict.fromkeys(EVENT_KEYS), "time": ""})

    select, operation = daemon.take(2)
    assert (operation["name"], operation["parent_id"]) == ("purge_customers", PARENT)
    assert operation["annotations"] == {"operation": "purge_customers", "stage": "dev"}
    assert (select["name"], select["parent_id"]) == ("SELECT customers", operation["id"])


EVENT_KEYS = "version account region detail detail-type source time id resources".split()


# --- sampling --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Amzn-Trace-Id", "x-amzn-trace-id"])
def test_trace_of_the_client_is_continued(api: Api, daemon: Daemon, name: str) -> None:
    answer = api.request("GET", "/health", headers={name: SAMPLED})

    operation, gateway = daemon.take(2)
    assert (gateway["trace_id"], gateway["parent_id"]) == (ROOT, PARENT)
    assert (operation["trace_id"], operation["parent_id"]) == (ROOT, gateway["id"])
    assert not [header for header in answer.headers if "trace" in header.lower()]


def test_client_may_send_only_the_trace_id(api: Api, daemon: Daemon) -> None:
    api.get("/health", x_amzn_trace_id=f"Root={ROOT}")

    _, gateway = daemon.take(2)
    assert gateway["trace_id"] == ROOT
    assert "parent_id" not in gateway


def test_malformed_trace_header_is_ignored(api: Api, daemon: Daemon) -> None:
    api.get("/health", x_amzn_trace_id=f"Root=ada@example.com;Parent={PARENT}")

    operation, gateway = daemon.take(2)
    assert re.fullmatch(tracing._TRACE_ID, gateway["trace_id"])
    assert "parent_id" not in gateway
    assert operation["parent_id"] == gateway["id"]


def test_unsampled_request_sends_no_segments(api: Api, daemon: Daemon) -> None:
    assert api.get(UNKNOWN, x_amzn_trace_id=f"Root={ROOT};Sampled=0").status_code == 404

    assert daemon.is_silent
    assert tracing._load.cache_info().currsize == 0


@pytest.fixture
def call(migrated: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that invokes the app like Lambda, with a header and a variable."""
    monkeypatch.setattr(app, "database", lambda: migrated)

    def invoke(header: str | None, variable: str | None) -> int:
        if variable is not None:
            monkeypatch.setenv("_X_AMZN_TRACE_ID", variable)
        context = {"httpMethod": "GET", "resourcePath": "/health", "path": "/health"}
        event = {
            "requestContext": context,
            "headers": {"X-Amzn-Trace-Id": header} if header else None,
            "multiValueQueryStringParameters": {"deep": ["true"]},
            "pathParameters": None,
            "stageVariables": None,
            "body": None,
        }
        app.health.cache_clear()  # which would not run a statement within the same second
        status: int = app.app(event, None)["statusCode"]
        return status

    return invoke


OTHER = SAMPLED.replace(PARENT, "0123456789abcdef")


@pytest.mark.parametrize(
    ("header", "variable", "parent"),
    [
        (SAMPLED, None, PARENT),
        (None, SAMPLED, PARENT),
        (OTHER, SAMPLED, PARENT),
        (SAMPLED, SAMPLED.replace("Sampled=1", "Sampled=0"), None),
        (SAMPLED, f"Root={ROOT};Parent={PARENT}", None),
        (SAMPLED, "nonsense", None),
        (f"Root={ROOT};Sampled=1", None, None),
        (f"Parent={PARENT};Sampled=1", None, None),
        ("Sampled=1", None, None),
        (None, None, None),
    ],
)
def test_lambda_decides_what_is_sampled(
    call: Callable[..., int],
    daemon: Daemon,
    header: str | None,
    variable: str | None,
    parent: str | None,
) -> None:
    assert call(header, variable) == 200

    if parent is None:
        assert daemon.is_silent
        return
    ping, operation = daemon.take(2)
    assert (operation["trace_id"], operation["parent_id"]) == (ROOT, parent)
    assert (ping["name"], ping["parent_id"]) == ("SELECT", operation["id"])


def test_trace_does_not_leak_into_the_next_request(
    call: Callable[..., int], daemon: Daemon
) -> None:
    call(SAMPLED, None)
    call(None, None)
    call(OTHER, None)

    _, first, _, second = daemon.drain()
    assert (first["parent_id"], second["parent_id"]) == (PARENT, "0123456789abcdef")
    assert vars(tracing.recorder().context._local) == {}


def test_trace_is_cleared_if_the_recorder_fails(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del daemon
    trace = tracing.Trace("test", SAMPLED)
    with monkeypatch.context() as patch:
        patch.setattr(Context, "end_subsegment", None)
        with pytest.raises(TypeError):
            trace.end()

    assert tracing._trace.get() is None


def test_commit_needs_no_open_subsegment(migrated: Database, daemon: Daemon) -> None:
    """The commit also calls the Data API, after the subsegments of the statements have ended."""
    with tracing.Trace("test", SAMPLED), migrated.transaction() as transaction:
        transaction.ping()

    ping, operation = daemon.take(2)
    assert ping["parent_id"] == operation["id"]


def test_statement_outside_of_a_request_is_not_traced(migrated: Database, daemon: Daemon) -> None:
    migrated.ping()

    assert daemon.is_silent


def test_concurrent_requests_have_separate_traces(
    migrated: Database, data_api: str, daemon: Daemon, tmp_path: Path
) -> None:
    """Each request has its own complete trace in a gateway with several threads."""
    migrated.execute("DELETE FROM customers")
    port = free_port()
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL_RDS_DATA": data_api,
        "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
    }
    command = [sys.executable, "-m", "local.gateway", "--stage", "dev", "--port", str(port)]
    token = tokens.token(*SCOPES)

    def create(number: int) -> int:
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Amzn-Trace-Id": f"Root=1-00000000-{number:024x}",
        }
        customer = {"email": f"{number}@example.com", "given_name": "Ada"}
        url = f"http://127.0.0.1:{port}/customers"
        return requests.post(url, json=customer, headers=headers, timeout=30).status_code

    with Child("api", command, tmp_path / "api.log", environment) as gateway:
        gateway.wait_until(lambda: answers(port), seconds=60)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(create, range(40))) == {201}
        documents = daemon.take(3 * 40)

    traces: dict[str, list[Document]] = {}
    for document in documents:
        traces.setdefault(document["trace_id"], []).append(document)
    assert len(traces) == 40
    for insert, operation, root in traces.values():
        assert insert["name"] == "INSERT customers"
        assert_tree(root, operation, insert)


# --- errors ----------------------------------------------------------------------------------


def marks(document: Document) -> set[str]:
    return {mark for mark in ("error", "fault", "throttle") if document.get(mark)}


def test_client_error_is_marked_as_error(api: Api, daemon: Daemon) -> None:
    api.get(UNKNOWN)

    read, operation, gateway = daemon.take(3)
    assert (marks(read), marks(operation), marks(gateway)) == (set(), {"error"}, {"error"})
    assert operation["annotations"]["problem"] == "customer-not-found"
    (exception,) = operation["cause"]["exceptions"]
    assert exception["type"] == "CustomerNotFound"
    assert exception["message"] == "No customer has this id, or it was deleted."
    assert exception["stack"][-1]["path"] == "reads.py"


def test_duplicate_key_is_marked_on_the_statement(api: Api, daemon: Daemon) -> None:
    api.post("/customers", ADA)
    daemon.drain()

    assert api.post("/customers", ADA).status_code == 409

    insert, select, operation, _ = daemon.take(4)
    assert (marks(insert), marks(select), marks(operation)) == ({"error"}, set(), {"error"})
    assert insert["cause"]["exceptions"][0]["message"] == "MySQL error 1062"
    assert insert["metadata"]["default"] == {"attempts": 1}
    assert "ada@" not in json.dumps([insert, select, operation])


def test_unreachable_database_is_marked_as_fault(broken_api: Api, daemon: Daemon) -> None:
    assert broken_api.get("/health?deep=true").status_code == 503

    ping, operation, gateway = daemon.take(3)
    assert (marks(ping), marks(operation), marks(gateway)) == ({"fault"}, {"fault"}, {"fault"})
    assert ping["cause"]["exceptions"][0]["type"] == "StatementNotBegun"


class Throttling(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("x-amzn-ErrorType", "ThrottlingException")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def throttled_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Return a client of the app whose Data API throttles every call."""
    with HTTPServer(("127.0.0.1", 0), Throttling) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        database = connect(Settings(endpoint_url=f"http://127.0.0.1:{server.server_port}"))
        monkeypatch.setattr(app, "database", lambda: database)
        yield Api()
        server.shutdown()


def test_throttled_statement_is_marked_as_throttle(
    throttled_api: Api, daemon: Daemon, lines: Any
) -> None:
    assert throttled_api.get("/health?deep=true").status_code == 503

    ping, operation, _ = daemon.take(3)
    assert (marks(ping), marks(operation)) == ({"error", "throttle"}, {"fault"})
    (line,) = lines("request")
    assert (line["Throttles"], line["DatabaseErrors"], line["Statements"]) == (1, 1, 1)


def test_internal_error_is_marked_as_fault_without_its_message(
    api: Api, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr(app, "database", fail)

    assert api.get("/customers").status_code == 500

    operation, gateway = daemon.take(2)
    assert (marks(operation), marks(gateway)) == ({"fault"}, {"fault"})
    (exception,) = operation["cause"]["exceptions"]
    assert exception["type"] == "KeyError"
    assert exception["stack"][-1]["label"] == "fail"
    assert "ada@" not in json.dumps([operation, gateway])


class Foreign(Exception):
    status = "404 ada@example.com"


def test_status_of_a_foreign_error_is_not_trusted(daemon: Daemon) -> None:
    with pytest.raises(Foreign), tracing.Trace("test", SAMPLED):
        raise Foreign

    (operation,) = daemon.take(1)
    assert marks(operation) == {"fault"}


def test_request_rejected_by_the_gateway_is_traced(daemon: Daemon) -> None:
    assert Api("nonsense").get("/customers?email=ada@example.com").status_code == 401

    (gateway,) = daemon.take(1)
    assert marks(gateway) == {"error"}
    assert gateway["http"]["request"]["url"] == "/customers"


def test_missing_sdk_is_logged_once(
    api: Api,
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "aws_xray_sdk.core.context", None)

    for _ in range(3):
        assert api.get("/health").status_code == 200

    (record,) = [
        record for record in caplog.records if record.name == "chalicelib.observability.tracing"
    ]
    assert record.levelno == logging.WARNING
    assert "Tracing is off" in record.getMessage()
    assert "ModuleNotFoundError" in record.getMessage()
    assert {item["name"] for item in daemon.drain()} == {"customers/local"}


def test_sdk_in_lambda_uses_our_configuration(daemon: Daemon, tmp_path: Path) -> None:
    """In Lambda, the SDK would replace our context with its own."""
    environment = {
        **os.environ,
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_X_AMZN_TRACE_ID": SAMPLED,
        "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
    }
    program = "from tests.api import Api; Api('').get('/health')"

    subprocess.run([sys.executable, "-c", program], env=environment, check=True)

    operation, _ = daemon.take(2)
    assert (operation["trace_id"], operation["parent_id"]) == (ROOT, PARENT)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("address", "is_logged"), [("nonsense", True), (":", True), ("nowhere.invalid:2000", False)]
)
def test_unusable_daemon_address_does_not_fail_requests(address: str, is_logged: bool) -> None:  # noqa: FBT001
    environment = {**os.environ, "AWS_XRAY_DAEMON_ADDRESS": address, "_X_AMZN_TRACE_ID": SAMPLED}
    program = (
        "from tests.api import Api\n"
        "for _ in range(2): assert Api('').get('/health').status_code == 200"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    logged = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in logged if line["message"] == "request"] == [200, 200]
    warnings = [line for line in logged if "Tracing is off" in line["message"]]
    assert len(warnings) == is_logged
    assert done.stderr == ""


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1", "tcp:a:1"])
def test_gateway_ignores_an_invalid_daemon_address(
    api: Api, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    assert api.get("/health").status_code == 200
    assert tracing._load.cache_info().currsize == 0


def test_daemon_address_may_name_tcp_and_udp(
    api: Api, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"tcp:127.0.0.1:1 udp:{daemon.address}")

    api.get("/health")

    assert len(daemon.take(2)) == 2


def test_stopped_daemon_does_not_fail_requests(api: Api, daemon: Daemon) -> None:
    with daemon:
        pass

    for _ in range(3):
        assert api.get("/health?deep=true").status_code == 200
