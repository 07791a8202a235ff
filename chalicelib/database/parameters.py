"""Convert the RDS Data API's named parameters, `:name`, for a driver that expects `%(name)s`.

A colon in a string, a quoted identifier or a comment is no parameter, nor are `::` and `:=`.
"""

import re
from functools import lru_cache

# Everything except plain SQL: literals, identifiers, comments, and parameters in the group `name`
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

    Spaces around the value separate it from the neighboring tokens.
    """
    parts, end = [], 0
    for match in TOKEN.finditer(sql):
        if match["name"]:
            parts += [sql[end : match.start()].replace("%", "%%"), f" %({match['name']})s "]
            end = match.end()
    return "".join(parts) + sql[end:].replace("%", "%%")
