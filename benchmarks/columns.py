"""Customers read as columns, whose JSON the function writes instead of the database.

This is what `Resource.select` and `read_texts` avoid. `benchmarks.json_cost` compares both.
"""

from collections.abc import Iterable

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Row
from chalicelib.http.documents import dumps

COLUMNS = ", ".join(CUSTOMERS.columns)


def select(*_: object) -> str:
    """Return the SQL of all columns of a customer."""
    return COLUMNS


def read_texts(rows: Iterable[Row], separator: str = ",") -> str:
    """Return the JSON texts of rows that have all columns, with the separator between them."""
    return separator.join(dumps(CUSTOMERS.from_row(row)) for row in rows)


def of_statement(sql: str) -> str:
    """Return the statement with the columns instead of their JSON."""
    return sql.replace(CUSTOMERS.select(CUSTOMERS.names), COLUMNS)
