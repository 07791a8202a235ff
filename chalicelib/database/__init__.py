"""The database contract: SQL with named parameters in, rows of Python values out.

Two implementations, `data_api` (RDS Data API) and `mysql` (PyMySQL), behave alike; the suite in
`tests/test_database.py` holds both to it. What goes wrong is in `errors`, what is repeated in
`retries`.
"""

from chalicelib.database.contract import Database, Row, Value
from chalicelib.database.errors import (
    DatabaseError,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    Deadlock,
    DuplicateKey,
    LockTimeout,
    StatementFailed,
    StatementNotBegun,
    StatementTimeout,
    StatementTooLong,
    error_for,
)
from chalicelib.settings import Settings

__all__ = [
    "Database",
    "DatabaseError",
    "DatabaseResuming",
    "DatabaseThrottled",
    "DatabaseUnavailable",
    "Deadlock",
    "DuplicateKey",
    "LockTimeout",
    "Row",
    "StatementFailed",
    "StatementNotBegun",
    "StatementTimeout",
    "StatementTooLong",
    "Value",
    "connect",
    "error_for",
]


def connect(settings: Settings) -> Database:
    """Return the database that the settings choose, importing its driver only now."""
    if settings.database_url:
        from chalicelib.database.mysql import MySQL

        return MySQL(settings.database_url)
    from chalicelib.database.data_api import DataApi

    return DataApi.connect(settings)
