"""Makes the customers of a run before it, and erases them after it."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import aiohttp
from tqdm import tqdm

from load.traffic.customers import Customers
from load.traffic.mix import JSON, Request
from load.traffic.outcomes import REFUSALS
from load.traffic.sending import Sender
from load.traffic.target import TargetError

BATCH = 100  # the API's most
AT_ONCE = 4
ATTEMPTS = 5
GONE = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})


async def make(sender: Sender, customers: Customers, count: int) -> None:
    """Create so many customers. Raises TargetError if the service does not."""
    for done in tqdm(range(0, count, BATCH), desc="making customers", leave=False, disable=None):
        batch = {"items": [customers.new() for _ in range(min(BATCH, count - done))]}
        key = {"Idempotency-Key": f"{customers.mark}-{done}"}
        request = Request(
            "batch",
            "POST",
            "/customers/batch",
            frozenset({HTTPStatus.CREATED}),
            JSON | key,
            json.dumps(batch).encode(),
        )
        status, body = await _persistently(sender, request)
        if status != HTTPStatus.CREATED:
            raise TargetError(f"no customers could be made: {_why(status, body)}")
        for document in json.loads(body)["items"]:
            customers.add(document, settled=True)


async def erase(sender: Sender, customers: Customers, stop: asyncio.Event) -> int:
    """Erase all that the run has made; return how many of them are left.

    Ends when `stop` is set, and at the first answer that the token may not.
    """
    waiting, left = list(customers.made), 0

    async def work(bar: "tqdm[Any]") -> None:
        nonlocal left
        while waiting and not stop.is_set():
            path = f"/customers/{waiting.pop()}/erase"
            status, _ = await _persistently(sender, Request("erase", "POST", path, frozenset()))
            left += status not in GONE
            if status == HTTPStatus.FORBIDDEN:
                stop.set()
            bar.update()

    with tqdm(total=len(waiting), desc="erasing customers", leave=False, disable=None) as bar:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work(bar))
    return len(waiting) + left


async def _persistently(sender: Sender, request: Request) -> tuple[int, bytes]:
    """Send until the answer is not that it is too much for now, or five times."""
    status, body = 0, b"no answer"
    for attempt in range(ATTEMPTS):
        try:
            answer = await sender.answer(request)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            body = type(error).__name__.encode()
        else:
            status, body = answer.status, answer.body
            if status not in REFUSALS:
                break
        await asyncio.sleep(0.2 * 2**attempt)
    return status, body


def _why(status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        return f"{status} {problem['title']}"
    except (ValueError, KeyError, TypeError):
        return f"status {status}, {body[:100]!r}"
