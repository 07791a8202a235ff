"""Schema changes of any length, and what became of them.

The Data API ends a call after 45 s, but lets its statement continue if the call asks for it. Each
statement begins with a comment that names its migration. A run can therefore find the statement in
the process list, even if an earlier run has sent it.

The server forgets the result of a statement whose client has gone. Before a change, a run therefore
stores a hash of the schema in the table `schema_changes`. MySQL and MariaDB apply a schema change
completely or not at all, and a run excludes others, so another hash means that the change was
applied.

Sources: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api-timeouts.html
         https://dev.mysql.com/doc/refman/8.0/en/atomic-ddl.html
         https://mariadb.com/kb/en/atomic-ddl/
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import cast

from chalicelib.database import Database

POLL_SECONDS = 1.0
REPORT_SECONDS = 30.0

CREATE_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_changes (name VARCHAR(255) NOT NULL PRIMARY KEY,"
    " schema_before CHAR(64) NOT NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
    " COLLATE utf8mb4_unicode_ci"
)

# The definitions that a statement can change, by table of information_schema. Both engines have
# these columns. Other columns contain statistics, which change without a statement.
_DEFINITIONS: Mapping[str, str] = {
    "tables": "table_type, engine, row_format, table_collation, create_options, table_comment",
    "columns": "column_name, ordinal_position, column_default, is_nullable, column_type,"
    " character_set_name, collation_name, extra, column_comment, generation_expression",
    "statistics": "index_name, seq_in_index, non_unique, column_name, collation, sub_part,"
    " index_type, index_comment",
    "table_constraints": "constraint_name, constraint_type",
    "key_column_usage": "constraint_name, column_name, ordinal_position, referenced_table_name,"
    " referenced_column_name",
    "referential_constraints": "constraint_name, update_rule, delete_rule",
    "check_constraints": "check_clause",
    "partitions": "partition_name, partition_method, partition_expression, partition_description",
}
# These tables name the schema, or the object, in another column.
_SCHEMA = {"referential_constraints": "constraint_schema", "check_constraints": "constraint_schema"}
_OBJECT = {"check_constraints": "constraint_name"}

Report = Callable[[str], None]


def tagged(name: str, sql: str) -> str:
    """Return the statement with a comment by which `await_end` finds it."""
    return f"{_tag(name)} {sql}"


def remember(database: Database, name: str) -> None:
    """Store the schema before the change."""
    database.execute_guarded(
        "INSERT INTO schema_changes (name, schema_before) VALUES (:name, :hash)"
        " ON DUPLICATE KEY UPDATE schema_before = :hash",
        name=name,
        hash=_schema(database),
    )


def was_applied(database: Database, name: str) -> bool:
    """Return whether the schema has changed since `remember`."""
    row = database.fetch_one(
        "SELECT schema_before FROM schema_changes WHERE name = :name", name=name
    )
    return row is not None and row["schema_before"] != _schema(database)


def forget(database: Database, name: str) -> None:
    """Delete what `remember` has stored."""
    database.execute("DELETE FROM schema_changes WHERE name = :name", name=name)


def await_end(database: Database, name: str, report: Report, beat: Callable[[], None]) -> None:
    """Wait until the database runs no statement of the migration, and report what it does."""
    reported, reported_at = "", 0.0
    while True:
        time.sleep(POLL_SECONDS)  # the statement may still be on its way to the database
        beat()
        running = _running(database, name)
        if not running:
            return
        seconds, what = running
        if what != reported or time.monotonic() > reported_at + REPORT_SECONDS:
            reported, reported_at = what, time.monotonic()
            report(f"{name} has been running for {seconds} s: {what}")


def _running(database: Database, name: str) -> tuple[int, str] | None:
    """Return for how many seconds a session has been running a statement, and the session's state.

    A user without the privilege PROCESS sees only the sessions of its own name.
    """
    row = database.fetch_one(
        "SELECT time AS seconds, state FROM information_schema.processlist"
        " WHERE id <> CONNECTION_ID() AND db = DATABASE() AND LOCATE(:tag, info) > 0",
        tag=_tag(name),
    )
    return (int(str(row["seconds"])), str(row["state"])) if row else None


def _tag(name: str) -> str:
    return f"/* migration {name} */"


def _schema(database: Database) -> str:
    """Return a hash of all definitions."""
    rows = database.fetch_all(" UNION ALL ".join(map(_query, _DEFINITIONS)))
    definitions = sorted(cast("str", row["part"]) for row in rows)
    return hashlib.sha256("\n".join(definitions).encode()).hexdigest()


def _query(table: str) -> str:
    columns = f"{_OBJECT.get(table, 'table_name')}, {_DEFINITIONS[table]}"
    schema = _SCHEMA.get(table, "table_schema")
    return (
        f"SELECT JSON_ARRAY('{table}', {columns}) AS part FROM information_schema.{table}"  # noqa: S608 (constants)
        f" WHERE {schema} = DATABASE()"
    )
