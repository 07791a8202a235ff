"""Makes the customers of a run before it, and erases them after it."""

import asyncio
import json
import sys
from http import HTTPStatus

import aiohttp
from tqdm import tqdm

from load.traffic.customers import Customers
from load.traffic.mix import JSON, Request
from load.traffic.sending import Sender
from load.traffic.target import TargetError

BATCH = 100  # the API's most
AT_ONCE = 4
ATTEMPTS = 5


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


async def erase(sender: Sender, customers: Customers) -> int:
    """Erase all that the run has made; return how many of them are left.

    Stops at the first answer that the token may not.
    """
    left, gone = list(customers.made), {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}
    forbidden = asyncio.Event()

    async def work(bar: "tqdm[None]") -> None:
        while left and not forbidden.is_set():
            customer = left.pop()
            request = Request("erase", "POST", f"/customers/{customer}/erase", frozenset())
            status, _ = await _persistently(sender, request)
            if status not in gone:
                failed.append(customer)
                if status == HTTPStatus.FORBIDDEN:
                    forbidden.set()
            bar.update()

    failed: list[str] = []
    with tqdm(total=len(left), desc="erasing customers", leave=False, disable=None) as bar:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work(bar))
    return len(left) + len(failed)


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
            if status not in {429, 503}:
                break
        await asyncio.sleep(0.2 * 2**attempt)
    return status, body


def _why(status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        return f"{status} {problem['title']}"
    except (ValueError, KeyError, TypeError):
        return f"status {status}, {body[:100]!r}"


def tell_what_is_left(left: int, mark: str) -> None:
    """Say what could not be erased, and how to find it."""
    print(
        f"{left} customers are left, named {mark}-1@example.com and so on:"
        " erase them with a token of the scope customers:erase",
        file=sys.stderr,
    )
