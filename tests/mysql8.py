"""Detect SQL that MariaDB accepts and MySQL 8 rejects.

sqlglot parses MySQL's grammar leniently, so MariaDB's extensions are searched for by name.
https://mariadb.com/kb/en/incompatibilities-and-feature-differences-between-mariadb-10-11-and-mysql-8-0/
"""

from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

# https://dev.mysql.com/doc/refman/8.0/en/keywords.html: reserved since 8.0, and not in MariaDB
_RESERVED = frozenset(
    "cube cume_dist dense_rank empty first_value function grouping groups json_table lag"
    " last_value lateral lead nth_value ntile of percent_rank rank row_number system".split()
)
_MARIADB_TYPES = {exp.DataType.Type.UUID, exp.DataType.Type.INET}
_CREATABLE = {"TABLE", "INDEX", "VIEW"}


@cache
def refusal(sql: str) -> str | None:
    """Return what in the statement MySQL 8 would reject or interpret differently, or None."""
    if any(token.token_type == TokenType.DPIPE for token in sqlglot.tokenize(sql, "mysql")):
        return "||, which is OR in MySQL's default mode"
    statements = sqlglot.parse(sql, dialect="mysql", error_level=sqlglot.ErrorLevel.RAISE)
    if len(statements) != 1:
        return "more than one statement"
    (statement,) = statements
    if statement is None or isinstance(statement, exp.Command):
        return "a statement that sqlglot can't parse"
    return _in_statement(statement) or _in_columns(statement)


def _in_statement(statement: exp.Expr) -> str | None:
    if statement.find(exp.Returning):
        return "RETURNING"
    if isinstance(statement, exp.Create):
        if statement.args.get("replace"):
            return "CREATE OR REPLACE"
        if statement.kind not in _CREATABLE:
            return f"CREATE {statement.kind}"
        if statement.kind == "INDEX" and statement.args.get("exists"):
            return "CREATE INDEX IF NOT EXISTS"
    for name in statement.find_all(exp.Identifier):
        if name.name.lower() in _RESERVED and not name.quoted:
            return f"the reserved word {name.name}"
    return None


def _in_columns(statement: exp.Expr) -> str | None:
    for column in statement.find_all(exp.ColumnDef):
        if column.args.get("exists"):
            return "ADD COLUMN IF NOT EXISTS"
        kind = column.args["kind"]
        if kind.this in _MARIADB_TYPES:
            return f"the type {kind}"
        default = column.find(exp.DefaultColumnConstraint)
        is_long = kind.sql("mysql").endswith(("TEXT", "BLOB", "JSON"))
        if default and is_long and isinstance(default.this, exp.Literal):
            return "a literal default of a TEXT, BLOB or JSON"
    return None
