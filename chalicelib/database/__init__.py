"""Database interface: run SQL with named parameters, get rows as dicts of Python values.

There are two implementations with the same behavior: `data_api` (RDS Data API) and `mysql`
(PyMySQL). `tests/test_database.py` runs against both. Exceptions are in `errors`, the retry
policy is in `retries`.
"""

from chalicelib.database.contract import Database, Row, Value
from chalicelib.database.errors import (
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    Deadlock,
    DuplicateKey,
    LockTimeout,
    StatementFailed,
    StatementNotBegun,
    StatementRolledBack,
    StatementTimeout,
    StatementTooLong,
    error_for,
)
from chalicelib.settings import Settings

__all__ = [
    "Database",
    "DatabaseError",
    "DatabaseMisconfigured",
    "DatabaseResuming",
    "DatabaseThrottled",
    "DatabaseUnavailable",
    "Deadlock",
    "DuplicateKey",
    "LockTimeout",
    "Row",
    "StatementFailed",
    "StatementNotBegun",
    "StatementRolledBack",
    "StatementTimeout",
    "StatementTooLong",
    "Value",
    "connect",
    "error_for",
]


def connect(settings: Settings) -> Database:
    """Return the database that the settings select. Imports only its driver."""
    if settings.database_url:
        from chalicelib.database.mysql import MySQL

        return MySQL(settings.database_url)
    from chalicelib.database.data_api import DataApi

    return DataApi.connect(settings)
