"""How large the keys of a table are, and how deep: asked of MariaDB, and read in its files."""

from pathlib import Path
from typing import Any, NamedTuple

import pymysql

PAGE = 16_384
# https://dev.mysql.com/doc/internals/en/innodb-page-header.html, behind the 38 bytes of each page
LEVEL = slice(38 + 26, 38 + 28)
KEYS = """
SELECT i.name, i.page_no, s.stat_value
FROM information_schema.innodb_sys_tables AS t
JOIN information_schema.innodb_sys_indexes AS i USING (table_id)
JOIN mysql.innodb_index_stats AS s
    ON s.database_name = %(database)s AND s.table_name = 'customers' AND s.index_name = i.name
WHERE t.name = CONCAT(%(database)s, '/customers') AND s.stat_name = 'size'
ORDER BY i.index_id
"""


class Key(NamedTuple):
    """A B-tree: the bytes of its pages, and on how many levels they are."""

    size: int
    depth: int


def read(server: Path, database: str) -> dict[str, Key]:
    """Return the keys of `customers`, the primary key first: that one is the rows themselves."""
    data = server / "data"
    with (
        pymysql.connect(user="root", unix_socket=str(data / "server.sock")) as session,
        session.cursor() as cursor,
    ):
        cursor.execute(f"FLUSH TABLES `{database}`.customers FOR EXPORT")  # into its file
        cursor.execute("UNLOCK TABLES")
        cursor.execute(KEYS, {"database": database})
        file = data / database / "customers.ibd"
        return {name: Key(pages * PAGE, _depth(file, root)) for name, root, pages in _rows(cursor)}


def _rows(cursor: Any) -> Any:
    return cursor.fetchall()


def _depth(file: Path, root: int) -> int:
    with file.open("rb") as pages:
        pages.seek(root * PAGE)
        return int.from_bytes(pages.read(PAGE)[LEVEL], "big") + 1
