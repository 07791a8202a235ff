"""A stub of the Data API without a database, and of the token issuer's key set.

Every row is the same customer. A query with several ids finds a customer for each.

Reads the selected columns from the SQL, and the number of rows from the parameters. Responses come
from a cache, so benchmarks measure only the client.
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

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from benchmarks.events import CUSTOMER, CUSTOMER_ID

MOMENT = "2026-01-31 12:00:00.123"
BEGINNING = "2026-01-31 12:00:00.122"  # until here, events are sent: all but those of last versions
DOCUMENTS = {"addresses": "[]", "metadata": "{}"}
HEX_ID = CUSTOMER_ID.replace("-", "").upper()
HISTORY = "\n".join(
    f"{version} 2026-01-31 12:00:00.{103 + version} updated 8f14e45fceea167a company_name metadata"
    for version in range(1, 21)
)
TEXTS = {
    "hex_id": HEX_ID,
    "email": "ada@example.com",
    "history": HISTORY,
    **CUSTOMER,
    **DOCUMENTS,
}
VARCHAR, BINARY, INTEGER, TIMESTAMP = (12, "VARCHAR"), (-2, "BINARY"), (4, "INT"), (93, "DATETIME")
# The health check reads a limit in seconds, and minutes from UTC. The relay reads its position.
NUMBERS = {"version": 1, "seconds": 1, "minutes": 0, "revision": 1}
MOMENTS = {
    **dict.fromkeys(("created_at", "updated_at", "changed_at", "erased_at", "settled"), MOMENT),
    **dict.fromkeys(("sent_until", "pass_until"), BEGINNING),
}
COLUMNS = re.compile(r"SELECT (?:/\*.*?\*/ )?(?:STRAIGHT_JOIN )?(.+?)(?: FROM |$)")
FIELD = re.compile(r"'\"(\w+)\":'")  # in JSON that the database builds
RESTORABLE = "erased_at IS NULL AND"  # only a restore has this condition
DELETION_TIMES = ("deleted_at", "purge_at")
ID = re.compile(r"id(_\d+)?")  # a parameter
SIZE = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
Value = tuple[str, str]
"""A value of the Data API: its type, such as `blobValue`, and its text."""


@cache
def respond(
    sql: str, rows: int, ids: tuple[Value, ...] = (), *, wants_columns: bool, as_json: bool
) -> bytes:
    """Return the complete HTTP response to a statement. `ids` are those of several customers."""
    selected = COLUMNS.match(sql)
    result: dict[str, Any] = {"numberOfRecordsUpdated": 0 if selected else 1}
    if selected:
        names = columns(selected[1])
        result |= records(names, rows, ids, as_json=as_json, is_deleted=RESTORABLE in sql)
        if wants_columns:
            result["columnMetadata"] = [metadata_of(name) for name in names]
    else:
        result["generatedFields"] = []
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    return http(text.encode())  # AWS escapes only what JSON requires


def records(
    names: list[str],
    rows: int,
    ids: tuple[Value, ...] = (),
    *,
    as_json: bool,
    is_deleted: bool = False,
) -> dict[str, Any]:
    row = [field(name) for name in names]
    if is_deleted:
        row = [{"stringValue": MOMENT} if name in DELETION_TIMES else field(name) for name in names]
    if ids:
        return {"records": [with_id(row, names, value) for value in ids]}
    if not as_json:
        return {"records": [row] * rows}
    values = {label(name): plain(value) for name, value in zip(names, row, strict=True)}
    return {"formattedRecords": json.dumps([values] * rows, separators=(",", ":"))}


def with_id(row: list[dict[str, Any]], names: list[str], value: Value) -> list[dict[str, Any]]:
    return [
        dict([value]) if label(name) == "id" else field
        for name, field in zip(names, row, strict=True)
    ]


def columns(selected: str) -> list[str]:
    """Split the select list at its commas, except within parentheses."""
    names, depth = [""], 0
    for part in re.split(r"(, |[()])", selected):
        depth += (part == "(") - (part == ")")
        if part == ", " and not depth:
            names.append("")
        else:
            names[-1] += part
    return [name.strip("`") for name in names]


def label(name: str) -> str:
    return name.rsplit(" AS ", 1)[-1]


def field(name: str) -> dict[str, Any]:
    """Return a column's value as the Data API writes it."""
    if name == "id":
        return {"blobValue": base64.b64encode(UUID(CUSTOMER_ID).bytes).decode()}
    if label(name) == "document":
        return {"stringValue": to_json(FIELD.findall(name))}
    if label(name) == "id":  # BIN_TO_UUID(id) AS id
        return {"stringValue": CUSTOMER_ID}
    if label(name) in NUMBERS:
        return {"longValue": NUMBERS[label(name)]}
    if label(name) in MOMENTS:
        return {"stringValue": MOMENTS[label(name)]}
    text = TEXTS.get(label(name))
    return {"isNull": True} if text is None else {"stringValue": text}


def to_json(names: list[str]) -> str:
    """Return a customer as the database writes it for `Resource.select`."""
    times = dict.fromkeys(("created_at", "updated_at"), "2026-01-31T12:00:00.123Z")
    values: dict[str, Any] = {**CUSTOMER, **times, "id": CUSTOMER_ID, "version": 1}
    values |= {"email": TEXTS["email"], "addresses": [], "metadata": {}}
    customer = {name: values.get(name) for name in names}
    return json.dumps(customer, separators=(",", ":")).replace('"', "\x7f")


def plain(value: dict[str, Any]) -> Any:
    return None if "isNull" in value else next(iter(value.values()))


def metadata_of(name: str) -> dict[str, Any]:
    """Return a column's metadata."""
    kind = VARCHAR
    if name in {"id", "version", "revision"}:
        kind = BINARY if name == "id" else INTEGER
    elif name.endswith("_at") or label(name) in MOMENTS:
        kind = TIMESTAMP
    numbers = ("arrayBaseColumnType", "nullable", "precision", "scale")
    flags = ("isAutoIncrement", "isCaseSensitive", "isCurrency", "isSigned")
    names = {"label": label(name), "name": label(name), "schemaName": "", "tableName": "customers"}
    kinds = {"type": kind[0], "typeName": kind[1]}
    return {**dict.fromkeys(numbers, 0), **dict.fromkeys(flags, False), **names, **kinds}


def http(body: bytes) -> bytes:
    """Return the response with the headers that the Data API sends."""
    head = (
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1b2f5c9e-6a53-4f0b-93c5-0a4a1c5b7d11\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n"
    )
    return head.encode() + body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Handle the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = SIZE.search(head)
            body = await reader.readexactly(int(size[1]) if size else 0)
            is_key_fetch = head.startswith(b"GET ")
            writer.write(key_set() if is_key_fetch else respond_to(json.loads(body)))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@cache
def issuer_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65_537, key_size=2_048)


def key_set() -> bytes:
    """Return the HTTP response with the issuer's public key."""
    public = RSAAlgorithm.to_jwk(issuer_key().public_key(), as_dict=True)
    return http(json.dumps({"keys": [{"kid": "benchmark", **public}]}).encode())


def token(issuer: str, audience: str) -> str:
    """Return a valid access token of the stub's issuer."""
    claims = {"iss": issuer, "aud": audience, "sub": "ada", "exp": 4_102_444_800}
    scopes = {"scope": "customers:read customers:write"}
    return jwt.encode(claims | scopes, issuer_key(), "RS256", headers={"kid": "benchmark"})


def respond_to(request: dict[str, Any]) -> bytes:
    if "parameterSets" in request:
        results: list[dict[str, Any]] = [{"generatedFields": []}] * len(request["parameterSets"])
        return http(json.dumps({"updateResults": results}).encode())
    values = {item["name"]: item["value"] for item in request.get("parameters", ())}
    ids = tuple(next(iter(values[name].items())) for name in values if ID.fullmatch(name))
    return respond(
        request["sql"],
        values.get("rows", {}).get("longValue") or 1,
        ids if len(ids) > 1 else (),
        wants_columns=request.get("includeResultMetadata", False),
        as_json=request.get("formatRecordsAs") == "JSON",
    )


@contextmanager
def running() -> Iterator[str]:
    """Serve in a thread, and yield the address."""
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
