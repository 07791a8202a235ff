"""Paging neither skips nor repeats customers while the list changes."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import UUID

import pytest

from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from tests.local.support import eventually
from tests.service import Service

HOW_MANY = 10_000
CLIENTS = 2


@pytest.mark.slow
def test_remaining_customers_are_listed_exactly_once(service: Service) -> None:
    """Page through 10,000 customers while other clients create and delete customers.

    Within each four pages, each of these clients creates and deletes at least one.
    """
    database = connect(Settings(database_url=service.database_server.url))
    seed.load(database, HOW_MANY)
    rows = database.fetch_all("SELECT LOWER(HEX(id)) AS id FROM customers ORDER BY id")
    to_delete = [str(UUID(str(row["id"]))) for row in rows[::20]]
    remaining = {str(UUID(str(row["id"]))) for row in rows} - set(to_delete)
    is_listed = threading.Event()
    changes: Counter[tuple[int, int]] = Counter()  # by client and status

    def churn(client: int) -> None:
        own = to_delete[client::CLIENTS]
        for number in count(client * 1_000_000):
            if is_listed.is_set():
                return
            changes[client, service.create(number).status_code] += 1
            if own:
                changes[client, service.delete(own.pop()).status_code] += 1

    def is_churned(times: int) -> bool:
        return all(
            changes[client, status] >= times for client in range(CLIENTS) for status in (201, 204)
        )

    listed: list[str] = []
    with ThreadPoolExecutor(CLIENTS) as others:
        churning = [others.submit(churn, client) for client in range(CLIENTS)]
        try:
            for number, page in enumerate(service.pages(), 1):
                listed += [customer["id"] for customer in page]
                eventually(lambda number=number: is_churned(number // 4))  # type: ignore[misc]
        finally:
            is_listed.set()
        for change in churning:
            change.result(timeout=60)

    assert len(listed) == len(set(listed))
    assert remaining <= set(listed)
    assert listed == sorted(listed, reverse=True)
