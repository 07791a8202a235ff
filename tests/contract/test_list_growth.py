"""The index entries that a list reads don't grow with the table: at 100,000 and 400,000 customers.

`tests/test_listing.py` checks the plans of the same lists on a small table, where the optimizer may
choose differently. Here, thousands of customers share a time of update, as after a bulk change.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymysql
import pytest

import migrations
from chalicelib.customers import lists
from chalicelib.customers.lists import Query
from chalicelib.database import Database, connect, mysql
from chalicelib.settings import Settings
from local.database_server import DatabaseServer
from tests import test_listing as listing

NAME = "customers_growing"
STEP = 10_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
INSERT = f"""
INSERT INTO customers (
    id, version, status, email, email_key, phone, given_name, family_name, company_name,
    external_id, addresses, metadata, updated_at, deleted_at, erased_at
)
SELECT
    UNHEX(CONCAT(LPAD(HEX({int(FIRST.timestamp() * 1000)} + n * 10), 12, '0'),
        '7', LPAD(HEX(n % 4096), 3, '0'), '8', LEFT(SHA2(n, 256), 15))),
    1, IF(n % 3, 'active', 'inactive'), CONCAT('user', n, '@example.com'),
    CONCAT('user', n, '@example.com'), IF(n % 5 = 3, '+442079460000', CONCAT('+49', n)),
    CONCAT('Given', n % 1000), CONCAT('Family', n % 700), CONCAT('Company ', n % 300),
    CONCAT('crm-', n), '[]', '{{}}', updated_at, IF(n % 5 = 0, updated_at, NULL),
    IF(n % 25 = 0, updated_at, NULL)
FROM (
    SELECT n, :last + INTERVAL n % 40 SECOND AS updated_at
    FROM (
        SELECT :begin + a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n
        FROM digits a, digits b, digits c, digits d
    ) AS numbers
) AS updates
ORDER BY n
"""


@pytest.fixture(scope="module")
def database(database_server: DatabaseServer) -> Iterator[Database]:
    url = f"{database_server.url.rsplit('/', 1)[0]}/{NAME}"
    with pymysql.connect(**mysql.connection_arguments(database_server.url)) as session:
        session.cursor().execute(f"CREATE DATABASE {NAME}")
        database = connect(Settings(database_url=url))
        migrations.apply(database, connect(Settings(database_url=url)), migrations.read(), print)
        database.execute("CREATE TABLE digits (n INT PRIMARY KEY)")
        database.execute(f"INSERT INTO digits VALUES {', '.join(f'({n})' for n in range(10))}")
        yield database
        session.cursor().execute(f"DROP DATABASE {NAME}")


def grow(database: Database, begin: int, size: int) -> None:
    """Insert customers, most of whom were updated at one of 40 times after the last creation."""
    last = FIRST + timedelta(days=1)
    for first in range(begin, begin + size, STEP):
        database.execute(INSERT, begin=first, last=last)
    database.fetch_all("ANALYZE TABLE customers")


def queries() -> dict[str, Query]:
    """Return each list whose index covers its filters, with values that match many customers."""
    values: dict[str, Any] = {
        "email": "user1003@example.com",
        "phone": "+442079460000",
        "external_id": "crm-1003",
        "status": "inactive",
        "created_after": FIRST + timedelta(milliseconds=5),
        "created_before": FIRST + timedelta(days=1),
        "updated_after": FIRST + timedelta(milliseconds=5),
    }
    return {
        f"{'+'.join(names)} {sort}{' deleted' * deleted}": Query(
            **{name: values[name] for name in names}, sort=sort, include_deleted=deleted
        )
        for names in listing.CHOICES
        if not listing.is_searched(names)
        for sort in listing.sorts(names)
        for deleted in (False, True)
        if listing.is_bounded(names, sort) or listing.LOOSE & set(names)
    }


def entries(explained: listing.Explained) -> dict[str, int]:
    """Return how many index entries the first page of each list reads."""
    read = {}
    for name, query in queries().items():
        lists.page(explained, query, listing.KEY)
        read[name] = explained.entries
    return read


def test_lists_read_as_few_entries_at_both_sizes(database: Database) -> None:
    explained = listing.Explained(database)
    grow(database, 0, 100_000)
    small = entries(explained)
    grow(database, 100_000, 300_000)
    large = entries(explained)

    # a page of each branch, and the customers of its ids
    most = {name: 3 * (1 + q.include_deleted) * q.limit for name, q in queries().items()}
    assert {name: read for name, read in small.items() if read > most[name]} == {}
    assert {name: read for name, read in large.items() if read > most[name]} == {}
