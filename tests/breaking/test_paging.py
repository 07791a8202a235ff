"""Paging neither skips nor repeats customers while the list changes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from tests.service import Service

HOW_MANY = 10_000


@pytest.mark.slow
def test_remaining_customers_are_listed_exactly_once(service: Service) -> None:
    """Page through 10,000 customers while other clients create and delete customers."""
    database = connect(Settings(database_url=service.database_server.url))
    seed.load(database, HOW_MANY)
    rows = database.fetch_all("SELECT LOWER(HEX(id)) AS id FROM customers ORDER BY id")
    to_delete = [str(UUID(str(row["id"]))) for row in rows[::20]]
    remaining = {str(UUID(str(row["id"]))) for row in rows} - set(to_delete)
    listing = threading.Event()
    listing.set()

    def churn(to_delete_by_client: list[str], first: int) -> tuple[int, int]:
        created = deleted = 0
        while listing.is_set():
            created += service.create(first + created).status_code == 201
            if to_delete_by_client:
                deleted += service.delete(to_delete_by_client.pop()).status_code == 204
        return created, deleted

    with ThreadPoolExecutor(2) as others:
        churning = [others.submit(churn, to_delete[n::2], first=n * 1_000_000) for n in range(2)]
        try:
            listed = [customer["id"] for page in service.pages() for customer in page]
        finally:
            listing.clear()
        changes = [change.result(timeout=60) for change in churning]

    assert min(min(change) for change in changes) > 10
    assert len(listed) == len(set(listed))
    assert remaining <= set(listed)
    assert listed == sorted(listed, reverse=True)
