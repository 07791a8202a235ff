"""The errors of the RDS Data API.

    DataApiError                          status
    +-- AccessDeniedException                403  the caller's policy does not allow the call
    +-- ForbiddenException                   403  the same, for something that the call uses
    +-- BadRequestException                  400  the call is malformed, a parameter is missing
    +-- HttpEndpointNotEnabledException      400  disabled, or the cluster does not exist
    +-- InvalidResourceStateException        400  of the cluster
    +-- DatabaseNotFoundException            404  the cluster has no instance
    +-- DatabaseResumingException            400  the cluster is resuming
    +-- DatabaseUnavailableException         504  cannot connect, or lost the connection
    +-- SecretsErrorException                400  the secret cannot be read
    +-- InvalidSecretException               400  the secret is not for a database
    +-- DatabaseErrorException               400  the database rejected the statement
    +-- StatementTimeoutException            400  with dbConnectionId
    +-- UnsupportedResultException           400  a column type, or too large
    +-- TransactionNotFoundException         404
    +-- NotFoundException                    404  from Commit and Rollback only
    +-- InternalServerErrorException         500  this server is at fault
    +-- ServiceUnavailableError              503

Not in the service's model, but returned by AWS:

    +-- ValidationException                  400  not supported
    +-- UnknownOperationException            404  no such path or method
    +-- ThrottlingException                  400  the account's limit of calls is exceeded
    +-- MissingAuthenticationTokenException  403  not signed
    +-- IncompleteSignatureException         403  the signature has the wrong format
    +-- InvalidSignatureException            403  wrong key, changed request, or too old
    +-- UnrecognizedClientException          403  unknown access key

A response has the class name in the header `x-amzn-ErrorType`, and the body `{"message": ...}`. The
body of a 5xx has no fields.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/CommonErrors.html and the
service model that botocore carries, `rds-data/2018-08-01`.
"""

from typing import Any, ClassVar

from pymysql.constants import ER

# From this HTTP status on, the server is at fault.
FIRST_OF_OURS = 500


class DataApiError(Exception):
    """An error for the client. `status` is the HTTP status; the class name is the error's type."""

    status: ClassVar[int] = 400
    aborts_transaction: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the response."""
        return {"message": str(self)} if self.status < FIRST_OF_OURS else {}


class AccessDeniedException(DataApiError):
    """The caller lacks permission."""

    status = 403


class ForbiddenException(DataApiError):
    """The caller's privileges are insufficient."""

    status = 403


class BadRequestException(DataApiError):
    """The call is malformed."""


class HttpEndpointNotEnabledException(DataApiError):
    """The Data API of the cluster is disabled, or the cluster does not exist."""


class InvalidResourceStateException(DataApiError):
    """The cluster's state does not allow calls."""


class DatabaseNotFoundException(DataApiError):
    """The cluster has no instance."""

    status = 404


class DatabaseResumingException(DataApiError):
    """The cluster was paused and is resuming. The call was not executed."""


class DatabaseUnavailableException(DataApiError):
    """Can't connect to the database."""

    status = 504
    aborts_transaction = True


class SecretsErrorException(DataApiError):
    """The secret does not exist, or can't be read."""


class InvalidSecretException(DataApiError):
    """The secret contains no user and password."""


class DatabaseErrorException(DataApiError):
    """The database rejected the statement. A deadlock has rolled back its transaction."""

    def __init__(self, message: str, code: int = 0, state: str = "HY000") -> None:
        numbers = f"; Error code: {code}; SQLState: {state}" if code else ""
        super().__init__(message + numbers)
        self.aborts_transaction = code == ER.LOCK_DEADLOCK


class StatementTimeoutException(DataApiError):
    """The statement exceeded the timeout."""

    aborts_transaction = True

    def __init__(self, connection_id: int) -> None:
        super().__init__("Request timed out")
        self.connection_id = connection_id

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body, with the id of the database connection that ran the statement."""
        return {**super().body, "dbConnectionId": self.connection_id}


class UnsupportedResultException(DataApiError):
    """The result has a column type that the Data API does not support, or is too large."""

    aborts_transaction = True


class TransactionNotFoundException(DataApiError):
    """The transaction has ended, or never existed."""

    status = 404


class NotFoundException(DataApiError):
    """The cluster, the secret or the transaction does not exist."""

    status = 404


class InternalServerErrorException(DataApiError):
    """An internal error of this server."""

    status = 500


class ServiceUnavailableError(DataApiError):
    """The service is temporarily unavailable."""

    status = 503


class ValidationException(DataApiError):
    """The call requests an unsupported feature."""


class UnknownOperationException(DataApiError):
    """No operation has this path and method."""

    status = 404


class ThrottlingException(DataApiError):
    """Too many concurrent calls."""


class MissingAuthenticationTokenException(DataApiError):
    """The request is not signed."""

    status = 403


class IncompleteSignatureException(DataApiError):
    """The signature does not have the format of Signature Version 4."""

    status = 403


class InvalidSignatureException(DataApiError):
    """The signature does not match the request, or is for another time or service."""

    status = 403


class UnrecognizedClientException(DataApiError):
    """The access key that signed the request is unknown."""

    status = 403
