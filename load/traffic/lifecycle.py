"""Create the customers of a run, and erase them afterwards."""

import asyncio
import json
from http import HTTPStatus

import aiohttp
from tqdm import tqdm

from load.traffic.customers import Customers
from load.traffic.mix import JSON, Request
from load.traffic.outcomes import REFUSALS
from load.traffic.sending import Sender
from load.traffic.target import TargetError

BATCH = 100  # the API's maximum
AT_ONCE = 4
ATTEMPTS = 5
GONE = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})


async def make(sender: Sender, customers: Customers, count: int) -> None:
    """Create customers. Raises TargetError if the service does not."""
    for done in tqdm(range(0, count, BATCH), desc="creating customers", leave=False, disable=None):
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
        if not status:
            raise TargetError(
                f"the service does not respond ({body.decode()}): start it or correct BASE_URL, or"
                " unset BASE_URL and TOKEN, and a private stack is started"
            )
        if status != HTTPStatus.CREATED:
            raise TargetError(f"could not create customers: {_why(status, body)}")
        for document in json.loads(body)["items"]:
            customers.add(document, settled=True)


async def erase(sender: Sender, mark: str, stop: asyncio.Event) -> bool:
    """Erase all customers of the run. Return whether none is left.

    Searches for existing customers instead of using the ids of responses, because a create whose
    response was lost may have succeeded. Ends when `stop` is set, or when the API erases none.
    """
    listed = Request(
        "list", "GET", f"/customers?q={mark}&include_deleted=true&limit={BATCH}", frozenset()
    )
    with tqdm(desc="erasing", unit=" customers", leave=False, disable=None) as bar:
        while not stop.is_set():
            status, body = await _persistently(sender, listed)
            if status != HTTPStatus.OK:
                return False
            if not (found := [customer["id"] for customer in json.loads(body)["items"]]):
                return True
            limit = asyncio.Semaphore(AT_ONCE)
            erased = await asyncio.gather(*(_erase(sender, item, limit) for item in found))
            bar.update(sum(erased))
            if not any(erased):
                return False
    return False


async def _erase(sender: Sender, customer_id: str, limit: asyncio.Semaphore) -> bool:
    path = f"/customers/{customer_id}/erase"
    async with limit:
        status, _ = await _persistently(sender, Request("erase", "POST", path, frozenset()))
    return status in GONE


async def _persistently(sender: Sender, request: Request) -> tuple[int, bytes]:
    """Send up to five times, until the API does not respond that it is overloaded."""
    status, body = 0, b"no answer"
    for attempt in range(ATTEMPTS):
        try:
            response = await sender.response(request)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            body = type(error).__name__.encode()
        else:
            status, body = response.status, response.body
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
