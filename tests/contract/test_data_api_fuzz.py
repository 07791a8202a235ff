"""20,000 malformed requests: each gets a result or a modelled error, and none leaks anything.

The requests come from one seed, but their effect depends on the order in which the connections run.
A failure prints the request.
"""

import json
import random
import socket
import string
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.data_api.errors import DataApiError
from local.data_api.faults import errors
from local.database_server import DatabaseServer
from tests.local.data_api import ARNS, DATABASE, DataApi, connect, serving, wait_until

SEED = 20_260_817
REQUESTS = 20_000
CONNECTIONS = 8
MAX_OPEN = 2
"""Maximum of open transactions per connection, besides the one that it begins."""

# Operations with their relative frequencies.
OPERATIONS = {
    "Execute": 10,
    "BatchExecute": 5,
    "BeginTransaction": 3,
    "CommitTransaction": 1,
    "RollbackTransaction": 1,
}
STATEMENTS = [
    "SELECT :a, ':a', `n` /* :a */ FROM fuzzed LIMIT 3",
    "SELECT * FROM fuzzed ORDER BY id DESC LIMIT 2",
    "INSERT INTO fuzzed (t, n, d) VALUES (:a, :b, 1.50)",
    "SELECT COUNT(*) FROM fuzzed WHERE t = :a",
    "SELECT 'x' AS a, NULL AS b, 1.5, NOW(6), X'00ff' -- :a",
    "SELECT 1; SELECT 2",
    "SELEC :a",
]
KINDS = ["isNull", "booleanValue", "longValue", "doubleValue", "stringValue", "blobValue"]
HINTS = ["DATE", "TIME", "TIMESTAMP", "DECIMAL", "JSON", "UUID"]
FIELDS = [
    *["resourceArn", "secretArn", "sql", "database", "schema", "transactionId", "parameters"],
    *["parameterSets", "includeResultMetadata", "continueAfterTimeout", "formatRecordsAs"],
    *["resultSetOptions", "name", "value", "typeHint", "arrayValue", "toString", "__proto__"],
]
ODD = [
    *[None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 0.1, "", "0"],
    *["\x00", "é", "\U0001f600", "'", "\\", ";", "%s", "%(a)s", "{}", ":a", "NaN", "2024-02-30"],
    *["x" * 65_537, "AA==", "*", [], {}, [[]], [None], {"": None}, {"a": {"a": []}}],
]
# Only client errors: the others would mean that the server or its database failed.
MODELLED: dict[str, type[DataApiError]] = {
    name: kind for name, kind in errors().items() if kind.status < 500
}


Transaction = dict[str, str]
"""The fields that identify a transaction: its id and its cluster."""


def end_request(path: str, transaction: Transaction) -> tuple[str, bytes]:
    return path, json.dumps({**ARNS, **transaction}).encode()


class Requests:
    """The requests of one connection, from its part of the seed."""

    def __init__(self, number: int) -> None:
        self._dice = random.Random(f"{SEED}-{number}")  # noqa: S311 (must be reproducible)
        self.transactions: list[Transaction] = []

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        makers: dict[Callable[[], bytes], int] = {
            self._valid: 200,
            self._noise: 50,
            self._wrong_json: 190,
            self._flipped: 230,
            self._wrong_field: 220,
            self._any_json: 98,
            self._deep: 10,
            self._huge: 2,
        }
        for make in self._dice.choices([*makers], [*makers.values()], k=REQUESTS // CONNECTIONS):
            if len(self.transactions) > MAX_OPEN:
                path = self._dice.choice(["CommitTransaction", "RollbackTransaction"])
                yield end_request(path, self.transactions.pop(0))
            else:
                (path,) = self._dice.choices([*OPERATIONS], [*OPERATIONS.values()])
                yield path, make()

    def _members(self) -> dict[str, Any]:
        dice = self._dice
        members = {
            **ARNS,
            "sql": dice.choice(STATEMENTS),
            "database": DATABASE,
            "parameters": [self._parameter("a"), self._parameter("b")],
            "parameterSets": [[self._parameter("a")], [], [self._parameter("b")]],
            "includeResultMetadata": dice.random() < 0.5,
            "formatRecordsAs": dice.choice(["NONE", "JSON"]),
        }
        if self.transactions and dice.random() < 0.5:
            members |= dice.choice(self.transactions)
        return members

    def _parameter(self, name: str) -> dict[str, Any]:
        dice = self._dice
        values = [True, False, dice.getrandbits(40), dice.random(), "text", "AAEC"]
        value = dict(zip(KINDS, values, strict=True))
        kind = dice.choice(KINDS)
        parameter: dict[str, Any] = {"name": name, "value": {kind: value[kind]}}
        if kind == "stringValue" and dice.random() < 0.1:
            parameter["typeHint"] = dice.choice(HINTS)
        return parameter

    def _valid(self) -> bytes:
        return json.dumps(self._members()).encode()

    def _noise(self) -> bytes:
        return self._dice.randbytes(self._dice.choice([0, 1, 2, 30, 300]))

    def _wrong_json(self) -> bytes:
        text = self._valid()
        start = self._dice.randrange(len(text))
        end = self._dice.choice([start + 1, start + 9, len(text)])
        return text[:start] + self._dice.choice([b"", b'"', b"}", b"[", b"\\u"]) + text[end:]

    def _flipped(self) -> bytes:
        text = bytearray(self._valid())
        for _ in range(self._dice.choice([1, 1, 2, 8])):
            text[self._dice.randrange(len(text))] ^= 1 << self._dice.randrange(8)
        return bytes(text)

    def _wrong_field(self) -> bytes:
        """Replace or remove a field at any depth."""
        members = self._members()
        place: Any = members
        key = self._key(place)
        while isinstance(place[key], dict | list) and place[key] and self._dice.random() < 0.7:
            place = place[key]
            key = self._key(place)
        if self._dice.random() < 0.3:
            del place[key]
        else:
            place[key] = self._dice.choice(ODD)
        return json.dumps(members).encode()

    def _key(self, place: Any) -> Any:
        return self._dice.choice([*place] if isinstance(place, dict) else range(len(place)))

    def _any_json(self, depth: int = 4) -> bytes:
        return json.dumps(self._value(depth)).encode()

    def _value(self, depth: int) -> Any:
        shape = self._dice.choice(["odd", "list", "object", "object", "text"]) if depth else "odd"
        match shape:
            case "list":
                return [self._value(depth - 1) for _ in range(self._dice.randrange(4))]
            case "object":
                names = self._dice.sample([*FIELDS, *KINDS], self._dice.randrange(6))
                return {name: self._value(depth - 1) for name in names}
            case "text":
                return "".join(self._dice.choices(string.printable, k=self._dice.randrange(20)))
        return self._dice.choice(ODD)

    def _deep(self) -> bytes:
        depth = self._dice.choice([100, 990, 10_000, 100_000])
        left, right = self._dice.choice([(b"[", b"]"), (b'{"a":', b"}"), (b"[", b"")])
        nest = left * depth + b"1" + right * depth
        before, _, after = self._valid().partition(b'"text"')
        return self._dice.choice([nest, before + nest + after])

    def _huge(self) -> bytes:
        size = self._dice.choice([2**16, 2**20, 2**22 - 1000, 2**22 + 1, 5 * 2**20])
        name = self._dice.choice(["sql", "database", "secretArn", "unknown"])
        return json.dumps({**self._members(), name: "x" * size}).encode()


class Client:
    """A keep-alive connection that sends exactly the given bytes."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=60)
        self._file = self._socket.makefile("rb")

    def post(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Return status, error type and body."""
        head = f"POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        answer = self._file.read(int(headers["content-length"]))
        return status, headers.get("x-amzn-errortype", ""), answer

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def check(path: str, status: int, error: str, body: bytes) -> dict[str, Any]:
    """Return the response; assert that AWS could have returned it."""
    answer: dict[str, Any] = json.loads(body)
    if status == 200:
        assert error == ""
        assert answer
    else:
        assert MODELLED[error].status == status
        assert isinstance(answer["message"], str)
        assert error != "UnknownOperationException", path
    return answer


def fuzz(url: str, number: int) -> Counter[str]:
    """Send one connection's requests; roll back its transactions. Return counts by error."""
    seen: Counter[str] = Counter()
    client, requests = Client(url), Requests(number)
    for path, body in requests:
        try:
            status, error, answer = client.post(path, body)
            begun = check(path, status, error, answer).get("transactionId")
            if begun:
                resource = json.loads(body)["resourceArn"]
                requests.transactions.append({"transactionId": begun, "resourceArn": resource})
        except Exception as failure:
            raise AssertionError(f"{path} {body[:2000]!r}: {failure!r}") from failure
        seen[error or "result"] += 1
    for transaction in requests.transactions:
        client.post(*end_request("RollbackTransaction", transaction))
    client.close()
    return seen


@pytest.fixture
def api(database_server: DatabaseServer, data_api: str, tmp_path: Path) -> Iterator[DataApi]:
    """Run a private server; assert in the end that it runs and logged no traceback."""
    connect(data_api).create(
        "fuzzed (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT, n DOUBLE, d DECIMAL(9, 2))"
    )
    with serving(database_server.url, tmp_path) as (url, server):
        yield DataApi(url)
        assert not server.has_ended
        assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_malformed_requests_leak_nothing(api: DataApi, data_api: str) -> None:
    """Every request gets a response; no connection or transaction leaks."""
    database = connect(data_api)
    before = len(database.sessions())
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        seen = sum(threads.map(fuzz, [api.url] * CONNECTIONS, range(CONNECTIONS)), Counter())
    assert seen.total() == REQUESTS
    # Otherwise, too few requests would reach the database.
    assert seen["result"] > 4000
    assert {"DatabaseErrorException", "TransactionNotFoundException"} < seen.keys()
    # A response arrives before its session is idle.
    wait_until(lambda: not database.sessions("command <> 'Sleep'"))
    most = before + CONNECTIONS * (MAX_OPEN + 2)
    wait_until(lambda: len(database.sessions()) <= most)
    for transaction in [api.begin() for _ in range(64)]:  # the maximum
        api.rollback(transaction)
    gate = api.begin()
    api.execute("SELECT GET_LOCK('gate', 0)", transactionId=gate)
    with ThreadPoolExecutor(32) as threads:  # the maximum of concurrent calls, if no slot leaked
        calls = [threads.submit(api.value, "SELECT GET_LOCK('gate', 40)") for _ in range(32)]
        wait_until(lambda: len(database.sessions("info LIKE '%gate%'")) == len(calls), seconds=40)
        api.rollback(gate)
    assert [call.result() for call in calls] == [{"longValue": 1}] * len(calls)


def test_malformed_http_leaks_nothing(api: DataApi) -> None:
    """Garbage and truncated HTTP requests don't affect later requests."""
    dice = random.Random(SEED)  # noqa: S311 (must be reproducible)
    address = urlsplit(api.url)
    call = b"POST /BeginTransaction HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{"
    for _ in range(300):
        noise = bytearray(call[: dice.randrange(len(call))] + dice.randbytes(dice.randrange(60)))
        with socket.create_connection((address.hostname, address.port), timeout=60) as client:
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(65_536)
        assert answer == b"" or int(answer.split()[1]) in {400, 404}, bytes(noise)
    assert api.value("SELECT 1") == {"longValue": 1}
