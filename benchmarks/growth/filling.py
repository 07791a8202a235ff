"""Ten million customers in minutes: the server makes them itself, of fifty thousand patterns.

The patterns are customers of `local.seed`. Each customer has an id, times, email address, phone
number and external id of its own, and all else of a pattern: status, names, company, address,
metadata. They come in the order of their ids, over all cores. The keys are taken off before and put
back after: to sort a key takes a fraction of the time that growing it does. The table is then what
the migrations make, to the letter, or the load fails.
"""

import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pymysql
from tqdm import tqdm

import migrations
from chalicelib.database import connect
from chalicelib.database.mysql import connection_arguments
from chalicelib.settings import Settings
from local import seed

PATTERNS = 50_000
CHUNK = 50_000
# in milliseconds since 1970: the first customer came at the start of 2024, the last two years later
FIRST, LAST = 1_704_067_200_000, 1_767_139_200_000
# Each 10th was changed since, each 50th deleted, and each 2nd came with an Idempotency-Key.
FILL = """
INSERT INTO customers (
    id, version, status, email, phone, given_name, family_name, company_name, external_id,
    addresses, locale, time_zone, metadata, updated_at, deleted_at, purge_at,
    email_key, idempotency_key, idempotency_fingerprint
)
SELECT
    UNHEX(CONCAT(
        LPAD(HEX(created), 12, '0'), '7', LPAD(HEX(seq % 4096), 3, '0'), '8', LEFT(MD5(seq), 15)
    )),
    1, status, email, phone, given_name, family_name, company_name, external_id,
    addresses, locale, time_zone, metadata, updated_at,
    IF(seq % 50 = 7, updated_at, NULL), IF(seq % 50 = 7, updated_at + INTERVAL 30 DAY, NULL),
    LOWER(email),
    IF(seq % 2, UNHEX(SHA2(seq, 256)), NULL), IF(seq % 2, UNHEX(SHA2(seq + 0.5, 256)), NULL)
FROM (
    SELECT
        seq, created, status, given_name, family_name, company_name, addresses, locale, time_zone,
        metadata, CONCAT(user, '.', seq, '@', domain) AS email,
        CONCAT(LEFT(phone, 3), 100000000 + seq * 7919 % 900000000) AS phone,
        IF(external_id IS NULL, NULL, CONCAT('crm-', LPAD(seq, 8, '0'))) AS external_id,
        FROM_UNIXTIME(FLOOR(
            created + IF(seq % 10 = 3, ({last} - created) * (CRC32(seq) / 4294967296), 0)
        ) / 1000) AS updated_at
    FROM (
        SELECT seq, {first} + ({last} - {first}) * seq DIV {customers} AS created
        FROM seq_{begin}_to_{end}
    ) AS numbers
    STRAIGHT_JOIN customers.patterns ON number = seq * 7919 % {patterns}
) AS made
"""
MAKE_PATTERNS = """
CREATE TABLE patterns (PRIMARY KEY (number)) ENGINE = InnoDB
SELECT
    CAST(ROW_NUMBER() OVER (ORDER BY id) - 1 AS INT) AS number,
    SUBSTRING_INDEX(email, '.', 1) AS user, SUBSTRING_INDEX(email, '@', -1) AS domain,
    status, phone, given_name, family_name, company_name, external_id, addresses, locale,
    time_zone, metadata
FROM customers
"""
# what runs before have created
FORGET = f"DELETE FROM customers WHERE id >= UNHEX('{LAST << 80:032X}')"  # noqa: S608 (a constant)
PROGRESS = "SHOW GLOBAL STATUS LIKE 'Innodb_onlineddl_pct_progress'"


def fill(url: str, sizes: list[int]) -> dict[int, str]:
    """Make a database of each size beside the one of `url`; return their addresses."""
    if not answer(url, "SHOW TABLES LIKE 'patterns'"):
        _migrate(url)
        seed.load(connect(Settings(database_url=url)), PATTERNS)
        answer(url, MAKE_PATTERNS)
    made = {size: f"{url}_{size}" for size in sizes}
    for size, database in made.items():
        if not answer(url, f"SHOW DATABASES LIKE 'customers\\_{size}'"):
            answer(url, f"CREATE DATABASE customers_{size}")
            _migrate(database)
            _load(database, size)
        answer(database, FORGET)
    return made


def _migrate(url: str) -> None:
    settings = Settings(database_url=url)
    migrations.apply(connect(settings), connect(settings), migrations.read(), lambda _: None)


def _load(url: str, customers: int) -> None:
    wanted = _schema(url)
    keys = re.findall(r"^ +((?:UNIQUE )?KEY `(\w+)` .+?),?$", wanted, re.MULTILINE)
    answer(url, f"ALTER TABLE customers {', '.join(f'DROP KEY {name}' for _, name in keys)}")
    _insert(url, customers)
    _watched(url, f"ALTER TABLE customers {', '.join(f'ADD {key}' for key, _ in keys)}")
    answer(url, "ANALYZE TABLE customers")
    if _schema(url) != wanted:
        raise RuntimeError(f"not what the migrations make: {_schema(url)}")


def _schema(url: str) -> str:
    return str(answer(url, "SHOW CREATE TABLE customers")[0][1])


def _insert(url: str, customers: int) -> None:
    begins = range(0, customers, CHUNK)
    with (
        ThreadPoolExecutor(os.cpu_count()) as threads,
        tqdm(total=customers, unit=" customers", unit_scale=True) as bar,
    ):
        for size in threads.map(partial(_insert_chunk, url, customers), begins):
            bar.update(size)


def _insert_chunk(url: str, customers: int, begin: int) -> int:
    size = min(CHUNK, customers - begin)
    statement = FILL.format(
        first=FIRST,
        last=LAST,
        customers=customers,
        patterns=PATTERNS,
        begin=begin,
        end=begin + size - 1,
    )
    answer(url, statement)
    return size


def _watched(url: str, statement: str) -> None:
    """Run the statement, with the progress that the server tells of it."""
    with (
        ThreadPoolExecutor(1) as thread,
        tqdm(total=100, desc="keys", bar_format="{l_bar}{bar}| {elapsed}") as bar,
    ):
        running: Future[Any] = thread.submit(answer, url, statement)
        while not running.done():
            time.sleep(0.5)
            [(_, hundredths)] = answer(url, PROGRESS)
            bar.update(int(hundredths) / 100 - bar.n)
        running.result()


def answer(url: str, statement: str) -> Any:
    with _session(url) as session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def _session(url: str) -> "pymysql.Connection[Any]":
    return pymysql.connect(**connection_arguments(url) | {"read_timeout": None})
