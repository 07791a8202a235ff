"""Measure how fast `customers import` and `customers export` are, and how much memory they need.

The API is replaced by a server that always responds at once, in its own process. So the
figures are the limit of the command: with a real API, transfers take longer.
"""

import argparse
import asyncio
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from multiprocessing import Process
from pathlib import Path
from typing import Any, cast

import psutil

from local import seed
from local.processes import PROJECT, answers, free_port

PAGE = 100
COLUMNS = ("email", "given_name", "family_name", "company_name", "phone", "locale", "time_zone")


class Stub(asyncio.Protocol):
    """Responds 201 to each POST, and with a page of the feed to each GET."""

    rows = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._received = cast("asyncio.Transport", transport), bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length: ")
        if not separator or len(body) < int(length.partition(b"\r\n")[0] or 0):
            return
        self._received.clear()
        if head.startswith(b"POST"):
            self._respond(b"201 Created", b'{"items": []}')
        else:
            position = int(head.partition(b"cursor=")[2].partition(b" ")[0] or 0)
            self._respond(b"200 OK", page(position, self.rows))

    def _respond(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


def page(position: int, rows: int) -> bytes:
    """Return a page of the feed, whose customers differ only in their ids."""
    items = [{**CUSTOMER, "id": str(uuid.UUID(int=position + n))} for n in range(PAGE)]
    following = position + PAGE
    document = {"items": items, "next": f"/customers/changes?cursor={following}"}
    return json.dumps(document | {"has_more": following < rows}).encode()


def _customer() -> dict[str, Any]:
    times = dict.fromkeys(("created_at", "updated_at"), "2026-11-28T12:00:00.000Z")
    return {"version": 1, **times, "deleted_at": None, "purge_at": None, **seed.generate(1)}


CUSTOMER = _customer()


def serve(port: int, rows: int) -> None:
    Stub.rows = rows

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(run())


def write(path: Path, rows: int) -> None:
    people = [seed.generate(number) for number in range(1, 1001)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for number in range(rows):
            writer.writerow(people[number % len(people)] | {"email": f"{number}@example.com"})


def measure(name: str, rows: int, environment: dict[str, str], *arguments: str | Path) -> None:
    """Run the command, and print its speed, CPU time and highest memory (RSS)."""
    start, before = time.monotonic(), _cpu_seconds()
    command = [sys.executable, "-m", "customers_client", *arguments]
    with subprocess.Popen(  # noqa: S603 (the command that is measured)
        command, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        memory, child = 0, psutil.Process(process.pid)
        while process.poll() is None:
            memory = max(memory, child.memory_info().rss)
            time.sleep(0.1)
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(f"{name} failed")
    print(f"{name:<8} {rows:>9,} rows {seconds:>7.1f} s {rows / seconds:>8,.0f} rows/s", end="")
    cpu = (_cpu_seconds() - before) / rows
    print(f" {cpu * 1e6:>5.0f} us CPU/row {memory / 2**20:>5.0f} MiB", flush=True)


def _cpu_seconds() -> float:
    """Return the CPU time of ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    for rows in parser.parse_args().rows:
        port = free_port()
        server = Process(target=serve, args=(port, rows), daemon=True)
        server.start()
        while not answers(port):
            time.sleep(0.1)
        target = {"BASE_URL": f"http://127.0.0.1:{port}", "TOKEN": "t0ken"}
        environment = {**os.environ, **target, "PYTHONPATH": str(PROJECT / "clients/python")}
        with tempfile.TemporaryDirectory() as directory:
            source, copy = Path(directory, "new.csv"), Path(directory, "all.csv")
            write(source, rows)
            measure("import", rows, environment, "import", source)
            measure("again", rows, environment, "import", source)
            measure("export", rows, environment, "export", copy)
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
