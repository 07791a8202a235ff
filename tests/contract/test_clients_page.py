"""The programs of docs/clients.md work as they are written, and follow the rules of the page.

They reach the API through a server that is unavailable for the first read, loses the responses to
the first create and to an update, and lets another client change the customer before an update.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from local.processes import PROJECT
from tests.service import Service

PAGE = (PROJECT / "docs" / "clients.md").read_text(encoding="utf-8")
PROGRAMS = {
    "curl": ("bash", "-euo", "pipefail", "program.sh"),
    "Python with requests": (sys.executable, "program.py"),
    "Python with httpx": (sys.executable, "program.py"),
    "JavaScript with fetch": ("node", "program.mjs"),
    "Go": (str(Path(sys.executable).with_name("go")), "run", "program.go"),
}
NEEDED = {"curl": ("curl", "jq"), "JavaScript with fetch": ("node",)}
FAULTS = {("GET", 1): "down", ("POST", 1): "lost", ("PATCH", 1): "overtaken", ("PATCH", 2): "lost"}
"""What happens to a method's first or second request."""
SENT = [
    *(("POST", "lost"), ("POST", "201")),
    *(("GET", "503"), ("GET", "200"), ("PATCH", "412")),
    *(("GET", "200"), ("PATCH", "lost"), ("PATCH", "200")),
]
"""The requests of each program and what it received, before it reads the list."""


class Unreliable(ThreadingHTTPServer):
    """Forwards requests to the API, except for FAULTS. `sent` is what clients received."""

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.sent: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Unreliable
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        method, body = self.command, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = FAULTS.get((method, 1 + [sent for sent, _ in self.server.sent].count(method)))
        if fault == "down":
            self._respond(503, {"Retry-After": "1"}, b'{"status": 503}')
            return
        if fault == "overtaken":
            self._forward(b'{"metadata": {"visits": "1"}}', {"If-Match": "*"})
        response = self._forward(body, {})
        if fault == "lost":
            self.server.sent.append((method, "lost"))
            self.close_connection = True
        else:
            headers = {"ETag": response.headers["ETag"]} if "ETag" in response.headers else {}
            self._respond(response.status_code, headers, response.content)

    do_GET = do_POST = do_PATCH = handle_request  # noqa: N815 (the names that the base class calls)

    def _forward(self, body: bytes, other: dict[str, str]) -> requests.Response:
        kept = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match")
        headers = {name: self.headers[name] for name in kept if name in self.headers} | other
        url = self.server.service.url + self.path
        return requests.request(self.command, url, data=body, headers=headers, timeout=30)

    def _respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.server.sent.append((self.command, str(status)))
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(service: Service) -> Iterator[Unreliable]:
    with Unreliable(service) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("title", PROGRAMS)
def test_program_survives_faults_and_conflicts(
    title: str, server: Unreliable, tmp_path: Path
) -> None:
    for program in NEEDED.get(title, ()):
        if not shutil.which(program):
            pytest.skip(f"{program} is missing")

    done = _run(title, server, tmp_path)

    assert done.returncode == 0, done.stderr
    assert server.sent[: len(SENT)] == SENT
    version, listed = done.stdout.split()
    customers = [customer for page in server.service.pages() for customer in page]
    assert (int(version), int(listed)) == (3, len(customers))
    (created,) = [customer for customer in customers if customer["metadata"] == {"visits": "2"}]
    server.service.delete(created["id"])


def test_page_has_no_other_program() -> None:
    sections = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sections == ["Four rules", *PROGRAMS, "Generated clients"]


def _run(title: str, server: Unreliable, directory: Path) -> subprocess.CompletedProcess[str]:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    command = PROGRAMS[title]
    (directory / command[-1]).write_text(code)
    api, token = f"http://127.0.0.1:{server.server_port}", server.service.token
    environment = {**os.environ, "API": api, "TOKEN": token}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
