"""Read all data after the last fault: from the list, one by one, and from the database."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from tqdm import tqdm

from load.chaos.clients import HOW_MANY
from load.chaos.connection import Connection, Request
from load.chaos.facts import Final
from load.chaos.history import Seen
from load.chaos.requests import seen
from load.chaos.service import Service

FIRST_PAGE = "/customers?limit=100&sort=created_at&include_deleted=true"
ATTEMPTS = 120
PAUSE = 0.5


class NoReading(Exception):
    """The service does not respond although no fault is active."""


def read(service: Service) -> Final:
    """Return all data. Raises NoReading."""
    connection = Connection(service.port, service.token("reader"))
    listed: list[Seen] = []
    path: str | None = FIRST_PAGE
    while path:
        page = json.loads(_get(connection, path) or b"{}")
        listed += map(seen, page["items"])
        path = page["next"]
    connection.close()
    stored, leftovers = service.database.rows()
    ids = list(dict.fromkeys(customer.id for customer in (*stored, *listed)))
    each = _read_each(service, ids)
    gaps, histories = service.database.gaps(), service.database.histories()
    return Final(listed, each, stored, leftovers, gaps=gaps, histories=histories)


def _read_each(service: Service, ids: list[str]) -> dict[str, Seen | None]:
    idle: SimpleQueue[Connection] = SimpleQueue()
    for _ in range(HOW_MANY):
        idle.put(Connection(service.port, service.token("reader")))

    def read_one(customer: str) -> Seen | None:
        connection = idle.get()
        try:
            body = _get(connection, f"/customers/{customer}")
        finally:
            idle.put(connection)
        return seen(json.loads(body)) if body else None

    with ThreadPoolExecutor(HOW_MANY) as threads:
        versions = tqdm(
            threads.map(read_one, ids), desc="reading back", total=len(ids), leave=False
        )
        return dict(zip(ids, versions, strict=True))


def _get(connection: Connection, path: str) -> bytes | None:
    """Return the body, or None for 404."""
    for _ in range(ATTEMPTS):
        response = connection.send(Request("GET", path))
        if response.status in (200, 404):
            return response.body if response.status == 200 else None
        time.sleep(PAUSE)
    raise NoReading(f"GET {path.partition('?')[0]} returned {response.status or 'no response'}")
