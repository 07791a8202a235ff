"""Look for SQL injection in every parameter, by sqlmap: `make sqlmap`.

It runs the service on ports of its own, and first an endpoint that can be injected: sqlmap has to
find that one, or its silence about the others means nothing. Where it finds more, that is an error.
"""

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pymysql
from tqdm import tqdm

from chalicelib.database.mysql import connection_arguments
from load.fuzz.cases import CUSTOMER
from local.processes import PROJECT, LocalError
from tests.service import Service, running

HERE = "*"  # sqlmap's mark of what to inject into
FOUND, NOT_FOUND = "identified the following injection point", "do not appear to be injectable"
QUERY = {
    "limit": "1",
    "cursor": "x",
    "sort": "created_at",
    "email": "ada%40example.com",
    "phone": "%2B447700900123",
    "external_id": "1",
    "status": "active",
    "created_after": "2020-01-01T00:00:00Z",
    "created_before": "2035-01-01T00:00:00Z",
    "updated_after": "2020-01-01T00:00:00Z",
    "q": "ada",
    "include_deleted": "true",
    "fields": "id",
}
SENT = {
    "If-Match": f'"v1{HERE}"',
    "If-None-Match": f'"v1{HERE}"',
    "Prefer": f"return=minimal{HERE}",
    "Request-Id": f"a{HERE}",
    "X-Amzn-Trace-Id": f"Root=1{HERE}",
}
Request = tuple[str, str, Mapping[str, str], Any]


def requests(customer_id: str) -> Iterator[tuple[str, Request]]:
    """Yield the name of each thing that a client sends, and a request with the mark in it."""
    one = f"/customers/{customer_id}"
    yield "path", ("GET", f"{one}{HERE}", {}, None)
    for name, value in QUERY.items():
        yield f"query {name}", ("GET", f"/customers?{name}={value}{HERE}", {}, None)
    yield "query deep", ("GET", f"/health?deep=true{HERE}", {}, None)
    for name, value in SENT.items():
        yield f"header {name}", ("PATCH", one, {name: value}, {"given_name": "Ada"})
    key = {"Idempotency-Key": f"key{HERE}"}
    yield "header Idempotency-Key", ("POST", "/customers", key, CUSTOMER)
    for name in CUSTOMER:
        for path, value in places(CUSTOMER[name]):
            yield f"body {name}{path}", ("PATCH", one, {}, {name: value})
    yield "body of a new customer", ("POST", "/customers", {}, CUSTOMER | {"email": f"{HERE}@b.cd"})
    batch = {"items": [{"email": "b@example.com", "company_name": f"B{HERE}"}]}
    yield "body of a batch", ("POST", "/customers/batch", {}, batch)


def places(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the value with the mark at the end of each text in it, names among them."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from (
                (p, {**value, name: marked}) for p, marked in places(item, f"{path}/{name}")
            )
            yield f"{path}/{name} (the name)", {**value, f"{name}{HERE}": item}
    elif isinstance(value, list):
        yield from ((p, [marked]) for p, marked in places(value[0], f"{path}/0"))
    else:
        yield path, f"{value}{HERE}"


def http(url: str, token: str, request: Request) -> str:
    """Return the request as it goes over the wire."""
    method, path, headers, body = request
    text = "" if body is None else json.dumps(body)
    sent = {
        "Host": urlsplit(url).netloc,
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        **headers,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\n".join([*lines, "", text])


class Sqlmap:
    """sqlmap's program, and a directory for all that it writes."""

    def __init__(self, program: str, directory: Path, level: int) -> None:
        self._program, self._directory, self._level = program, directory, level

    def finds(self, request: str) -> bool:
        """Whether it can inject. Raises LocalError where it says neither yes nor no."""
        file = self._directory / "request.txt"
        file.write_text(request)
        options = ("--batch", "--flush-session", "--disable-coloring", "--skip-waf")
        limits = (f"--level={self._level}", "--risk=2", "--time-sec=2", "--ignore-code=*")
        done = subprocess.run(
            [self._program, "-r", str(file), "--dbms=MySQL", *options, *limits],
            env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin"},
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if (FOUND in done.stdout) == (NOT_FOUND in done.stdout):
            raise LocalError(f"sqlmap does not say what it found:\n{done.stdout}{done.stderr}")
        return FOUND in done.stdout


@contextmanager
def injectable(database_url: str) -> Iterator[str]:
    """Serve what nobody should write: a parameter that becomes part of a statement."""

    class Toy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
            with pymysql.connect(**connection_arguments(database_url)) as connection:
                cursor = connection.cursor()
                try:
                    cursor.execute(f"SELECT given_name FROM customers WHERE given_name = '{name}'")  # noqa: S608
                    status, found = 200, str(cursor.fetchall())
                except pymysql.MySQLError:
                    status, found = 500, ""
            self.send_response(status)
            self.end_headers()
            self.wfile.write(found.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Toy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def looked_for(sqlmap: Sqlmap, service: Service, only: str) -> list[str]:
    """Return the names of what can be injected into; the toy is always among them."""
    customer_id = service.create(1).json()["id"]
    with injectable(service.mariadb.url) as toy:
        toys = http(toy, "", ("GET", f"/?name=Ada{HERE}", {}, None))
        if not sqlmap.finds(toys):
            raise LocalError("sqlmap does not find what is injectable: its silence means nothing")
    wanted = [request for request in requests(customer_id) if only in request[0]]
    found = []
    for name, request in (bar := tqdm(wanted, desc="looking", unit="parameter", disable=None)):
        bar.set_postfix_str(name)
        if sqlmap.finds(http(service.url, service.token, request)):
            found.append(name)
    print(f"sqlmap found the toy, and looked at {len(wanted)} parameters of the service.")
    return found


def main() -> int:
    """Look, and return the exit code."""
    arguments = _arguments()
    try:
        with TemporaryDirectory() as directory, running(Path(directory) / "service") as service:
            sqlmap = Sqlmap(arguments.sqlmap, Path(directory), arguments.level)
            found = looked_for(sqlmap, service, arguments.only)
    except KeyboardInterrupt:
        return 130
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"It can inject into: {', '.join(found) or 'none'}")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m load.fuzz.injection", description=__doc__)
    parser.add_argument("--sqlmap", default=str(PROJECT / ".venv/fuzz/bin/sqlmap"))
    parser.add_argument("--only", default="", help="parameters whose name has this in it")
    parser.add_argument("--level", type=int, choices=range(1, 6), default=1, help="(%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
