"""The index entries that a list reads don't grow with the table: at 100,000 and 400,000 customers.

`tests/test_listing.py` checks the plans of the same lists on a small table, where the optimizer may
choose differently. Here, thousands of customers share a time of update, as after a bulk change.
Only searches read more than a few pages: each index entry that the prefix matches, and no other.
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
    external_id, addresses, metadata, updated_at, deleted_at, erased_at,
    name_key, family_name_key, company_name_key
)
SELECT
    UNHEX(CONCAT(LPAD(HEX({int(FIRST.timestamp() * 1000)} + n * 10), 12, '0'),
        '7', LPAD(HEX(n % 4096), 3, '0'), '8', LEFT(SHA2(n, 256), 15))),
    1, IF(n % 3, 'active', 'inactive'), CONCAT('user', n, '@example.com'),
    CONCAT('user', n, '@example.com'), IF(n % 5 = 3, '+442079460000', CONCAT('+49', n)),
    CONCAT('Given', n % 1000), CONCAT('Family', n % 700), CONCAT('Company ', n % 300),
    CONCAT('crm-', n), '[]', '{{}}', updated_at, IF(n % 5 = 0, updated_at, NULL),
    IF(n % 25 = 0, updated_at, NULL),
    CONCAT('given', n % 1000, ' family', n % 700), CONCAT('family', n % 700, ' given', n % 1000),
    CONCAT('company ', n % 300)
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


def searches() -> dict[str, Query]:
    """Return searches for few customers, and for a part of all, with and without other filters."""
    return {
        f"q={q} {sort}{' deleted' * deleted} {status}": Query(
            q=q, sort=sort, include_deleted=deleted, status=status
        )
        for q in ("user1003", "given7 family7", "family699", "company 2")
        for sort in listing.CREATED
        for deleted in (False, True)
        for status in (None, "inactive")
    }


def matches(database: Database, query: Query) -> int:
    """Return how many entries of the indexes that a search uses begin with its prefix."""
    assert query.q
    states = "('live', 'deleted')" if query.include_deleted else "('live')"
    counts = (
        f"(SELECT COUNT(*) FROM customers WHERE state IN {states} AND {column} LIKE :prefix)"
        for column in ("name_key", "family_name_key", "company_name_key", "email_key")
    )
    (row,) = database.fetch_all(f"SELECT {' + '.join(counts)} AS total", prefix=f"{query.q}%")
    return int(str(row["total"]))


def entries(explained: listing.Explained, lists_by_name: dict[str, Query]) -> dict[str, int]:
    """Return how many index entries the first page of each list reads."""
    read = {}
    for name, query in lists_by_name.items():
        lists.page(explained, query, listing.KEY)
        read[name] = explained.entries
    return read


def excessive(database: Database) -> dict[str, tuple[int, int]]:
    """Return the lists that read more entries than they may, with both numbers.

    A list may read a page of each branch, and the customers of its ids; a search also its matches.
    """
    both = queries() | searches()
    most = {name: 3 * (1 + query.include_deleted) * query.limit for name, query in both.items()}
    for name, query in searches().items():
        most[name] += matches(database, query)
    read = entries(listing.Explained(database), both)
    return {name: (count, most[name]) for name, count in read.items() if count > most[name]}


@pytest.mark.exhaustive
def test_lists_read_as_few_entries_at_both_sizes(database: Database) -> None:
    grow(database, 0, 100_000)
    assert excessive(database) == {}
    grow(database, 100_000, 300_000)
    assert excessive(database) == {}
