"""Send requests to a local gateway, one after the other or as a Poisson process."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from load.simulation.assumptions import CREATE, GET, LIST, Parameters
from load.simulation.figures import percentile
from local.processes import Child

ALONE = 150
"""Number of single requests in each round."""


@dataclass(frozen=True)
class Target:
    """A running gateway and an access token."""

    port: int
    child: Child
    token: str

    @property
    def worked(self) -> float:
        """CPU seconds of the gateway's process, from the clock of clock_getcpuclockid."""
        return time.clock_gettime(~self.child.pid << 3 | 2)


class Connections:
    """Persistent connections with minimal HTTP, to leave the CPU to the gateway."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a request; return status and body of the response."""
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
    """Yield an endless stream of requests in the simulation's mix."""
    mix = Parameters().mix
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


async def alone(target: Target, chance: random.Random) -> list[tuple[float, float]]:
    """Return duration and CPU seconds of the gateway for each of several single requests."""
    connections = Connections(target)
    await _warm(connections)
    sending = requests(await _ids(connections), chance)
    found = []
    for _ in range(ALONE):
        worked, start = target.worked, time.perf_counter()
        await connections.send(*next(sending))
        found.append((time.perf_counter() - start, target.worked - worked))
    connections.close()
    return found


async def _warm(connections: Connections) -> None:
    for _ in range(20):
        await connections.send("GET", "/customers", b"")


async def _ids(connections: Connections) -> list[str]:
    _, body = await connections.send("GET", "/customers?limit=100", b"")
    return [each["id"] for each in json.loads(body)["items"]]


async def open_loop(
    target: Target, rate: float, seconds: float, chance: random.Random
) -> dict[str, float]:
    """Send Poisson traffic regardless of responses; return the measurements."""
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

    worked, start = target.worked, time.perf_counter()
    tasks, due = [], start
    while (due := due + chance.expovariate(rate)) < start + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    span = max(ended) - start
    connections.close()
    ordered = sorted(took)
    return {
        "rate": rate,
        "sent": len(took) / seconds,
        "throughput": len(took) / span,
        "utilization": (target.worked - worked) / span,
        "p50": percentile(ordered, 0.5),
        "p95": percentile(ordered, 0.95),
        "errors": mean(status >= 400 for status in statuses),
    }
