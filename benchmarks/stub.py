"""A Data API without a database, which answers at once: each row is the same customer.

It reads of the SQL which columns are selected, and of the parameters how many rows; it answers
the same to everybody who asks the same, from memory. So what is measured is its clients.
"""

import asyncio
import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from benchmarks.events import CUSTOMER, CUSTOMER_ID

MOMENT = "2026-01-31 12:00:00.123"
DOCUMENTS = {"addresses": "[]", "metadata": "{}"}
HEX_ID = CUSTOMER_ID.replace("-", "").upper()
TEXTS = {"hex_id": HEX_ID, "email": "ada@example.com", **CUSTOMER, **DOCUMENTS}
VARCHAR, BINARY, INTEGER, TIMESTAMP = (12, "VARCHAR"), (-2, "BINARY"), (4, "INT"), (93, "DATETIME")
COLUMNS = re.compile(r"SELECT (.+?) FROM ")
MEMBER = re.compile(r"'\"(\w+)\":'")  # of JSON that the database writes
SIZE = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@cache
def answer(sql: str, rows: int, *, wants_columns: bool, as_json: bool) -> bytes:
    """Return the whole HTTP answer to a statement."""
    selected = COLUMNS.match(sql)
    said: dict[str, Any] = {"numberOfRecordsUpdated": 0 if selected else 1}
    if selected:
        names = columns(selected[1])
        said |= records(names, rows, as_json=as_json)
        if wants_columns:
            said["columnMetadata"] = [described(name) for name in names]
    else:
        said["generatedFields"] = []
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return http(text.encode())  # AWS escapes what JSON asks for, and no more


def records(names: list[str], rows: int, *, as_json: bool) -> dict[str, Any]:
    row = [field(name) for name in names]
    if not as_json:
        return {"records": [row] * rows}
    values = {label(name): plain(field) for name, field in zip(names, row, strict=True)}
    return {"formattedRecords": json.dumps([values] * rows, separators=(",", ":"))}


def columns(selected: str) -> list[str]:
    """Split what is selected at the commas that are outside of parentheses."""
    found, depth = [""], 0
    for part in re.split(r"(, |[()])", selected):
        depth += (part == "(") - (part == ")")
        if part == ", " and not depth:
            found.append("")
        else:
            found[-1] += part
    return found


def label(name: str) -> str:
    return name.rsplit(" AS ", 1)[-1]


def field(name: str) -> dict[str, Any]:
    """Return a column's value as the Data API writes it."""
    if name == "id":
        return {"blobValue": base64.b64encode(UUID(CUSTOMER_ID).bytes).decode()}
    if label(name) == "customer":
        return {"stringValue": written(MEMBER.findall(name))}
    if label(name) == "id":  # BIN_TO_UUID(id) AS id
        return {"stringValue": CUSTOMER_ID}
    if name == "version":
        return {"longValue": 1}
    if name in {"created_at", "updated_at"}:
        return {"stringValue": MOMENT}
    text = TEXTS.get(label(name))
    return {"isNull": True} if text is None else {"stringValue": text}


def written(members: list[str]) -> str:
    """Return a customer as `chalicelib.customers.rows.as_json` has the database write it."""
    times = dict.fromkeys(("created_at", "updated_at"), "2026-01-31T12:00:00.123Z")
    known: dict[str, Any] = {**CUSTOMER, **times, "id": CUSTOMER_ID, "version": 1}
    known |= {"email": TEXTS["email"], "addresses": [], "metadata": {}}
    customer = {name: known.get(name) for name in members}
    return json.dumps(customer, separators=(",", ":")).replace('"', "\x7f")


def plain(value: dict[str, Any]) -> Any:
    return None if "isNull" in value else next(iter(value.values()))


def described(name: str) -> dict[str, Any]:
    """Return a column's metadata."""
    kind = VARCHAR
    if name in {"id", "version"}:
        kind = BINARY if name == "id" else INTEGER
    elif name.endswith("_at"):
        kind = TIMESTAMP
    numbers = ("arrayBaseColumnType", "nullable", "precision", "scale")
    flags = ("isAutoIncrement", "isCaseSensitive", "isCurrency", "isSigned")
    names = {"label": label(name), "name": label(name), "schemaName": "", "tableName": "customers"}
    kinds = {"type": kind[0], "typeName": kind[1]}
    return {**dict.fromkeys(numbers, 0), **dict.fromkeys(flags, False), **names, **kinds}


def http(body: bytes) -> bytes:
    """Return the answer with the headers that the Data API sends."""
    head = (
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1b2f5c9e-6a53-4f0b-93c5-0a4a1c5b7d11\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n"
    )
    return head.encode() + body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what comes over one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = SIZE.search(head)
            asked = json.loads(await reader.readexactly(int(size[1]) if size else 0))
            writer.write(said_to(asked))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def said_to(asked: dict[str, Any]) -> bytes:
    numbers = {
        parameter["name"]: parameter["value"].get("longValue") for parameter in asked["parameters"]
    }
    return answer(
        asked["sql"],
        numbers.get("rows") or 1,
        wants_columns=asked.get("includeResultMetadata", False),
        as_json=asked.get("formatRecordsAs") == "JSON",
    )


@contextmanager
def running() -> Iterator[str]:
    """Serve in a thread of its own; give the address."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
