"""Send requests when they are due, and record the outcomes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

from load.traffic.arrivals import Arrival
from load.traffic.mix import Request, Response
from load.traffic.outcomes import Outcome

TIMEOUT = 30.0
"""Client timeout in seconds; the gateway's timeout is 29 s."""
CONNECTIONS = 1_000
"""Maximum number of concurrent requests. A request that waits for a slot is already due."""


class Sender:
    """Sends requests to a base URL with a token, over persistent connections."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url.rstrip("/")
        self._stage = urlsplit(self._base_url).path
        self._session = session

    async def response(self, request: Request) -> Response:
        """Send one request. Raises aiohttp.ClientError or TimeoutError."""
        url = self._base_url + request.path.removeprefix(self._stage)
        async with self._session.request(
            request.method, url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status, headers, await response.read())

    async def run(
        self,
        schedule: Iterator[Arrival],
        draw: Callable[[], Request],
        record: Callable[[Outcome], None],
        stop: asyncio.Event,
    ) -> float:
        """Send due requests until the schedule ends or `stop` is set. Return the seconds it took.

        Waits for the responses to all requests sent.
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
            response = await self.response(request)
        except TimeoutError:
            status, fault = 0, "time-out"
        except (aiohttp.ClientError, OSError) as error:
            status, fault = 0, type(error).__name__
        else:
            if response.status in request.expected:
                is_right = request.check(response)
                return response.status, "" if is_right else "unexpected content"
            status, fault = response.status, f"status {response.status}"
        request.check(None)
        return status, fault


@asynccontextmanager
async def sender(base_url: str, token: str) -> AsyncIterator[Sender]:
    """Return a context manager with a sender."""
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
