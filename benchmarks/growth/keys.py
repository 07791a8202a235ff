"""The size and depth of a table's indexes, from the server's statistics and data files."""

from pathlib import Path
from typing import Any, NamedTuple

import pymysql

from local.database_server import DatabaseServer

PAGE = 16_384
# https://dev.mysql.com/doc/internals/en/innodb-page-header.html, after the 38-byte page header
LEVEL = slice(38 + 26, 38 + 28)
KEYS = """
SELECT i.name, i.page_no, s.stat_value
FROM information_schema.{prefix}tables AS t
JOIN information_schema.{prefix}indexes AS i USING (table_id)
JOIN mysql.innodb_index_stats AS s
    ON s.database_name = %(database)s AND s.table_name = 'customers' AND s.index_name = i.name
WHERE t.name = CONCAT(%(database)s, '/customers') AND s.stat_name = 'size'
ORDER BY i.index_id
"""
PREFIXES = {"mariadb": "innodb_sys_", "mysql": "innodb_"}


class Key(NamedTuple):
    """A B-tree: the size of its pages in bytes, and its number of levels."""

    size: int
    depth: int


def read(server: DatabaseServer, database: str) -> dict[str, Key]:
    """Return the indexes of `customers`. The first is the primary key, which contains the rows."""
    data, engine = server.directory / "data", server.engine
    socket = str(data / "server.sock")
    with (
        pymysql.connect(user=engine.administrator, unix_socket=socket) as session,
        session.cursor() as cursor,
    ):
        # writes the pages to the table's file
        cursor.execute(f"FLUSH TABLES `{database}`.customers FOR EXPORT")
        cursor.execute("UNLOCK TABLES")
        cursor.execute(KEYS.format(prefix=PREFIXES[engine.name]), {"database": database})
        file = data / database / "customers.ibd"
        rows: Any = cursor.fetchall()
    return {name: Key(pages * PAGE, _depth(file, root)) for name, root, pages in rows}


def _depth(file: Path, root: int) -> int:
    with file.open("rb") as pages:
        pages.seek(root * PAGE)
        return int.from_bytes(pages.read(PAGE)[LEVEL], "big") + 1
