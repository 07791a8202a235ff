"""SQL for versioned tables: inserts, guarded updates, soft deletion.

A versioned table has these columns, besides its own:

    id                       BINARY(16), the primary key: a UUIDv7
    version                  INT UNSIGNED, increased by each update
    updated_at               DATETIME(3)
    deleted_at, purge_at     DATETIME(3), nullable: set by a soft deletion
    erased_at                DATETIME(3), nullable: set by an erasure, which keeps id and times
    changed_at               DATETIME(3): set by the database, ON UPDATE CURRENT_TIMESTAMP(3)
    history                  TEXT, nullable: a line for each of the last versions (below)
    last_write               BINARY(32), nullable: the fingerprint of the last update's request
    idempotency_key          BINARY(32), nullable, unique
    idempotency_fingerprint  BINARY(32), nullable: like the two before, keyed hashes

Columns are quoted, because a field may be named like a reserved word of SQL, such as `lines`.

`deleted_at` is NULL in rows that are not deleted. A guarded update names the version that it
updates, so executing it twice has no further effect.

The statement that writes a version also writes its line of the history:

    <version> <changed_at> <operation> <caller> <names of the fields that the update changed>

The operation is created, updated, deleted, restored or erased. `:history_caller` is the caller's
pseudonym. Versions that were written before the table had this column have no line, nor have those
that the previous code writes during a deployment: so a line has its version.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain

from chalicelib.database.contract import Database, Value
from chalicelib.database.errors import DatabaseError

NEXT_VERSION = "version = :version - 1"
"""The guard of an update to `:version` from the version before it."""
IDEMPOTENCY = ("idempotency_key", "idempotency_fingerprint")
MAX_VERSIONS = 20
"""The number of versions that the history has."""
_WRITE = ("id", "updated_at", "fingerprint")  # identify one write
_DELETION = (
    "deleted_at = :updated_at, updated_at = :updated_at,"
    " purge_at = :purge_at, version = version + 1, last_write = :fingerprint"
)


def quoted(columns: Iterable[str]) -> str:
    """Return the names of the columns, quoted and separated by commas."""
    return ", ".join(f"`{name}`" for name in columns)


def insertion(
    table: str, rows: Sequence[Mapping[str, Value]], caller: str
) -> tuple[str, Mapping[str, Value]]:
    """Return an INSERT and its parameters. Columns that a row lacks are null."""
    if len(rows) == 1:
        columns, values = tuple(rows[0]), rows[0]
    else:
        columns = tuple(dict.fromkeys(chain(*rows)))
        ordered = [row.get(name) for row in rows for name in columns]
        values = dict(zip(_inserted(len(rows), columns), ordered, strict=True))
    return insert_sql(table, len(rows), columns), {**values, "history_caller": caller}


@lru_cache(maxsize=256)
def insert_sql(table: str, size: int, columns: tuple[str, ...]) -> str:
    """Return an INSERT of `size` rows, whose parameters `_inserted` names."""
    names, width = _inserted(size, columns), len(columns)
    line = history_line("created", "1")
    rows = [f"(:{', :'.join(names[n : n + width])}, {line})" for n in range(0, size * width, width)]
    return f"INSERT INTO {table} ({quoted((*columns, 'history'))}) VALUES {', '.join(rows)}"


@lru_cache(maxsize=64)
def _inserted(size: int, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of an INSERT's parameters: `<column>`, of several rows `<column>_<row>`.

    All rows have a number: else `street_2` of the first row would be `street` of the third one.
    """
    if size == 1:
        return columns
    return tuple([f"{name}_{n}" for n in range(size) for name in columns])


@cache
def update_sql(
    table: str, columns: tuple[str, ...], derived: tuple[str, ...] = (), guard: str = NEXT_VERSION
) -> str:
    """Return the UPDATE to the next version, if the guard holds and any of `columns` changes.

    Values are compared byte by byte, because collations ignore differences. `derived` columns are
    only set: they depend on the others.
    """
    settings = ", ".join(f"`{name}` = :{name}" for name in ("updated_at", *columns, *derived))
    unchanged = {name: f"CAST(`{name}` AS BINARY) <=> CAST(:{name} AS BINARY)" for name in columns}
    changed = [f"IF({condition}, NULL, '{name}')" for name, condition in unchanged.items()]
    return (
        f"UPDATE {table} SET {_added(history_line('updated', fields=changed))},"
        f" version = version + 1, {settings}, last_write = :fingerprint WHERE id = :id AND {guard}"
        f" AND deleted_at IS NULL AND NOT ({' AND '.join(unchanged.values())})"
    )


def delete_sql(table: str, guard: str) -> str:
    """Return the soft deletion of a row that is not deleted, with a condition on its version."""
    return (
        f"UPDATE {table} SET {_added(history_line('deleted'))}, {_DELETION}"
        f" WHERE id = :id AND deleted_at IS NULL{guard}"
    )


@lru_cache(maxsize=64)
def numbered(name: str, size: int) -> tuple[str, ...]:
    """Return the names of a parameter of a statement for `size` rows; the first has no number."""
    return (name, *[f"{name}_{row}" for row in range(1, size)])


def update_all_sql(
    table: str, size: int, changed: int, columns: Mapping[str, Collection[int]]
) -> str:
    """Return the UPDATE of the first `changed` of `size` rows, if all have their `:version`.

    `columns` has the numbers of the rows that set each column. The parameters have short names
    (`column_parameter`), because the statement would be too long. `:f` has the names of the fields
    that a row changes.
    """
    settings = "".join(
        f", `{name}` = {_by_row(rows, column_parameter(number), f'`{name}`')}"
        for number, (name, rows) in enumerate(columns.items())
    )
    fields = _by_row(range(changed), "f", "NULL")
    return (
        f"{_guarded(table, size)} SET {_added_to_all('updated', changed, fields)},"
        " version = version + 1, updated_at = :updated_at,"
        f" last_write = :fingerprint{settings} WHERE id IN ({_ids(changed)})"
    )


def column_parameter(number: int) -> str:
    """Return the name of the parameter for the column of that number in `update_all_sql`."""
    return f"c{number}"


@cache
def delete_all_sql(table: str, size: int) -> str:
    """Return the soft deletion of `size` rows, if all have their `:version`."""
    return (
        f"{_guarded(table, size)} SET {_added_to_all('deleted', size)}, {_DELETION}"
        f" WHERE id IN ({_ids(size)})"
    )


def select_all_sql(table: str, size: int, columns: Iterable[str]) -> str:
    """Return the SELECT of rows by their ids, deleted ones too."""
    return f"SELECT {quoted(columns)} FROM {table} WHERE id IN ({_ids(size)})"


def _guarded(table: str, size: int) -> str:
    """Return the beginning of an UPDATE that matches rows only if all of them match.

    The subquery locks all rows in the order of the ids, so that they still match afterwards. The
    index is forced, because the scan of a small table would lock all of its rows.
    """
    versions = _by_row(range(size), "version", "0")
    return (
        f"UPDATE {table} FORCE INDEX (PRIMARY) JOIN (SELECT COUNT(*) AS matched FROM {table}"
        f" FORCE INDEX (PRIMARY) WHERE id IN ({_ids(size)}) AND deleted_at IS NULL"
        f" AND version = {versions} FOR UPDATE) AS guard ON guard.matched = {size}"
    )


def _ids(size: int) -> str:
    return f":{', :'.join(numbered('id', size))}"


def _by_row(rows: Collection[int], name: str, otherwise: str) -> str:
    """Return the SQL of a value that depends on the row."""
    size = max(rows) + 1
    ids, values = numbered("id", size), numbered(name, size)
    cases = " ".join([f"WHEN :{ids[row]} THEN :{values[row]}" for row in rows])
    return f"CASE id {cases} ELSE {otherwise} END"


def restore_sql(table: str) -> str:
    """Return the UPDATE that undoes a soft deletion."""
    return (
        f"UPDATE {table} SET {_added(history_line('restored'))},"
        " version = :version, updated_at = :updated_at,"
        " deleted_at = :deleted_at, purge_at = :purge_at, last_write = :fingerprint"
        " WHERE id = :id AND version = :version - 1"
    )


def history_line(operation: str, version: str = "version + 1", fields: Iterable[str] = ()) -> str:
    """Return the SQL of a version's line in the history. SQL of `fields` may be NULL.

    MySQL assigns from left to right. The history comes first, and so has the old values of columns.
    The time is that of `changed_at`: both are of the statement's beginning.
    """
    parts = (version, "CURRENT_TIMESTAMP(3)", f"'{operation}'", ":history_caller", *fields)
    return f"CONCAT_WS(' ', {', '.join(parts)})"


def _added(line: str) -> str:
    """Return the assignment that adds the line to the history, and removes the oldest."""
    kept = f"SUBSTRING_INDEX(history, '\n', {1 - MAX_VERSIONS})"
    return f"history = CONCAT_WS('\n', {kept}, {line})"


def _added_to_all(operation: str, size: int, *fields: str) -> str:
    """Return what `_added` does, for an UPDATE with a join, which assigns in no certain order."""
    version = f"{_by_row(range(size), 'version', '0')} + 1"
    return _added(history_line(operation, version, fields))


def version_guard(versions: Collection[int] | None) -> tuple[str, dict[str, Value]]:
    """Return an SQL condition on the version, and its parameters; empty if any version will do."""
    if versions is None:
        return "", {}
    parameters: dict[str, Value] = {f"version_{n}": v for n, v in enumerate(versions or {0})}
    return f" AND version IN ({', '.join(f':{name}' for name in parameters)})", parameters


def is_stored(database: Database, table: str, row_id: Value) -> bool:
    """Return whether a row with this id exists; False also if that can't be read."""
    return _is_found(database, f"SELECT id FROM {table} WHERE id = :id", {"id": row_id})


def run_write(
    database: Database,
    table: str,
    sql: str,
    parameters: Mapping[str, Value],
    *,
    is_idempotent: bool = True,
) -> int:
    """Run an UPDATE that stores its time and fingerprint; return how many rows it matched.

    If the outcome is unknown, the row is read back. Only idempotent updates are retried.
    """
    run = database.execute_guarded if is_idempotent else database.execute
    try:
        return run(sql, **parameters)
    except DatabaseError as error:
        if error.is_outcome_unknown and _was_applied(database, table, parameters):
            return 1
        raise


def _was_applied(database: Database, table: str, parameters: Mapping[str, Value]) -> bool:
    """Return whether the last update has these parameters; False also if that can't be read."""
    sql = (
        f"SELECT id FROM {table} WHERE id = :id"
        " AND updated_at = :updated_at AND last_write = :fingerprint"
    )
    return _is_found(database, sql, {name: parameters[name] for name in _WRITE})


def _is_found(database: Database, sql: str, parameters: Mapping[str, Value]) -> bool:
    try:
        return database.fetch_one(sql, **parameters) is not None
    except DatabaseError:  # the outcome of the write remains unknown
        return False
