"""The collector receives segments through a real socket, and tolerates any input."""

import json
import secrets
import socket
from bisect import bisect_left
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from local import tail as tail_module
from local.console import shelf
from local.console.collector import Collector
from local.console.history import History
from local.console.lines import Lines
from local.console.traces import Traces
from local.segments import PROTOCOL
from tests.local.support import eventually

TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
GATEWAY, OPERATION, STATEMENT = "a" * 16, "b" * 16, "c" * 16
BURST = 5_000
DEPTHS = range(100_000)

Json = dict[str, Any]


class Sender:
    """Sends segments to a collector, like X-Ray's SDK."""

    def __init__(self, collector: Collector, traces: Traces) -> None:
        self.collector, self.traces = collector, traces
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, *documents: Json) -> None:
        for document in documents:
            self.send_raw(datagram(document))

    def send_raw(self, sent: bytes) -> None:
        self._socket.sendto(sent, ("127.0.0.1", self.collector.port))

    def settle(self) -> None:
        """Wait until everything sent before has been received."""
        marker = new_trace_id()

        def is_there() -> bool:
            self.send(gateway(marker))  # again, because the buffer may be full
            return self.traces.request(marker) is not None

        eventually(is_there)

    def close(self) -> None:
        self._socket.close()


def datagram(document: Json) -> bytes:
    return PROTOCOL + json.dumps(document).encode()


def new_trace_id() -> str:
    return f"1-5759e988-{secrets.token_hex(12)}"


def gateway(trace_id: str = TRACE_ID, **more: object) -> Json:
    return {
        "trace_id": trace_id,
        "id": GATEWAY,
        "name": "customers/local",
        "start_time": 100.0,
        "end_time": 100.5,
        "http": {"request": {"method": "GET", "url": "/customers"}, "response": {"status": 200}},
        **more,
    }


def operation(**more: object) -> Json:
    annotations = {"operation": "get_customers"}
    times = {"start_time": 100.1, "end_time": 100.4}
    return {"trace_id": TRACE_ID, "id": OPERATION, "parent_id": GATEWAY, "type": "subsegment"} | {
        "name": "get_customers",
        "annotations": annotations,
        **times,
        **more,
    }


def statement(**more: object) -> Json:
    sql = {"sanitized_query": "SELECT 1"}
    times = {"start_time": 100.2, "end_time": 100.3}
    return {"trace_id": TRACE_ID, "id": STATEMENT, "parent_id": OPERATION, "type": "subsegment"} | {
        "name": "SELECT",
        "sql": sql,
        **times,
        **more,
    }


@pytest.fixture
def sender() -> Iterator[Sender]:
    traces = Traces()
    with Collector(0, traces) as collector:
        sender = Sender(collector, traces)
        yield sender
        sender.close()


def tree(traces: Traces) -> list[tuple[int, str]]:
    return [(segment["depth"], segment["name"]) for segment in traces.segments(TRACE_ID)]


WHOLE = [(0, "customers/local"), (1, "get_customers"), (2, "SELECT")]
ORDERS = {
    "as they end": [statement(), operation(), gateway()],
    "the root first": [gateway(), operation(), statement()],
    "the middle last": [statement(), gateway(), operation()],
    "in one": [gateway(subsegments=[operation(subsegments=[statement()])])],
    "two in one": [gateway(), operation(subsegments=[statement()])],
    "twice": [gateway(), statement(), operation(), statement()],
    "in progress, then complete": [
        statement(in_progress=True, end_time=None),
        operation(),
        gateway(),
        statement(),
        statement(in_progress=True, end_time=None),
    ],
}


@pytest.mark.parametrize("documents", ORDERS.values(), ids=ORDERS)
def test_trace_is_complete_in_every_order_of_segments(
    sender: Sender, documents: list[Json]
) -> None:
    sender.send(*documents)
    sender.settle()

    assert tree(sender.traces) == WHOLE
    request = sender.traces.request(TRACE_ID)
    assert request
    known = ("method", "path", "operation", "status", "duration_ms", "statements")
    assert [request[name] for name in known] == [
        *("GET", "/customers", "get_customers", 200, 500, 1)
    ]
    shown = sender.traces.segments(TRACE_ID)
    assert [(trace["start_ms"], trace["duration_ms"]) for trace in shown] == [
        *((0, 500), (100, 300), (200, 100))
    ]
    assert [trace["sql"] for trace in shown] == [None, None, "SELECT 1"]


def test_part_without_its_parent_is_shown(sender: Sender) -> None:
    sender.send(statement())
    sender.settle()

    assert tree(sender.traces) == [(0, "SELECT")]
    request = sender.traces.request(TRACE_ID)
    assert request
    assert request["statements"] == 1
    assert "path" not in request


def test_changed_requests_are_listed_newest_first() -> None:
    first, second = new_trace_id(), new_trace_id()
    traces = Traces()
    traces.take(datagram(gateway(first)))
    traces.take(datagram(gateway(second)))
    seen = traces.sequence
    assert [trace["trace_id"] for trace in traces.since(0)] == [second, first]
    assert traces.since(seen) == []

    traces.take(datagram(statement(trace_id=first)))

    (changed,) = traces.since(seen)
    assert (changed["trace_id"], changed["statements"]) == (first, 1)


GARBAGE = {
    "no protocol": b"x" * 100,
    "nothing after it": PROTOCOL,
    "another version": PROTOCOL.replace(b"1", b"2") + json.dumps(gateway()).encode(),
    "not UTF-8": PROTOCOL + b"\xff\xfe{",
    "no object": PROTOCOL + b"[1]",
    "no trace": datagram({"id": GATEWAY}),
    "no trace's id": datagram(gateway("<script>")),
    "no id": datagram({"trace_id": TRACE_ID}),
    "an id of another type": datagram(gateway(id=[1])),
    "not a number": PROTOCOL + json.dumps(gateway(start_time=float("nan"))).encode(),
    "a number beyond": PROTOCOL
    + json.dumps(gateway(start_time=1)).replace("1,", "1e999,").encode(),
    "nothing but brackets": PROTOCOL + b"[" * 65_000,
    "deep objects": PROTOCOL + b'{"a":' * 13_000,
    "a long number": PROTOCOL + b"9" * 65_000,
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
def test_invalid_datagram_is_counted_and_dropped(sender: Sender, sent: bytes) -> None:
    sender.send_raw(sent)
    sender.settle()

    assert sender.traces.refused == 1
    assert sender.traces.request(TRACE_ID) is None


ODD: dict[str, Json] = {
    "texts for times": {"start_time": "now", "end_time": []},
    "booleans for times": {"start_time": True, "end_time": False},
    "a huge time": {"start_time": 10**4000, "end_time": -1},
    "an http of text": {"http": "GET"},
    "a request of nothing": {"http": {"request": {"method": None}}},
    "invalid subsegments": {"subsegments": [None, 1, "x", {}, {"id": "?"}]},
    "subsegments of text": {"subsegments": "x"},
    "half of a pair": {"name": "\ud800", "http": {"request": {"url": "\ud800"}}},
    "a statement without a text": {"sql": {"sanitized_query": 7}},
    "its own parent": {"parent_id": GATEWAY},
}


@pytest.mark.parametrize("more", ODD.values(), ids=ODD)
def test_unexpected_field_types_are_tolerated(sender: Sender, more: Json) -> None:
    sender.send(gateway(**more), operation(), statement())
    sender.settle()

    json.dumps([sender.traces.request(TRACE_ID), sender.traces.segments(TRACE_ID)]).encode()
    assert sender.traces.refused == 0
    assert "SELECT" in [name for _, name in tree(sender.traces)] or "parent_id" in more


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
MEMBERS = st.sampled_from(
    "name start_time end_time parent_id http sql subsegments annotations metadata cause".split()
)


@pytest.mark.exhaustive
@settings(max_examples=100)
@given(st.dictionaries(MEMBERS, JSON))
def test_any_json_datagram_is_tolerated(members: Json) -> None:
    traces = Traces()

    traces.take(datagram(gateway(**members)))

    json.dumps([traces.since(0), traces.segments(TRACE_ID)])


@pytest.mark.exhaustive
def test_too_deeply_nested_trace_is_explained(sender: Sender, tmp_path: Path) -> None:
    """At some depth the collector can still parse the trace, but the page's JSON can't hold it.

    The depth depends on the version of Python.
    """
    history = History(sender.traces, sender.collector, Lines(tmp_path / "api.log"), None)
    one, *_ = history.routes("http://127.0.0.1")

    def status(depth: int) -> int:
        trace_id = new_trace_id()
        text = json.dumps(gateway(trace_id, metadata=0))
        nested = text.replace('"metadata": 0', f'"metadata": {"[" * depth}{"]" * depth}')
        sender.traces.take(PROTOCOL + nested.encode())
        scope = {"type": "http", "path_params": {"trace_id": trace_id}}
        return int(one.endpoint(Request(scope)).status_code)

    unread = bisect_left(DEPTHS, True, key=lambda depth: status(depth) == HTTPStatus.NOT_FOUND)
    assert {status(depth) for depth in range(unread - 200, unread + 20)} == {200, 422, 404}


def test_largest_datagram_is_accepted(sender: Sender) -> None:
    """UDP datagrams have at most 65,507 bytes."""
    room = 65_507 - len(datagram(gateway(metadata="")))

    sender.send(gateway(metadata="x" * room))
    sender.settle()

    assert len(sender.traces.segments(TRACE_ID)[0]["metadata"]) == room


def test_trace_beyond_its_size_limit_is_cut_off(sender: Sender) -> None:
    for number in range(20):
        sender.send(statement(id=f"{number:016x}", metadata="x" * 60_000))
        sender.settle()

    assert len(sender.traces.segments(TRACE_ID)) == shelf.MAX_TRACE_SIZE // 60_200
    assert sender.traces.full == 20 - shelf.MAX_TRACE_SIZE // 60_200


def test_only_the_latest_traces_are_stored(sender: Sender) -> None:
    first = new_trace_id()
    sender.traces.take(datagram(gateway(first)))
    others = [new_trace_id() for _ in range(shelf.KEPT)]
    for trace_id in others:
        sender.traces.take(datagram(gateway(trace_id)))

    assert sender.traces.request(first) is None
    assert sender.traces.segments(first) == []
    assert [trace["trace_id"] for trace in sender.traces.since(0)] == others[::-1]


def test_memory_is_bounded_for_any_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MAX_SIZE", 1_000_000)
    traces = Traces()

    for _ in range(50):
        big = gateway(new_trace_id(), metadata="x" * 60_000)
        traces.take(datagram(big))

    assert len(traces.since(0)) == 1_000_000 // 60_200


def test_burst_loses_only_counted_segments(sender: Sender) -> None:
    """Missing segments are counted: the system reports the datagrams that it dropped."""
    ids = [new_trace_id() for _ in range(BURST // 5)]

    for number in range(BURST):
        trace_id = ids[number % len(ids)]
        sender.send(gateway(trace_id, id=f"{number:016x}", name=str(number)))
    sender.settle()

    segments = [part for trace_id in ids for part in sender.traces.segments(trace_id)]
    assert len(segments) + sender.collector.lost >= BURST  # the last markers may be lost, too
    assert len(segments) >= BURST // 10
    assert all(part["name"] == str(int(part["id"], 16)) for part in segments)
    assert all(part["http"]["request"]["url"] == "/customers" for part in segments)
    assert sender.traces.refused == sender.traces.full == 0
    sender.send(*ORDERS["as they end"])
    eventually(lambda: tree(sender.traces) == WHOLE)


def test_port_in_use_raises_os_error(sender: Sender) -> None:
    port = sender.collector.port

    with pytest.raises(OSError, match=f"can't listen on UDP port {port}: Address already in use"):
        Collector(port, Traces())


# --- log lines -------------------------------------------------------------------------------

Write = Callable[..., None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.log"
    path.touch()
    return path


def append(log: Path, *lines: object) -> None:
    with log.open("a") as file:
        for line in lines:
            file.write(line if isinstance(line, str) else json.dumps(line) + "\n")


def said(number: int) -> Json:
    return {"trace_id": TRACE_ID, "number": number}


def test_log_lines_are_read_incrementally(log: Path) -> None:
    lines = Lines(log)
    assert lines.of(TRACE_ID) == []
    append(log, "The API is on http://127.0.0.1:8000\n", said(1), '{"trace_id": 7}\n', "{[\n")
    append(log, "[" * 9000 + "\n", "GET /customers 200 3 ms\n", json.dumps(said(2)))
    assert lines.of(TRACE_ID) == [said(1)]

    append(log, "\n", {"trace_id": "another"})

    assert lines.of(TRACE_ID) == [said(1), said(2)]
    assert lines.of("another") == [{"trace_id": "another"}]
    assert lines.of("unknown") == []


def test_restarted_log_is_read_from_its_start(log: Path) -> None:
    lines = Lines(log)
    append(log, "The API is on http://127.0.0.1:8000\n", said(1))
    assert lines.of(TRACE_ID) == [said(1)]

    log.write_text("The API is on http://127.0.0.1:8000\n")
    append(log, *map(said, range(2, 50)))  # longer than the previous content

    assert lines.of(TRACE_ID) == list(map(said, range(1, 50)))


def test_restarted_log_may_be_shorter(log: Path) -> None:
    lines = Lines(log)
    append(log, *map(said, range(50)))
    lines.read()

    log.write_text("no JSON\n")
    lines.read()
    append(log, said(50))
    lines.read()
    log.write_text("")
    lines.read()
    append(log, said(51))

    assert lines.of(TRACE_ID) == list(map(said, range(52)))


def test_missing_log_has_no_lines(tmp_path: Path) -> None:
    assert Lines(tmp_path / "nothing.log").of(TRACE_ID) == []


def test_only_the_end_of_a_long_log_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "MAX_UNREAD", 1_000)
    append(log, *map(said, range(1_000)))

    found = [line["number"] for line in Lines(log).of(TRACE_ID)]

    assert found == list(range(1_000 - len(found), 1_000))
    assert len(found) > 10


def test_too_deeply_nested_line_is_skipped(tmp_path: Path) -> None:
    """The parser raises RecursionError; later lines are read."""
    log = tmp_path / "api.log"
    deep = '{"trace_id":"1-a","a":' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(RecursionError):
        json.loads(deep)
    log.write_text(f'{deep}\n{{"trace_id":"1-a"}}\n')

    assert Lines(log).of("1-a") == [{"trace_id": "1-a"}]


def test_lines_beyond_a_traces_limit_hide_no_others(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    first, second = {"trace_id": "1-a"}, {"trace_id": "1-b"}
    large = {"trace_id": "1-a", "message": "x" * shelf.MAX_TRACE_SIZE}
    log.write_text("".join(f"{json.dumps(trace)}\n" for trace in (first, large, second, first)))

    lines = Lines(log)

    assert lines.of("1-b") == [second]
    assert lines.of("1-a") == [first, first]
