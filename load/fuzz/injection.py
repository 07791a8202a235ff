"""Search every parameter for SQL injection with sqlmap: `make sqlmap`.

Runs the service on its own ports. First, sqlmap must detect a deliberately vulnerable endpoint,
because otherwise finding nothing in the service would prove nothing. Any other finding is an error.
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
from urllib.parse import parse_qs, quote, urlsplit

import pymysql
from tqdm import tqdm

from chalicelib.database.mysql import connection_arguments
from load.fuzz.cases import CUSTOMER, QUERY
from local.processes import PROJECT, LocalError
from tests.service import Service, running

INJECT_HERE = "*"  # tells sqlmap where to inject
FOUND, NOT_FOUND = "identified the following injection point", "do not appear to be injectable"
SENT = {
    "If-Match": f'"v1{INJECT_HERE}"',
    "If-None-Match": f'"v1{INJECT_HERE}"',
    "Prefer": f"return=minimal{INJECT_HERE}",
    "Request-Id": f"a{INJECT_HERE}",
    "X-Amzn-Trace-Id": f"Root=1{INJECT_HERE}",
}
Request = tuple[str, str, Mapping[str, str], Any]


def requests(customer_id: str) -> Iterator[tuple[str, Request]]:
    """Yield every parameter's name, and a request with the injection marker in this parameter."""
    one = f"/customers/{customer_id}"
    yield "path", ("GET", f"{one}{INJECT_HERE}", {}, None)
    for name, value in {**QUERY, "cursor": "x"}.items():
        query = f"{name}={quote(value)}{INJECT_HERE}"
        yield f"query {name}", ("GET", f"/customers?{query}", {}, None)
    yield "query deep", ("GET", f"/health?deep=true{INJECT_HERE}", {}, None)
    for name, value in SENT.items():
        yield f"header {name}", ("PATCH", one, {name: value}, {"given_name": "Ada"})
    key = {"Idempotency-Key": f"key{INJECT_HERE}"}
    yield "header Idempotency-Key", ("POST", "/customers", key, CUSTOMER)
    for name in CUSTOMER:
        for path, value in marked_copies(CUSTOMER[name]):
            yield f"body {name}{path}", ("PATCH", one, {}, {name: value})
    yield (
        "body of a new customer",
        ("POST", "/customers", {}, CUSTOMER | {"email": f"{INJECT_HERE}@b.cd"}),
    )
    batch = {"items": [{"email": "b@example.com", "company_name": f"B{INJECT_HERE}"}]}
    yield "body of a batch", ("POST", "/customers/batch", {}, batch)


def marked_copies(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield copies of the value, each with the marker after one of its strings or names."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from (
                (p, {**value, name: marked}) for p, marked in marked_copies(item, f"{path}/{name}")
            )
            yield f"{path}/{name} (the name)", {**value, f"{name}{INJECT_HERE}": item}
    elif isinstance(value, list):
        yield from ((p, [marked]) for p, marked in marked_copies(value[0], f"{path}/0"))
    else:
        yield path, f"{value}{INJECT_HERE}"


def http(url: str, token: str, request: Request) -> str:
    """Return the raw HTTP request."""
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
    """The Python that has sqlmap, and a directory for its output."""

    def __init__(self, python: Path, directory: Path, level: int) -> None:
        self._python, self._directory, self._level = python.absolute(), directory, level

    def can_inject(self, request: str) -> bool:
        """Return whether sqlmap can inject. Raises LocalError if its output does not say so."""
        file = self._directory / "request.txt"
        file.write_text(request)
        options = ("--batch", "--flush-session", "--disable-coloring", "--skip-waf")
        limits = (f"--level={self._level}", "--risk=2", "--time-sec=2", "--ignore-code=*")
        done = subprocess.run(
            [
                str(self._python),
                "-m",
                "sqlmap.sqlmap",
                "-r",
                str(file),
                "--dbms=MySQL",
                *options,
                *limits,
            ],
            env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin"},
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if (FOUND in done.stdout) == (NOT_FOUND in done.stdout):
            raise LocalError(f"sqlmap reported no result:\n{done.stdout}{done.stderr}")
        return FOUND in done.stdout


@contextmanager
def serve_vulnerable(database_url: str) -> Iterator[str]:
    """Serve a deliberately vulnerable endpoint: it puts a parameter into the SQL text."""

    class VulnerableHandler(BaseHTTPRequestHandler):
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

    with ThreadingHTTPServer(("127.0.0.1", 0), VulnerableHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def find_injectable(sqlmap: Sqlmap, service: Service, only: str) -> list[str]:
    """Return the injectable parameters. The vulnerable endpoint is always among them."""
    customer_id = service.create(1).json()["id"]
    with serve_vulnerable(service.database_server.url) as toy:
        toys = http(toy, "", ("GET", f"/?name=Ada{INJECT_HERE}", {}, None))
        if not sqlmap.can_inject(toys):
            raise LocalError(
                "sqlmap did not detect the vulnerable endpoint, so its results are worthless"
            )
    wanted = [request for request in requests(customer_id) if only in request[0]]
    found = []
    for name, request in (bar := tqdm(wanted, desc="looking", unit="parameter", disable=None)):
        bar.set_postfix_str(name)
        if sqlmap.can_inject(http(service.url, service.token, request)):
            found.append(name)
    print(f"sqlmap detected the vulnerable endpoint, and tested {len(wanted)} of our parameters.")
    return found


def main() -> int:
    """Search for injectable parameters, and return the exit code."""
    arguments = _arguments()
    try:
        with TemporaryDirectory() as directory, running(Path(directory) / "service") as service:
            sqlmap = Sqlmap(arguments.python, Path(directory), arguments.level)
            found = find_injectable(sqlmap, service, arguments.only)
    except KeyboardInterrupt:
        return 130
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Injectable: {', '.join(found) or 'none'}")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m load.fuzz.injection", description=__doc__)
    parser.add_argument("--python", type=Path, default=PROJECT / ".venv/fuzz/bin/python")
    parser.add_argument(
        "--only", default="", help="only test parameters whose name contains this text"
    )
    parser.add_argument("--level", type=int, choices=range(1, 6), default=1, help="(%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
