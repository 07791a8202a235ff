"""The console finds requests, formats their statements, and shows headers and bodies."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local import exchanges
from local.console import shelf
from local.console.lines import api_failure
from local.console.statements import formatted
from local.console.traces import MAX_CALLERS, Traces
from local.exchanges import Sent
from local.processes import API_LISTENS
from tests.local.test_collector import TRACE_ID, datagram, gateway, new_trace_id, operation
from tests.local.test_collector import statement as a_statement

CUSTOMER = "01a2043a-b5d2-7386-b484-33764a732a70"
SLOW, FAST = (f"1-5759e988-{letter * 24}" for letter in "ab")
OK = {"statusCode": 200, "multiValueHeaders": {}}
EMPTY = {**OK, "headers": {}, "body": ""}


@pytest.fixture
def traces() -> Traces:
    """Return a slow PATCH that failed, and a fast read."""
    traces = Traces()
    http = {"request": {"method": "PATCH", "url": "/customers/*"}, "response": {"status": 409}}
    problem = {"operation": "patch_customer", "problem": "email-taken"}
    for segment in (
        gateway(SLOW, http=http),
        operation(trace_id=SLOW, annotations=problem),
        a_statement(trace_id=SLOW, sql={"sanitized_query": "UPDATE customers SET x"}),
        gateway(FAST, end_time=100.002),
    ):
        traces.take(datagram(segment))
    traces.take(
        exchanges.encode(
            SLOW,
            Sent(
                f"/customers/{CUSTOMER}?dry=1",
                {"Authorization": "Bearer top.secret.token", "Accept": ["a", "b"]},
                b'{"email": "Ada@example.com"}',
                "carol",
            ),
            {**OK, "headers": {"Request-Id": "my-request"}, "body": '{"detail": "Other email"}'},
        )
    )
    read = {**OK, "headers": {"ETag": '"v7"'}, "body": '{"given_name": "Joan"}'}
    traces.take(exchanges.encode(FAST, Sent("/customers?limit=3", {}), read))
    return traces


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", [FAST, SLOW]),
        ("PATCH", [SLOW]),
        ("patch_customer", [SLOW]),
        ("email-taken", [SLOW]),
        (CUSTOMER, [SLOW]),
        ("my-request", [SLOW]),
        ("ada@example.com", [SLOW]),
        ("other email", [SLOW]),
        ("update SET", [SLOW]),
        ("Carol", [SLOW]),
        ("v7", [FAST]),
        ("Joan", []),
        (FAST, [FAST]),
        ("limit=3", [FAST]),
        ("409", [SLOW]),
        ("4xx", [SLOW]),
        ("40", []),
        ("2xx customers", [FAST]),
        (">100", [SLOW]),
        (">0.4s", [SLOW]),
        ("<100ms", [FAST]),
        ("customers >1ms <1s", [FAST, SLOW]),
        ("customers nothing", []),
    ],
)
def test_every_word_must_match(traces: Traces, search: str, found: list[str]) -> None:
    assert [request["trace_id"] for request in traces.since(0, search)] == found


def test_last_callers_are_known() -> None:
    traces = Traces()
    for number in [*range(MAX_CALLERS), 0, MAX_CALLERS]:
        trace_id = new_trace_id()
        traces.take(datagram(gateway(trace_id)))
        traces.take(exchanges.encode(trace_id, Sent("/", {}, caller=str(number)), EMPTY))

    assert traces.callers[-2:] == ["0", str(MAX_CALLERS)]
    assert traces.callers[0] == "2"
    assert len(traces.callers) == MAX_CALLERS


def test_unfinished_request_has_no_duration(traces: Traces) -> None:
    unfinished = new_trace_id()
    traces.take(datagram(gateway(unfinished, end_time=None)))

    assert unfinished not in [request["trace_id"] for request in traces.since(0, ">0")]


def test_exchange_has_target_headers_and_bodies_without_the_token(traces: Traces) -> None:
    (exchange,) = traces.exchanges(SLOW)

    assert exchange["target"] == f"/customers/{CUSTOMER}?dry=1"
    assert exchange["request"]["headers"] == [
        ["Authorization", "Bearer ***"],
        ["Accept", "a"],
        ["Accept", "b"],
    ]
    assert exchange["request"]["body"] == '{"email": "Ada@example.com"}'
    assert "secret" not in json.dumps(exchange)
    assert traces.since(0, "secret") == []
    assert traces.since(0, SLOW)[0]["target"] == exchange["target"]


@pytest.mark.parametrize(("character", "kept"), [("x", 20_000), ("\u20ac", 4_000), ("\0", 4_000)])
def test_large_exchange_fits_into_a_datagram(character: str, kept: int) -> None:
    body = character * 100_000
    response = {**OK, "headers": {"X-Long": "x" * 5_000}, "body": body}
    sent = exchanges.encode(SLOW, Sent("/" * 9_000, {}, body.encode()), response)
    traces = Traces()
    traces.take(datagram(gateway(SLOW)))
    traces.take(sent)

    (exchange,) = traces.exchanges(SLOW)
    assert len(sent) <= 65_507
    for message in (exchange["request"], exchange["response"]):
        assert (len(message["body"]), message["length"]) == (kept, 100_000)


@pytest.mark.parametrize(
    "document",
    [
        {"trace_id": TRACE_ID},
        {"trace_id": TRACE_ID, "target": "/", "request": {}, "response": {}},
        {"trace_id": "?", "target": "/"},
    ],
)
def test_malformed_exchange_is_counted_and_dropped(document: dict[str, Any]) -> None:
    traces = Traces()
    traces.take(datagram(gateway()))

    traces.take(exchanges.PROTOCOL + json.dumps(document).encode())

    assert traces.refused == 1
    assert traces.exchanges(TRACE_ID) == []


def test_exchange_without_a_request_is_dropped(traces: Traces) -> None:
    unknown = new_trace_id()

    traces.take(exchanges.encode(unknown, Sent("/", {}), EMPTY))

    assert traces.request(unknown) is None
    assert traces.exchanges(unknown) == []


def test_evicted_requests_are_counted() -> None:
    traces = Traces()
    for number in range(shelf.KEPT + 2):
        traces.take(datagram(gateway(new_trace_id(), start_time=100.0 + number, end_time=9999.0)))

    assert (traces.evicted, traces.evicted_until) == (2, 101.0)
    assert traces.total == shelf.KEPT
    assert traces.oldest == min(request["number"] for request in traces.since(0))


# --- statements ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "lines"),
    [
        (
            "SELECT a, b FROM t WHERE x BETWEEN :a AND :b AND y = 'FROM (' OR z ORDER BY a LIMIT 1",
            [
                "SELECT a, b",
                "FROM t",
                "WHERE x BETWEEN :a AND :b",
                "  AND y = 'FROM ('",
                "  OR z",
                "ORDER BY a",
                "LIMIT 1",
            ],
        ),
        (
            "SELECT * FROM (SELECT id FROM t WHERE (a AND b)) AS u",
            ["SELECT *", "FROM (", "  SELECT id", "  FROM t", "  WHERE (a AND b)", ") AS u"],
        ),
        (
            "INSERT INTO t (a) VALUES (:a)\n  ON DUPLICATE KEY UPDATE a = a",
            ["INSERT INTO t (a)", "VALUES (:a)", "ON DUPLICATE KEY UPDATE a = a"],
        ),
        ("DELETE FROM t WHERE `from` = 1", ["DELETE FROM t", "WHERE `from` = 1"]),
        ("SELECT 'cut", ["SELECT 'cut"]),
        (")(", [")("]),
        ("", []),
    ],
)
def test_statement_has_a_line_for_each_clause(sql: str, lines: list[str]) -> None:
    assert formatted(sql).splitlines() == lines


# --- an API that does not start --------------------------------------------------------------


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_failure_of_the_api_is_what_its_log_says(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with listening() as port:
        pass
    assert api_failure(port, log) is None
    log.write_text("")
    assert api_failure(port, log) is None
    log.write_text('File "app.py", line 7\n  def\nSyntaxError\n')
    assert api_failure(port, log) == 'File "app.py", line 7\n  def\nSyntaxError'
    log.write_text(f"{API_LISTENS} http://127.0.0.1:8000\n")
    assert api_failure(port, log) is None
    with listening() as port:
        log.write_text("SyntaxError")
        assert api_failure(port, log) is None
