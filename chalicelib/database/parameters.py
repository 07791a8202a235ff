"""Named parameters, `:name`, as the RDS Data API writes them, for a driver that wants `%(name)s`.

A colon inside a string, a quoted identifier or a comment names nothing, nor do `::` and `:=`.
"""

import re
from functools import lru_cache

# What is not plain SQL: literals, identifiers, comments, and parameters, in the group `name`
TOKEN = re.compile(
    r"""
      '(?:[^'\\]|\\.|'')*+(?:'|\Z)              # a string
    | "(?:[^"\\]|\\.|"")*+(?:"|\Z)              # a string, or an identifier in ANSI mode
    | `(?:[^`]|``)*+(?:`|\Z)                    # a quoted identifier
    | (?:--(?=\s|\Z)|\#)[^\n]*+                 # a comment to the end of the line
    | /\*.*?(?:\*/|\Z)                          # a comment
    | ::|:=                                     # not parameters
    | :(?P<name>[A-Za-z0-9_]+)
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=256)
def to_pyformat(sql: str) -> str:
    """Return `sql` for PyMySQL: `:name` becomes `%(name)s`, and every other `%` is doubled.

    A space on both sides keeps the value apart from what it stands beside.
    """
    parts, end = [], 0
    for match in TOKEN.finditer(sql):
        if match["name"]:
            parts += [sql[end : match.start()].replace("%", "%%"), f" %({match['name']})s "]
            end = match.end()
    return "".join(parts) + sql[end:].replace("%", "%%")
