"""An ASGI application without a framework, with PyMySQL in threads that keep their connections.

https://uvicorn.dev/concepts/asgi/
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pymysql
from pymysql.cursors import DictCursor

from benchmarks.alternatives.models import Customer, NewCustomer, page
from benchmarks.alternatives.shared import (
    DATABASE_URL,
    GET,
    INSERT,
    LAST,
    LIST,
    READ,
    WRITE,
    Unauthorized,
    decoded,
    inserted,
    verify,
)

THREADS = ThreadPoolExecutor(8)
url = urlsplit(DATABASE_URL)
local = threading.local()


def execute(sql, parameters):
    if not hasattr(local, "connection"):
        local.connection = pymysql.connect(
            host=url.hostname,
            port=url.port,
            user=url.username,
            password=url.password,
            database=url.path[1:],
            charset="utf8mb4",
            autocommit=True,
            cursorclass=DictCursor,
        )
    with local.connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def handle(method, path, query, authorization, body):
    """Return the status and the body of the response."""
    try:
        verify(authorization, WRITE if method == "POST" else READ)
        return create(body) if method == "POST" else read(path, query)
    except Unauthorized:
        return 401, b'{"error":"invalid token"}'
    except ValueError:
        return 400, b'{"error":"invalid request"}'
    except pymysql.IntegrityError:
        return 409, b'{"error":"in use"}'


def read(path, query):
    if path == "/customers":
        parameters = parse_qs(query)
        limit = int(parameters.get("limit", ["20"])[0])
        after = UUID(parameters["after"][0]) if "after" in parameters else LAST
        if not 1 <= limit <= 100:
            return 400, b'{"error":"limit"}'
        rows = execute(LIST, [after.bytes, limit + 1])
        return 200, page([decoded(row) for row in rows], limit).model_dump_json().encode()
    rows = execute(GET, [UUID(path.removeprefix("/customers/")).bytes])
    if not rows:
        return 404, b'{"error":"not found"}'
    return 200, to_json(rows[0])


def create(body):
    row = inserted(NewCustomer.model_validate_json(body).model_dump())
    execute(INSERT, row)
    return 201, to_json(row)


def to_json(row):
    return Customer.model_validate(decoded(row)).model_dump_json().encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = dict(scope["headers"])
    body, is_complete = b"", False
    while not is_complete:
        message = await receive()
        body += message.get("body", b"")
        is_complete = not message.get("more_body")
    call = partial(
        handle,
        scope["method"],
        scope["path"],
        scope["query_string"].decode(),
        headers.get(b"authorization", b"").decode(),
        body,
    )
    status, text = await asyncio.get_running_loop().run_in_executor(THREADS, call)
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": text})
