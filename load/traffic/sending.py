"""Sends requests when they are due, and keeps what came of each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

from load.traffic.arrivals import Arrival
from load.traffic.mix import Answer, Request
from load.traffic.outcomes import Outcome

TIMEOUT = 30.0
"""Seconds from sending; the gateway has 29 for an answer."""
CONNECTIONS = 1_000
"""The most at once; who waits for one is already due."""


class Sender:
    """Sends to a base URL with a token, over connections that stay open."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url.rstrip("/")
        self._stage = urlsplit(self._base_url).path
        self._session = session

    async def answer(self, request: Request) -> Answer:
        """Send one request. Raises aiohttp.ClientError, TimeoutError."""
        url = self._base_url + request.path.removeprefix(self._stage)
        async with self._session.request(
            request.method, url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, await response.read())

    async def run(
        self,
        schedule: Iterator[Arrival],
        draw: Callable[[], Request],
        record: Callable[[Outcome], None],
        stop: asyncio.Event,
    ) -> float:
        """Send what is due until the schedule ends or `stop` is set; return the seconds it took.

        What has been sent is waited for.
        """
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for arrival in schedule:
                await _pause(start + arrival.due - time.perf_counter(), stop)
                if stop.is_set():
                    break
                tasks.create_task(self._one(arrival, start, draw(), record))
        return time.perf_counter() - start

    async def _one(
        self,
        arrival: Arrival,
        start: float,
        request: Request,
        record: Callable[[Outcome], None],
    ) -> None:
        late = time.perf_counter() - start - arrival.due
        status, fault = await self._judged(request)
        latency = time.perf_counter() - start - arrival.due
        record(Outcome(*arrival, request.operation, latency, late, status, fault))

    async def _judged(self, request: Request) -> tuple[int, str]:
        try:
            answer = await self.answer(request)
        except TimeoutError:
            status, fault = 0, "time-out"
        except (aiohttp.ClientError, OSError) as error:
            status, fault = 0, type(error).__name__
        else:
            if answer.status in request.expected:
                is_right = request.then(answer)
                return answer.status, "" if is_right else "not what was written"
            status, fault = answer.status, f"status {answer.status}"
        request.then(None)
        return status, fault


@asynccontextmanager
async def sender(base_url: str, token: str) -> AsyncIterator[Sender]:
    """Give a sender, until it is closed."""
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        auto_decompress=True,
    ) as session:
        yield Sender(base_url, session)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return
    else:
        await asyncio.sleep(0)
