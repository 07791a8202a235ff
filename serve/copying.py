"""Copy all data between the database of a stage and the server's own: docs/serve.md.

The stage is reached through the Data API, so the copy needs credentials, but no way into the
stage's network. The copy keeps ids, versions, times and histories.

A copy may be repeated after an error. REPLACE also removes rows that have a unique value of a
copied row. The source has all of them, with their present values, so a later page brings them
back.
"""

from collections.abc import Iterator, Sequence

from chalicelib.database import Database, Row
from chalicelib.database.contract import Value
from chalicelib.database.tables import quoted

TABLES = {"customers": "id", "relay_positions": "name"}
"""The tables, and their primary keys."""
PAGE = 50
"""Rows per statement. They fit into a response of the Data API (1 MiB)."""
PAGE_OF_KEYS = 1_000


class CopyError(Exception):
    """The databases can't be copied; the message says why, and what to do."""


def copy(source: Database, target: Database) -> int:
    """Copy all rows, compare them, and return the number of customers.

    Raises CopyError if the schemas differ, the target has a row that the source lacks, or a row
    changes meanwhile; and DatabaseError.
    """
    if _migrations(source) != _migrations(target):
        raise CopyError("the databases have different migrations: apply all of them to both")
    copied = {table: _copy_table(source, target, table, key) for table, key in TABLES.items()}
    return copied["customers"]


def _migrations(database: Database) -> list[Row]:
    return database.fetch_all("SELECT name FROM schema_migrations ORDER BY name")


def _copy_table(source: Database, target: Database, table: str, key: str) -> int:
    keys = set(_keys(source, table, key))
    if not keys.issuperset(_keys(target, table, key)):
        raise CopyError(f"the target has {table} that the source lacks: is this the right way?")
    columns, copied = _columns(source, table), 0
    for last, rows in _pages(source, table, key, columns):
        sql, parameters = _replacement(table, columns, rows)
        target.execute_guarded(sql, **parameters)
        if _page(target, table, key, columns, last) != rows:
            raise CopyError(f"{table} have changed meanwhile: stop all writes, and copy again")
        copied += len(rows)
    return copied


def _columns(database: Database, table: str) -> list[str]:
    """Return the columns that the database does not compute."""
    rows = database.fetch_all(
        "SELECT column_name AS name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = :table_name"
        " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position",
        table_name=table,
    )
    return [str(row["name"]) for row in rows]


def _keys(database: Database, table: str, key: str) -> Iterator[Value]:
    for _, rows in _pages(database, table, key, [key], PAGE_OF_KEYS):
        yield from (row[key] for row in rows)


def _pages(
    database: Database, table: str, key: str, columns: Sequence[str], size: int = PAGE
) -> Iterator[tuple[Value, list[Row]]]:
    """Yield pages of all rows in the order of their keys, and the key before each page."""
    last: Value = None
    while rows := _page(database, table, key, columns, last, size):
        yield last, rows
        last = rows[-1][key]


def _page(  # noqa: PLR0913, PLR0917 (a query)
    database: Database, table: str, key: str, columns: Sequence[str], last: Value, size: int = PAGE
) -> list[Row]:
    condition, parameters = (f" WHERE {key} > :last", {"last": last}) if last else ("", {})
    sql = f"SELECT {quoted(columns)} FROM {table}{condition} ORDER BY {key} LIMIT {size}"  # noqa: S608
    return database.fetch_all(sql, **parameters)


def _replacement(table: str, columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, Row]:
    names = [[f"{name}_{n}" for name in columns] for n in range(len(rows))]
    values = ", ".join(f"({', '.join(f':{name}' for name in row)})" for row in names)
    sql = f"REPLACE INTO {table} ({quoted(columns)}) VALUES {values}"  # noqa: S608 (constants, and columns of the schema)
    return sql, {f"{name}_{n}": row[name] for n, row in enumerate(rows) for name in columns}
