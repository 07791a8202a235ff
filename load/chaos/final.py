"""Reads everything when all is quiet: the list, each customer, and the database itself."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from tqdm import tqdm

from load.chaos.clients import HOW_MANY, seen
from load.chaos.connection import Connection, Request
from load.chaos.facts import Final
from load.chaos.history import Seen
from load.chaos.service import Service

FIRST_PAGE = "/customers?limit=100&sort=created_at&include_deleted=true"
ATTEMPTS = 20
PAUSE = 0.5


class NoReading(Exception):
    """The service does not answer although nothing is wrong any more."""


def read(service: Service) -> Final:
    """Return everything. Raises NoReading."""
    connection = Connection(service.port, service.token("reader"))
    listed: list[Seen] = []
    path: str | None = FIRST_PAGE
    while path:
        page = json.loads(_get(connection, path) or b"{}")
        listed += map(seen, page["items"])
        path = page["next"]
    connection.close()
    return Final(listed, _each(service, listed), service.rows())


def _each(service: Service, listed: list[Seen]) -> dict[str, Seen | None]:
    idle: SimpleQueue[Connection] = SimpleQueue()
    for _ in range(HOW_MANY):
        idle.put(Connection(service.port, service.token("reader")))

    def one(customer: Seen) -> Seen | None:
        connection = idle.get()
        try:
            body = _get(connection, f"/customers/{customer.id}")
        finally:
            idle.put(connection)
        return seen(json.loads(body)) if body else None

    with ThreadPoolExecutor(HOW_MANY) as threads:
        found = tqdm(threads.map(one, listed), desc="reading back", total=len(listed), leave=False)
        return {customer.id: answer for customer, answer in zip(listed, found, strict=True)}


def _get(connection: Connection, path: str) -> bytes | None:
    """Return the body; None for 404."""
    for _ in range(ATTEMPTS):
        answer = connection.send(Request("GET", path))
        if answer.status in (200, 404):
            return answer.body if answer.status == 200 else None
        time.sleep(PAUSE)
    raise NoReading(f"GET {path.partition('?')[0]} was answered {answer.status or 'nothing'}")
