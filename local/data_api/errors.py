"""The errors of the RDS Data API, and how a database error becomes one.

    DataApiError                          status
    +-- BadRequestException                  400  the call is malformed, a parameter is missing
    +-- ValidationException                  400  not in AWS's model, yet what AWS answers
    +-- DatabaseErrorException               400  the database refused the statement
    +-- StatementTimeoutException            400  with dbConnectionId
    +-- UnsupportedResultException           400  a column type, or too large
    +-- TransactionNotFoundException         404
    +-- UnknownOperationException            404  no such path or method
    +-- InternalServerErrorException         500
    +-- DatabaseUnavailableException         504  cannot connect, or lost the connection

On the wire the class name is the header `x-amzn-ErrorType`, the body `{"message": ...}`.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/CommonErrors.html and the
service model that botocore carries, `rds-data/2018-08-01`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import pymysql
from pymysql.constants import CR, ER

# MariaDB's: the client library knows no name for it.
CONNECTION_KILLED = 1927

UNAVAILABLE = {
    0,  # PyMySQL's code for a connection that it has closed
    CR.CR_CONNECTION_ERROR,
    CR.CR_CONN_HOST_ERROR,
    CR.CR_UNKNOWN_HOST,
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    ER.SERVER_SHUTDOWN,
    CONNECTION_KILLED,
}


class DataApiError(Exception):
    """An error that a client sees: `status` is the HTTP status, the class name its type."""

    status: ClassVar[int] = 400
    aborts_transaction: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"message": str(self)}


class BadRequestException(DataApiError):
    """The call is malformed."""


class ValidationException(DataApiError):
    """The call asks for what is not supported."""


class DatabaseErrorException(DataApiError):
    """The database refused the statement; a deadlock has rolled back its transaction."""

    def __init__(self, message: str, code: int = 0, state: str = "HY000") -> None:
        numbers = f"; Error code: {code}; SQLState: {state}" if code else ""
        super().__init__(message + numbers)
        self.aborts_transaction = code == ER.LOCK_DEADLOCK


class StatementTimeoutException(DataApiError):
    """The statement took longer than a call may."""

    aborts_transaction = True

    def __init__(self, connection_id: int) -> None:
        super().__init__("Request timed out")
        self.connection_id = connection_id

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body, which names the database connection that ran the statement."""
        return {**super().body, "dbConnectionId": self.connection_id}


class UnsupportedResultException(DataApiError):
    """The result has a column type that the Data API does not know, or is too large."""

    aborts_transaction = True


class TransactionNotFoundException(DataApiError):
    """The transaction has ended, or never was."""

    status = 404


class UnknownOperationException(DataApiError):
    """No operation has this path and method."""

    status = 404


class InternalServerErrorException(DataApiError):
    """This server is at fault."""

    status = 500


class DatabaseUnavailableException(DataApiError):
    """The database cannot be reached."""

    status = 504
    aborts_transaction = True


def from_database(error: pymysql.Error) -> DataApiError:
    """Return what a client sees of a PyMySQL error.

    The text of a database error is the server's own, and ends with its numbers, as in
    `Duplicate entry 'x' for key 'y'; Error code: 1062; SQLState: 23000`.
    """
    match error.args:
        case (int() as code, str() as message) if code not in UNAVAILABLE:
            return DatabaseErrorException(message, code, error.sqlstate or "HY000")
        case _:  # PyMySQL's own complaints, without a number, are about a broken connection
            return DatabaseUnavailableException("The database is not available")


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Raise DataApiError in place of PyMySQL's errors."""
    try:
        yield
    except pymysql.Error as error:
        raise from_database(error) from error
