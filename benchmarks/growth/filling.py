"""Create ten million customers in minutes: the server generates them from fifty thousand patterns.

The patterns are customers of `local.seed`. Each customer has its own id, timestamps, email address,
phone number and external id. All other fields come from a pattern: status, names, company, address,
metadata. The rows are inserted in the order of their ids, on all cores. Indexes are dropped before
and rebuilt afterwards, because sorting an index takes a fraction of the time of growing it. The
load fails unless the final table is exactly the one that the migrations create.
"""

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
from tqdm import tqdm

from benchmarks import servers
from chalicelib.database.mysql import connection_arguments
from local import engines, seed
from local.database_server import DatabaseServer
from local.engines import Engine

BYTES = 1_600
"""Memory of a customer in bytes, with all indexes."""
PATTERNS = 50_000
UPDATED = 10
"""Percentage of the customers that were updated, at a random time after their creation."""
ALL = 100
"""As a percentage, all customers: each was updated at a random time after the last creation."""
CHUNK = PATTERNS
"""Customers per statement, one of each pattern."""
# In milliseconds since 1970. The first customer was created at the start of 2024, the last one two
# years later, and half a year after that was the last update of all customers.
FIRST, LAST, LAST_UPDATE = 1_704_067_200_000, 1_767_139_200_000, 1_782_864_000_000
# Every 50th customer was deleted, and every 2nd has an idempotency key.
FILL = """
INSERT INTO customers (
    id, version, status, email, phone, given_name, family_name, company_name, external_id,
    addresses, locale, time_zone, metadata, updated_at, changed_at, deleted_at, purge_at,
    email_key, name_key, family_name_key, company_name_key,
    idempotency_key, idempotency_fingerprint
)
SELECT
    UNHEX(CONCAT(
        LPAD(HEX(created), 12, '0'), '7', LPAD(HEX(seq % 4096), 3, '0'), '8',
        LEFT(SHA2(seq, 224), 15)
    )),
    1, status, email, phone, given_name, family_name, company_name, external_id,
    addresses, locale, time_zone, metadata, updated_at, updated_at,
    IF(seq % 50 = 7, updated_at, NULL), IF(seq % 50 = 7, updated_at + INTERVAL 30 DAY, NULL),
    LOWER(email), name_key, family_name_key, company_name_key,
    IF(seq % 2, UNHEX(SHA2(seq, 256)), NULL), IF(seq % 2, UNHEX(SHA2(seq + 0.5, 256)), NULL)
FROM (
    SELECT
        seq, created, status, given_name, family_name, company_name, addresses, locale, time_zone,
        metadata, name_key, family_name_key, company_name_key,
        CONCAT(user, '.', seq, '@', domain) AS email,
        CONCAT(LEFT(phone, 3), 100000000 + seq * 7919 % 900000000) AS phone,
        IF(external_id IS NULL, NULL, CONCAT('crm-', LPAD(seq, 8, '0'))) AS external_id,
        FROM_UNIXTIME(FLOOR(IF(
            seq * 7 % 100 < {updated},
            earliest + ({latest} - earliest) * (CRC32(seq) / 4294967296),
            created
        )) / 1000) AS updated_at
    FROM (
        SELECT seq, created, GREATEST(created, {earliest}) AS earliest
        FROM (
            SELECT number + {begin} AS seq,
                {first} + ({last} - {first}) * (number + {begin}) DIV {customers} AS created
            FROM customers.patterns WHERE number < {size}
        ) AS chunk
    ) AS numbers
    STRAIGHT_JOIN customers.patterns ON number = seq * 7919 % {patterns}
) AS customer
"""
CREATE_PATTERNS = """
CREATE TABLE patterns (PRIMARY KEY (number)) ENGINE = InnoDB
SELECT
    CAST(ROW_NUMBER() OVER (ORDER BY id) - 1 AS UNSIGNED) AS number,
    SUBSTRING_INDEX(email, '.', 1) AS user, SUBSTRING_INDEX(email, '@', -1) AS domain,
    status, phone, given_name, family_name, company_name, external_id, addresses, locale,
    time_zone, metadata, name_key, family_name_key, company_name_key
FROM customers
"""
FORGET = f"DELETE FROM customers WHERE id >= UNHEX('{LAST << 80:032X}')"  # noqa: S608 (a constant)
LOG_SIZE = {"mariadb": "innodb-log-file-size", "mysql": "loose-innodb-redo-log-capacity"}
PROGRESS = "SHOW GLOBAL STATUS LIKE 'Innodb_onlineddl_pct_progress'"


@contextmanager
def running(directory: Path, sizes: list[int]) -> Iterator[tuple[DatabaseServer, dict[int, str]]]:
    """Run the engine of ENGINE with one database per size, all in memory.

    Yields the server, and the URLs of the databases.
    """
    engine = engines.selected()
    options = server_options(engine, max(256 << 20, sum(sizes) * BYTES), log="4G") | {
        "innodb-sort-buffer-size": "64M",
        "loose-innodb-ddl-buffer-size": "256M",  # the same for MySQL, of all threads
        "innodb-fill-factor": "90",  # about as full as indexes that have grown
    }
    with servers.database(directory, options, engine) as server:
        urls = fill(server.url, sizes)
        for url in tqdm(urls.values(), desc="into memory"):
            _warm(url)
        yield server, urls


def server_options(engine: Engine, memory: int, log: str) -> dict[str, str]:
    """Return the server's options for this memory in bytes, and size of the log.

    Writes wait for no disk.
    """
    return {
        "innodb-buffer-pool-size": str(memory),
        "innodb-flush-log-at-trx-commit": "0",
        "innodb-doublewrite": "OFF",
        LOG_SIZE[engine.name]: log,
    }


def _warm(url: str) -> None:
    """Read each index once, completely."""
    for _, _, index, _, column, *_ in fetch(url, "SHOW KEYS FROM customers WHERE Seq_in_index = 1"):
        # not COUNT(*): MySQL counts in the primary key, whatever the index
        fetch(url, f"SELECT SUM(LENGTH({column})) FROM customers FORCE INDEX ({index})")  # noqa: S608


def database_name(customers: int, updated: int = UPDATED) -> str:
    """Return the name of the database with these customers."""
    return f"customers_{customers}_{updated}"


def fill(url: str, sizes: list[int], index: str = "", updated: int = UPDATED) -> dict[int, str]:
    """Create a database of each size next to the one in `url`. Return their URLs.

    Builds the indexes whose names contain `index`, which saves time and space. Default: all.
    """
    if not fetch(url, "SHOW TABLES LIKE 'patterns'"):
        seed.load(servers.migrate(url), PATTERNS)
        fetch(url, CREATE_PATTERNS)
    urls = {size: f"{url.rpartition('/')[0]}/{database_name(size, updated)}" for size in sizes}
    for size, database in urls.items():
        if not fetch(url, f"SHOW DATABASES LIKE '{database_name(size, updated)}'"):
            fetch(url, f"CREATE DATABASE {database_name(size, updated)}")
            servers.migrate(database)
            _load(database, size, index, updated)
        forget(database)
    return urls


def forget(url: str) -> None:
    """Remove the customers that requests have created."""
    fetch(url, FORGET)


def _load(url: str, customers: int, index: str, updated: int) -> None:
    expected_schema = _schema(url)
    keys = re.findall(r"^ +((?:UNIQUE )?KEY `(\w+)` .+?),?$", expected_schema, re.MULTILINE)
    fetch(url, f"ALTER TABLE customers {', '.join(f'DROP KEY {name}' for _, name in keys)}")
    _insert(url, customers, updated)
    added = ", ".join(f"ADD {key}" for key, name in keys if index in name)
    _watched(url, f"ALTER TABLE customers {added}")
    fetch(url, "ANALYZE TABLE customers")
    if not index and _schema(url) != expected_schema:
        raise RuntimeError(f"the table differs from that of the migrations: {_schema(url)}")


def _schema(url: str) -> str:
    return str(fetch(url, "SHOW CREATE TABLE customers")[0][1])


def _insert(url: str, customers: int, updated: int) -> None:
    begins = range(0, customers, CHUNK)
    with (
        ThreadPoolExecutor(os.cpu_count()) as threads,
        tqdm(total=customers, unit=" customers", unit_scale=True) as bar,
    ):
        for size in threads.map(partial(_insert_chunk, url, customers, updated), begins):
            bar.update(size)


def _insert_chunk(url: str, customers: int, updated: int, begin: int) -> int:
    size = min(CHUNK, customers - begin)
    earliest, latest = (LAST, LAST_UPDATE) if updated == ALL else (FIRST, LAST)
    times = {"first": FIRST, "last": LAST, "earliest": earliest, "latest": latest}
    numbers = {"customers": customers, "updated": updated, "begin": begin, "size": size}
    fetch(url, FILL.format(**times, **numbers, patterns=PATTERNS))
    return size


def _watched(url: str, statement: str) -> None:
    """Run the statement with a progress bar, fed by the server's progress."""
    with (
        ThreadPoolExecutor(1) as thread,
        tqdm(total=100, desc="keys", bar_format="{l_bar}{bar}| {elapsed}") as bar,
    ):
        running: Future[Any] = thread.submit(fetch, url, statement)
        while not running.done():
            time.sleep(0.5)
            for _, hundredths in fetch(url, PROGRESS):  # MySQL has none
                bar.update(int(hundredths) / 100 - bar.n)
        running.result()


def fetch(url: str, statement: str) -> Any:
    """Run a statement without a timeout, and return its rows."""
    arguments = {**connection_arguments(url), "read_timeout": None}
    with pymysql.connect(**arguments) as session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
