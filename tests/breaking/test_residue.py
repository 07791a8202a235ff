"""Personal data in the files that a run of the stack leaves is only where it must be.

The test plants markers in every place that a client controls, on the whole stack as `make run`
starts it. Then it searches every file of the state directory, the console's store, and every column
of every table. Customers themselves are in the database's files; erased ones are in no column.
"""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests
from pymysql.cursors import DictCursor

from app import SCOPES
from chalicelib.customers.fields import CUSTOMERS
from local import engines
from local.issuer import Issuer
from tests.local.run import Run
from tests.local.support import eventually

MARKER = re.compile(rb"zqmzqm|447700900123|Antarctica/Troll", re.IGNORECASE)
CUSTOMER = {
    "email": "zqmzqm.email@example.com",
    "given_name": "Zqmzqm Given",
    "family_name": "Zqmzqm Family",
    "company_name": "Zqmzqm Company",
    "phone": "+447700900123",
    "external_id": "zqmzqm-external",
    "addresses": [{"type": "billing", "line1": "Zqmzqm Street", "city": "Zqmzqm", "country": "GB"}],
    "locale": "en-x-zqmzqm",
    "time_zone": "Antarctica/Troll",
    "metadata": {"zqmzqm-name": "zqmzqm-value"},
}
HEADERS = {
    "Cookie": "zqmzqm-cookie",
    "Idempotency-Key": "zqmzqm-key",
    "Prefer": "zqmzqm-prefer",
    "Referer": "https://zqmzqm.example",
    "User-Agent": "zqmzqm-agent",
    "X-Amzn-Trace-Id": "Self=zqmzqm-self;Root=zqmzqm-root",
    "X-Forwarded-For": "zqmzqm-address",
    "X-Zqmzqm": "zqmzqm",
}
PATHS = (  # all are rejected
    "/customers/zqmzqm@example.com",
    "/customers/zqmzqm%40example.com/restore",
    "/customers/+447700900123?email=zqmzqm@example.com",
    "/zqmzqm@example.com/customers",
    "//zqmzqm.example/customers",
)
INVALID = (
    b'{"zqmzqm": zqmzqm',
    b'{"email": "zqmzqm"}',
    b'{"zqmzqm": "zqmzqm"}',
    b"zqmzqm" * 30_000,
)
# Files of the engines that contain customers, as pages of tables, redo and undo.
TABLES = re.compile(r"(ib.*|undo.*|#ib.*|.*\.ibd|.*\.dblwr|#innodb_.*)", re.IGNORECASE)
GENERATED = {"name", "email_live", "external_id_live"}


class Client:
    """Sends requests with markers, also to the other servers of the stack."""

    def __init__(self, run: Run) -> None:
        self.ports = run.ports
        self.console = run.console_url
        issuer = Issuer(Path(run.own["LOCAL_STATE"]), run.console_url)
        self._token = issuer.token(SCOPES, subject="zqmzqm.subject@example.com", name="Zqmzqm")

    def send(self, method: str, path: str, port: str = "PORT", **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}", **HEADERS, **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        return requests.request(method, url, headers=headers, timeout=60, **more)

    def shown(self) -> tuple[bytes, bytes]:
        """Return what the console has about all requests: all of it, and what traces and logs say.

        Only in its memory, the console also keeps the headers and bodies of the requests, and their
        callers.
        """
        listed = requests.get(f"{self.console}/requests?since=0", timeout=60).json()["requests"]
        urls = [f"{self.console}/requests/{request['trace_id']}" for request in listed]
        details = [requests.get(url, timeout=60).json() for url in urls]
        everything = json.dumps([listed, details]).encode()
        for request in [*listed, *(each["request"] for each in details)]:
            request.pop("target", None)
            request.pop("caller", None)
        for each in details:
            del each["exchanges"]
        return everything, json.dumps([listed, details]).encode()

    @property
    def signature(self) -> bytes:
        """The part of the token that makes it valid."""
        return self._token.rpartition(".")[2].encode()


def plant(client: Client) -> str:
    """Send requests that succeed or fail in every layer; return the path of a live customer."""
    created = client.send("POST", "/customers", json=CUSTOMER)
    kept = created.headers["Location"]
    tag = {"If-Match": created.headers["ETag"]}
    changed = CUSTOMER | {"given_name": "Zqmzqm Changed"}
    assert client.send("PUT", kept, json=changed, headers=tag).status_code == 200
    assert client.send("POST", "/customers", json=CUSTOMER).status_code == 201  # replayed
    other = CUSTOMER | {"email": "zqmzqm.2@example.com", "external_id": "zqmzqm-2"}
    new = client.send("POST", "/customers", json=other, headers={"Idempotency-Key": "zqmzqm-2"})
    erased = new.headers["Location"]
    assert client.send("DELETE", erased).status_code == 204
    assert client.send("POST", f"{erased}/erase").status_code == 204
    for end in ("history", "export"):
        assert client.send("GET", f"{kept}/{end}").status_code == 200
    assert client.send("GET", f"{erased}/erasure").status_code == 200
    assert client.send("GET", "/customers?q=zqmzqm&phone=%2B447700900123").status_code == 200
    for path in PATHS:
        assert client.send("GET", path).status_code >= 400, path
    for body in INVALID:
        assert client.send("POST", "/customers", data=body).status_code >= 400
    again = client.send(
        "POST", "/customers", json=CUSTOMER, headers={"Idempotency-Key": "zqmzqm-3"}
    )
    assert again.status_code == 409
    for port in ("DATA_API_PORT", "CONSOLE_PORT"):
        client.send(
            "POST", "/Execute?zqmzqm=zqmzqm", port, data=b'{"sql": "SELECT zqmzqm", "zqmzqm": 1}'
        )
        client.send("GET", "/zqmzqm", port)
    return kept


def rows(state: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every row of every table in the server, also of the server's own tables."""
    engine = engines.selected()
    socket = str(state / engine.name / "data" / "server.sock")
    with pymysql.connect(
        unix_socket=socket, user=engine.administrator, cursorclass=DictCursor
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT table_schema AS `schema`, table_name AS name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema <> 'performance_schema'"
        )
        for table in cursor.fetchall():
            cursor.execute(f"SELECT * FROM `{table['schema']}`.`{table['name']}`")
            for row in cursor.fetchall():
                yield f"{table['schema']}.{table['name']}", row


def to_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.mark.slow
def test_run_leaves_personal_data_only_in_customers(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Run(state, "run") as run:
        run.read_until("Ctrl-C")
        client = Client(run)
        kept = plant(client)
        eventually(lambda: b"/customers/*" in client.shown()[1])
        everything, shown = client.shown()
        found = [
            (table, row.get("id"), column)
            for table, row in rows(state)
            for column, value in row.items()
            if MARKER.search(to_bytes(value))
        ]

    assert MARKER.search(everything)
    assert client.signature not in everything
    assert MARKER.findall(shown) == []
    assert {(table, row_id) for table, row_id, _ in found} == {("customers.customers", to_id(kept))}
    columns = {column for _, _, column in found}
    assert set(CUSTOMER) <= columns <= {*CUSTOMERS.stored, *GENERATED}
    assert list(marked_files(state)) == []
    assert_private(state)


def to_id(path: str) -> bytes:
    return bytes.fromhex(path.removeprefix("/customers/").replace("-", ""))


def marked_files(state: Path) -> Iterator[str]:
    """Yield the files with a marker, and binary logs, which would contain statements."""
    files = [path for path in state.rglob("*") if path.is_file()]
    assert {"api.log", "console.log", "data-api.log"} <= {path.name for path in files}
    for path in files:
        is_table = path.parent.name != "logs" and TABLES.fullmatch(path.name)
        is_marked = MARKER.search(path.read_bytes()) and not is_table
        if is_marked or re.search("bin(log)?[.]", path.name):
            yield str(path.relative_to(state))


def assert_private(state: Path) -> None:
    """Assert that only the user can read the state and its logs."""
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "logs").stat().st_mode) == 0o700
    for log in (state / "logs").iterdir():
        assert stat.S_IMODE(log.stat().st_mode) == 0o600, log
