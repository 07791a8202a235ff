"""Measure the local stack, to hold the simulation to it: `python -m load.simulation.measuring`.

It starts a stack of its own (MariaDB, Data API server, gateway) on free ports, and sends the mix of
the simulation: one request after the other, for the time that each takes by itself, and then as a
Poisson process of several rates, below and above what one gateway can do. A response time counts
from when the request was to be sent, so that a slow answer delays no other. All are done in turns,
`--rounds` times. Other programs may have the processors meanwhile: how long the gateway worked, and
how long it was ready to and had to wait for a processor, is told by Linux and noted with each load.
What was measured is kept in docs/scaling/measured.json.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from load.simulation import MEASURED
from load.simulation.assumptions import CREATE, GET, LIST, Parameters
from load.simulation.figures import percentile, rounded
from local.issuer import Issuer
from local.processes import Child, LocalError, answers, free_port
from local.stack import Settings, Stack

SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.2)
"""Rates, as shares of what a gateway does that is never idle."""
ALONE = 150
"""Requests that are sent one after the other in each round."""
SECONDS = 4.0


@dataclass(frozen=True)
class Target:
    """A running gateway, and a token for it."""

    port: int
    child: Child
    token: str

    @property
    def worked(self) -> float:
        """Seconds of processor time that the gateway's process has had: clock_getcpuclockid's."""
        return time.clock_gettime(~self.child.pid << 3 | 2)


class Meter:
    """What the gateway had of the processors since the meter was made."""

    def __init__(self, target: Target) -> None:
        self._tasks = Path(f"/proc/{target.child.pid}/task")
        self._start, self._before = time.perf_counter(), self._read()

    def _read(self) -> tuple[float, float]:
        """Return seconds worked and waited: https://docs.kernel.org/scheduler/sched-stats.html."""
        lines = [path.read_text().split() for path in self._tasks.glob("*/schedstat")]
        return sum(int(each[0]) for each in lines) / 1e9, sum(int(each[1]) for each in lines) / 1e9

    def seen(self) -> dict[str, float]:
        """Return its cores, and `slowness`: how much longer its work took than it worked."""
        span = time.perf_counter() - self._start
        worked, waited = (
            after - before for before, after in zip(self._before, self._read(), strict=True)
        )
        return {"utilization": worked / span, "slowness": (worked + waited) / worked}


@contextmanager
def running(directory: Path) -> Iterator[Target]:
    """Run a stack with 200 customers, without traces; its console only has the issuer's keys."""
    names = ("PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT", "XRAY_PORT")
    ports = {name: str(free_port()) for name in names}
    settings = Settings.from_environ({**ports, "LOCAL_STATE": str(directory)})
    stack = Stack(settings)
    environment = {name: v for name, v in os.environ.items() if not name.startswith("DATABASE_")}
    command = [sys.executable, "-m", "local.gateway", "--port", ports["PORT"]]
    try:
        stack.start(api=False)
        log = directory / "logs" / "gateway.log"
        with Child("gateway", command, log, environment | settings.api_environment) as child:
            child.wait_until(lambda: answers(settings.port), seconds=20)
            yield Target(settings.port, child, Issuer(directory, settings.console_url).token())
    finally:
        stack.close()


class Connections:
    """Kept connections to the gateway: as little of HTTP as it takes, to leave it the processor."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        pair = self._idle.pop() if self._idle else await self._connect()
        reader, writer = pair
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
            f"Authorization: Bearer {self._target.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status, length = int(answer[9:12]), _length(answer)
        content = await reader.readexactly(length)
        self._idle.append(pair)
        return status, content

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._target.port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


def requests(ids: Sequence[str], chance: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Yield requests of the simulation's mix, without end."""
    mix = Parameters.assumed().mix
    for number in range(sys.maxsize):
        operation = chance.choices(list(mix), list(mix.values()))[0]
        path = f"/customers/{chance.choice(ids)}"
        if operation is GET:
            yield "GET", path, b""
        elif operation is LIST:
            yield "GET", "/customers", b""
        elif operation is CREATE:
            email = f"{number}.{chance.getrandbits(64)}@example.com"
            yield "POST", "/customers", json.dumps({"email": email, "given_name": "Ada"}).encode()
        else:
            yield "PATCH", path, json.dumps({"given_name": f"Ada {number}"}).encode()


async def alone(target: Target, chance: random.Random) -> dict[str, Any]:
    """Return of each request the seconds it took, and those that the gateway's process worked."""
    connections = Connections(target)
    await _warm(connections)
    sending = requests(await _ids(connections), chance)
    samples, meter = [], Meter(target)
    for _ in range(ALONE):
        worked, start = target.worked, time.perf_counter()
        await connections.send(*next(sending))
        samples.append((time.perf_counter() - start, target.worked - worked))
    connections.close()
    return {"samples": samples, "slowness": meter.seen()["slowness"]}


async def _warm(connections: Connections) -> None:
    for _ in range(20):
        await connections.send("GET", "/customers", b"")


async def _ids(connections: Connections) -> list[str]:
    _, body = await connections.send("GET", "/customers?limit=100", b"")
    return [each["id"] for each in json.loads(body)["items"]]


async def open_loop(
    target: Target, rate: float, seconds: float, chance: random.Random
) -> dict[str, float]:
    """Send so many a second, whatever comes back; return what was seen."""
    connections = Connections(target)
    sending = requests(await _ids(connections), chance)
    took: list[float] = []
    statuses: list[int] = []
    ended: list[float] = []

    async def one(due: float) -> None:
        status, _ = await connections.send(*next(sending))
        ended.append(time.perf_counter())
        took.append(ended[-1] - due)
        statuses.append(status)

    meter, start = Meter(target), time.perf_counter()
    tasks, due = [], start
    while (due := due + chance.expovariate(rate)) < start + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    seen, span = meter.seen(), max(ended) - start
    connections.close()
    ordered = sorted(took)
    return {
        "rate": rate,
        "sent": len(took) / seconds,
        "throughput": len(took) / span,
        **seen,
        "p50": percentile(ordered, 0.5),
        "p95": percentile(ordered, 0.95),
        "errors": mean(status >= 400 for status in statuses),  # noqa: PLR2004 (HTTP's own)
    }


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Return the samples of single requests and the figures of each rate, by round."""
    chance = random.Random("measuring")
    with TemporaryDirectory(prefix="simulation-") as directory, running(Path(directory)) as target:
        asyncio.run(alone(target, chance))  # what is loaded at first is not measured
        found: list[dict[str, Any]] = []
        with tqdm(total=rounds * (1 + len(SHARES)), desc="measuring") as bar:
            for _ in range(rounds):
                single = asyncio.run(alone(target, chance))
                bar.update()
                most = 1 / mean(worked for _, worked in single["samples"])
                loads = []
                for share in SHARES:
                    load = asyncio.run(open_loop(target, share * most, seconds, chance))
                    loads.append({"share": share} | load)
                    bar.update()
                found.append(single | {"loads": loads})
    return {"machine": machine(), "seconds": seconds, "rounds": found}


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m load.simulation.measuring", description="Measure the local stack."
    )
    parser.add_argument("--rounds", type=int, default=7, help="each of them is told (%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a rate (%(default)s)")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds must be more than 0")
    try:
        measured = measure(arguments.rounds, arguments.seconds)
    except (LocalError, OSError) as error:
        sys.exit(f"measuring: {error}")
    except KeyboardInterrupt:
        sys.exit("measuring: stopped; nothing was written")
    MEASURED.write_text(json.dumps(rounded(measured), indent=1) + "\n")
    medians = [median(each["loads"][0]["p50"] for each in measured["rounds"])]
    print(f"{MEASURED}: {arguments.rounds} rounds; {medians[0] * 1000:.1f} ms at the lowest rate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
