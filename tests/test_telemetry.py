"""What logs and metrics say of a request, and in which form CloudWatch takes it."""

import hmac
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from chalicelib.database import StatementFailed, connect
from chalicelib.http import routing
from chalicelib.observability import logs, telemetry
from chalicelib.observability.logs import format_timestamp
from chalicelib.observability.telemetry import UNITS, pseudonym
from chalicelib.settings import Settings
from infrastructure.audit import PATTERN
from infrastructure.stages import LOCAL, STAGES
from openapi.problems import kinds
from tests import tokens
from tests.api import ADA, Api
from tests.conftest import Lines

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

Line = dict[str, Any]


# --- one line per request --------------------------------------------------------------------


def test_request_has_one_complete_line(api: Api, lines: Lines) -> None:
    answer = api.get("/customers?limit=5", x_amzn_trace_id=f"Root={ROOT}", request_id="mine-1")

    assert answer.status_code == 200
    (line,) = lines("request")
    assert re.fullmatch(TIME, line["timestamp"])
    assert re.fullmatch("[0-9a-f]{16}", line["caller"])
    assert line["duration_ms"] >= line["DatabaseLatency"] > 0
    expected = {
        "level": "INFO",
        "request_id": "mine-1",
        "trace_id": ROOT,
        "operation": "get_customers",
        "method": "GET",
        "route": "/customers",
        "status": 200,
        "statements": 1,
    }
    assert {name: line[name] for name in expected} == expected
    assert not {"problem", "error", "where"} & line.keys()
    moment = datetime.fromisoformat(line["timestamp"])
    assert (moment - EPOCH) // timedelta(milliseconds=1) == line["_aws"]["Timestamp"]


@given(st.integers(0, 4_102_444_800_000))
def test_timestamp_is_formatted_in_milliseconds(now: int) -> None:
    moment = EPOCH + timedelta(milliseconds=now)
    assert format_timestamp(now) == f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def test_timestamps_are_in_utc_in_every_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        said = format_timestamp(1_767_225_600_000)
    time.tzset()

    assert said == "2026-01-01T00:00:00.000Z"


def test_line_has_the_time_of_its_record(log: pytest.LogCaptureFixture) -> None:
    app.app.log.info("said")

    (record,) = log.records
    record.created = 1_767_225_600.5
    assert json.loads(log.handler.format(record))["timestamp"] == "2026-01-01T00:00:00.500Z"


def test_line_omits_missing_fields(lines: Lines) -> None:
    token = logs.common.set({"caller": None})
    app.app.log.error("said", exc_info=True)
    logs.common.reset(token)

    (line,) = lines("said")
    assert line.keys() == {"timestamp", "level", "message"}


def test_pseudonym_is_a_keyed_hash_of_the_caller() -> None:
    digest = hmac.digest(b"key", b"caller:ada", "sha256")

    assert telemetry.pseudonym("ada", b"key") == digest[:8].hex()


@pytest.mark.parametrize(("level", "count"), [(logging.INFO, 1), (logging.WARNING, 0)])
def test_log_level_applies_to_request_lines(lines: Lines, level: int, count: int) -> None:
    app.app.log.setLevel(level)
    try:
        Api().get("/health")
    finally:
        app.app.log.setLevel(logging.INFO)

    assert len(lines("request")) == count


OTHERS: dict[str, tuple[Callable[[Api], Any], tuple[int, str, str | None]]] = {
    "preflight": (lambda api: api.request("OPTIONS", "/customers"), (204, "other", None)),
    "method": (lambda api: api.delete("/health"), (405, "other", "method-not-allowed")),
    "scope": (
        lambda _: Api(tokens.token("customers:read")).post("/customers", ADA),
        (403, "create_customer", "insufficient-scope"),
    ),
    "query": (
        lambda api: api.get("/customers?limit=0"),
        (400, "get_customers", "validation-error"),
    ),
    "id": (lambda api: api.get(UNKNOWN), (404, "get_customer", "customer-not-found")),
    "accept": (
        lambda api: api.get("/health", accept="text/html"),
        (406, "get_health", "not-acceptable"),
    ),
    "version": (
        lambda api: api.put(UNKNOWN, ADA),
        (428, "replace_customer", "precondition-required"),
    ),
    "type": (
        lambda api: api.post("/customers", ADA, content_type="text/plain"),
        (415, "create_customer", "unsupported-media-type"),
    ),
}


@pytest.mark.parametrize(("send", "outcome"), OTHERS.values(), ids=OTHERS)
def test_every_outcome_has_one_line(api: Api, lines: Lines, send: Any, outcome: Any) -> None:
    status = send(api).status_code

    (line,) = lines("request")
    assert (line["status"], line["operation"], line.get("problem")) == outcome
    assert (line["status"], line["Operation"]) == (status, line["operation"])
    assert (line["ClientErrors"], line["Faults"]) == (int(status >= 400), 0)


def event(**context: Any) -> dict[str, Any]:
    """Return API Gateway's event for GET /health, with changes to its context."""
    route = {"httpMethod": "GET", "resourcePath": "/health", "path": "/prod/health"}
    nothing = ("headers", "multiValueQueryStringParameters", "pathParameters")
    more = (*nothing, "stageVariables", "body")
    return {"requestContext": {**route, **context}, **dict.fromkeys(more)}


@pytest.mark.parametrize("expires", ["1", None])
def test_rejected_caller_has_a_line(lines: Lines, expires: str | None) -> None:
    caller = {"principalId": "ada@example.com", "scopes": "", "expires": expires}
    sent = event(resourcePath="/customers", authorizer=caller if expires else None)

    assert app.app(sent, None)["statusCode"] == 401

    (line,) = lines("request")
    problem = "invalid-token" if expires else "unauthenticated"
    assert (line["status"], line["problem"]) == (401, problem)
    assert ("caller" in line) == bool(expires)


@pytest.mark.parametrize(
    "error", [KeyError("ada@example.com"), StatementFailed("MySQL error 1146")]
)
def test_internal_error_names_its_place(
    api: Api, lines: Lines, log: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app, "database", fail)

    assert api.get("/customers", request_id="mine-1").status_code == 500

    (line,) = lines("request")
    assert (line["status"], line["problem"], line["Faults"]) == (500, "internal-error", 1)
    assert line["error"] == type(error).__name__
    (failure,) = [
        json.loads(splitline)
        for splitline in log.text.splitlines()
        if '"level":"ERROR"' in splitline
    ]
    said = "" if isinstance(error, KeyError) else "MySQL error 1146"
    assert failure["message"] == f"{type(error).__name__}: {said}"
    assert re.fullmatch(r"tests/test_telemetry\.py:\d+ fail", failure["where"][-1])
    assert re.fullmatch(r"[^/]+/app\.py:\d+ get_customers", failure["where"][-2])
    same = ("request_id", "operation", "route", "caller")
    assert [failure[name] for name in same] == [line[name] for name in same]
    assert "ada@" not in log.text


def test_failure_while_building_a_response_has_a_line(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, __: object) -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr(routing, "_complete", fail)

    assert api.get("/health").status_code == 500

    (line,) = lines("request")
    assert (line["status"], line["error"], line["Faults"]) == (500, "KeyError", 1)
    (chalices,) = lines("Caught exception for path /health")
    assert chalices["error"] == "KeyError"
    assert "request_id" not in chalices


def test_invalid_settings_omit_the_caller(
    api: Api,
    lines: Lines,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CURSOR_KEY", "short")
    routing.settings.cache_clear()

    assert api.get("/customers").status_code == 500

    (line,) = lines("request")
    assert "caller" not in line
    assert "SettingsError: The environment variable CURSOR_KEY" in log.text


@pytest.mark.usefixtures("api")
def test_callers_are_distinguished_by_pseudonym(lines: Lines) -> None:
    for scopes in (("customers:read",), ("customers:read", "customers:write")):
        Api(tokens.token(*scopes)).get(UNKNOWN)

    callers = {line["caller"] for line in lines("request")}
    assert len(callers) == 1
    key = routing.settings().cursor_key
    assert pseudonym("ada@example.com", key) == pseudonym("ada@example.com", key)
    assert pseudonym("ada@example.com", key) != pseudonym("ada@example.org", key)
    assert pseudonym("ada@example.com", key) != pseudonym("ada@example.com", key[:-1])
    assert re.fullmatch("[0-9a-f]{16}", pseudonym("\ud800", key))


# --- the audit -------------------------------------------------------------------------------

WRITES: dict[str, tuple[Callable[[Api, str], Any], int | None]] = {
    "replace": (lambda api, path: api.put(path, ADA | {"locale": "en"}, if_match='"v1"'), 2),
    "patch": (lambda api, path: api.patch(path, {"locale": "en"}), 2),
    "minimal": (
        lambda api, path: api.patch(
            path, {"locale": "en"}, if_match='"v1"', prefer="return=minimal"
        ),
        2,
    ),
    "nothing": (lambda api, path: api.patch(path, {"given_name": "Ada"}), 1),
    "delete": (lambda api, path: api.delete(path), None),
    "delete the version": (lambda api, path: api.delete(path, if_match='"v1"'), 2),
    "erase": (lambda api, path: api.post(f"{path}/erase"), None),
    "erase the version": (lambda api, path: api.post(f"{path}/erase", if_match='"v1"'), 2),
    "restore": (lambda api, path: api.post(f"{path}/restore"), 1),
}


@pytest.mark.parametrize(("send", "version"), WRITES.values(), ids=WRITES)
def test_write_is_audited(api: Api, lines: Lines, send: Any, version: int | None) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    answer = send(api, path.upper().replace("/CUSTOMERS", "/customers").replace("/R", "/r"))

    assert answer.status_code in {200, 204}
    created, audit = lines("audit")
    _, request = lines("request")
    customer_id = path.removeprefix("/customers/")
    assert (created["customers"], created["version"]) == ([customer_id], 1)
    assert (audit["customers"], audit.get("version")) == ([customer_id], version)
    assert None not in audit.values()
    assert audit["replayed"] is False
    same = ("request_id", "operation", "route", "caller")
    assert [audit[name] for name in same] == [request[name] for name in same]


def test_audit_trail_gets_the_audit_lines_only(api: Api, log: pytest.LogCaptureFixture) -> None:
    """By the pattern of the subscriptions, with which CloudWatch selects lines."""
    path = api.post("/customers", ADA).headers["Location"]
    api.delete(path)

    pattern = re.fullmatch(r'\{ \$\.(\w+) = "(\w+)" \}', PATTERN)
    assert pattern
    written = [json.loads(line) for line in log.text.splitlines()]
    selected = [line for line in written if line[pattern[1]] == pattern[2]]
    assert [line["operation"] for line in selected] == ["create_customer", "delete_customer"]


def test_audit_has_the_gateways_id_besides_the_clients(api: Api, lines: Lines) -> None:
    """A client can't hide a write behind the id of another request."""
    api.post("/customers", ADA, request_id="mine-1")
    api.post("/customers", ADA | {"email": "grace@example.com"})

    for message in ("audit", "request"):
        named, unnamed = lines(message)
        assert named["request_id"] == "mine-1"
        assert re.fullmatch("[0-9a-f-]{36}", named["gateway_request_id"])
        assert "gateway_request_id" not in unnamed


def test_batch_and_replay_are_audited(api: Api, lines: Lines) -> None:
    batch = {"items": [ADA, ADA | {"email": "grace@example.com"}]}
    for _ in range(2):
        answer = api.post("/customers/batch", batch, idempotency_key="a")

    first, again = lines("audit")
    assert first["customers"] == [item["id"] for item in answer.json_body["items"]]
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["customers"] == first["customers"]


def test_only_writes_are_audited(api: Api, lines: Lines) -> None:
    api.get("/customers")
    api.delete(UNKNOWN)
    api.post("/customers", {})

    assert len(lines("request")) == 3
    assert lines("audit") == []


def test_failed_purge_is_audited(lines: Lines) -> None:
    """The audit names the customers that the purge had already erased."""
    erased = UUID(int=7)

    def fail() -> None:
        with telemetry.scheduled(app.app.log, "purge_customers", "customers") as audit:
            audit([erased])
            raise StatementFailed("MySQL error 1146")

    with pytest.raises(StatementFailed):
        fail()

    (audit,) = lines("audit")
    assert (audit["operation"], audit["caller"]) == ("purge_customers", "schedule")
    assert audit["customers"] == [str(erased)]


# --- metrics ---------------------------------------------------------------------------------


def assert_embedded_metrics(line: Line) -> None:
    """Assert that the line satisfies the specification and its JSON schema.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    about = line["_aws"]
    assert about.keys() == {"Timestamp", "CloudWatchMetrics"}
    assert type(about["Timestamp"]) is int
    assert 1_600_000_000_000 < about["Timestamp"] < 10_000_000_000_000
    for directive in about["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert directive["Dimensions"]
        for dimensions in directive["Dimensions"]:
            assert 1 <= len(dimensions) <= 30
            assert len(set(dimensions)) == len(dimensions)
            for name in dimensions:
                assert 1 <= len(name) <= 250
                assert isinstance(line[name], str)
                assert 1 <= len(line[name]) <= 1024
                assert line[name].isascii()
                assert line[name].strip()
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric.keys() == {"Name", "Unit"}
            assert 1 <= len(metric["Name"]) <= 1024
            assert metric["Unit"] in {"Count", "Milliseconds"}
            assert type(line[metric["Name"]]) in {int, float}


def dimensions_of(line: Line) -> dict[str, list[list[str]]]:
    """Return the dimension sets of each metric."""
    return {
        metric["Name"]: directive["Dimensions"]
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def test_metrics_are_embedded(api: Api, lines: Lines, log: pytest.LogCaptureFixture) -> None:
    api.get("/customers")
    api.get(UNKNOWN)

    assert all("\n" not in log.handler.format(record) for record in log.records)
    good, bad = lines("request")
    by_operation = [["Stage", "Operation"], ["Stage"]]
    assert dimensions_of(good) == dict.fromkeys([*UNITS, "DatabaseLatency"], by_operation)
    assert dimensions_of(bad) == {**dimensions_of(good), "Problems": [["Stage", "Problem"]]}
    assert (bad["Stage"], bad["Operation"]) == ("local", "get_customer")
    assert (bad["Problem"], bad["Problems"]) == ("customer-not-found", 1)
    assert "Problem" not in good
    for line in (good, bad):
        assert_embedded_metrics(line)


def test_metrics_count_the_requests_events(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = api.post("/customers", ADA, idempotency_key="a").headers["Location"]
    api.post("/customers", ADA, idempotency_key="a")
    api.post("/customers", ADA)
    api.put(path, ADA, if_match='"v9"')
    nowhere = connect(Settings(endpoint_url="http://127.0.0.1:1"))
    monkeypatch.setattr(app, "database", lambda: nowhere)
    api.get(path)

    found = [
        {name: line[name] for name in UNITS if line[name] and "Latency" not in name}
        for line in lines("request")
    ]
    for item in found:
        item.pop("ColdStarts", None)
    assert found == [
        {"Requests": 1, "Statements": 1},
        {"Requests": 1, "Statements": 2, "Replays": 1},
        {"Requests": 1, "Statements": 2, "ClientErrors": 1, "Conflicts": 1},
        {"Requests": 1, "Statements": 2, "ClientErrors": 1, "Conflicts": 1},
        {"Requests": 1, "Faults": 1, "Statements": 1, "DatabaseErrors": 1, "DatabaseRetries": 2},
    ]


def test_stage_comes_from_the_environment(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    for stage in ("prod", ""):
        monkeypatch.setenv("STAGE", stage)
        assert app.app(event(), None)["statusCode"] == 200

    assert [line["Stage"] for line in lines("request")] == ["prod", "local"]


def test_each_stage_has_its_name_in_the_environment() -> None:
    stages = json.loads(Path(".chalice/config.json").read_text())["stages"]

    named = {name: stage["environment_variables"]["STAGE"] for name, stage in stages.items()}
    assert named == {name: name for name in (LOCAL, *STAGES)}


def test_dimensions_are_bounded(lines: Lines) -> None:
    """Requests can't create metrics with unknown dimensions."""
    names = {*app.operation.table, routing.OTHER}
    types = {problem.type for problem in kinds()}
    client = Api()
    for method in ("GET", "DELETE", "PROPFIND", "OPTIONS"):
        for path in ("/customers", "/nothing", "/customers/a/b", "/customers/%00", UNKNOWN):
            client.request(method, path)

    found = lines("request")
    assert {line["Operation"] for line in found} <= names
    assert {line["Problem"] for line in found if "Problem" in line} <= types
    assert {line["route"] for line in found} <= set(app.app.routes)


# --- the logger ------------------------------------------------------------------------------

PROGRAM = """
import logging, sys
if {in_lambda}:  # the runtime adds a handler before it imports the function
    logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
from tests.api import Api
for _ in range(2):
    Api("").get("/health")
logging.getLogger("botocore.x").warning("%s is %d", "ada@example.com", 1)
logging.getLogger("botocore.x").error(ValueError("ada@example.com"))
logging.getLogger("chalicelib.tokens.keys").warning("the status is %d", 500)
try:
    int("ada@example.com")
except ValueError:
    logging.getLogger("other").exception("it failed")
"""


@pytest.mark.parametrize("in_lambda", [False, True])
def test_all_loggers_write_json_lines(in_lambda: bool) -> None:  # noqa: FBT001
    program = PROGRAM.format(in_lambda=in_lambda)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    ours = [json.loads(line) for line in done.stdout.splitlines()]
    libraries = [json.loads(line) for line in done.stderr.splitlines()] if in_lambda else ours[2:]
    assert len(ours) == (2 if in_lambda else 6)
    assert [line["message"] for line in ours[:2]] == ["request", "request"]
    assert [line["ColdStarts"] for line in ours[:2]] == [1, 0]
    assert [line["message"] for line in libraries] == [
        "%s is %d",
        "ValueError",
        "the status is 500",
        "it failed",
    ]
    assert (libraries[3]["error"], libraries[3]["level"]) == ("ValueError", "ERROR")
    assert libraries[3]["where"] == ["<string>:12 <module>"]
    assert "ada@" not in done.stdout + done.stderr
    assert "request_id" not in libraries[0]


def test_deep_recursion_has_few_frames(log: pytest.LogCaptureFixture) -> None:
    def descend(depth: int) -> None:
        descend(depth - 1) if depth else int("ada@example.com")

    try:
        descend(500)
    except ValueError as error:
        logs.log_error(app.app.log, logging.ERROR, error)

    line = json.loads(log.handler.format(log.records[-1]))
    assert len(line["where"]) == 20
    assert all(place.endswith(" descend") for place in line["where"])
    assert line["message"] == "ValueError: "


def test_request_id_comes_from_the_event(api: Api) -> None:
    """Local events have a request id, like those of AWS. Lambda's id identifies an invocation."""
    answer = api.get("/health")

    request = app.app.current_request
    assert request
    assert request.context["requestId"] == answer.headers["Request-Id"]
