"""The errors of the RDS Data API.

    DataApiError                          status
    +-- AccessDeniedException                403  the caller's policy does not allow the call
    +-- ForbiddenException                   403  the same, of something that the call uses
    +-- BadRequestException                  400  the call is malformed, a parameter is missing
    +-- HttpEndpointNotEnabledException      400  of this cluster, or there is no such cluster
    +-- InvalidResourceStateException        400  of the cluster
    +-- DatabaseNotFoundException            404  the cluster has no instance
    +-- DatabaseResumingException            400  the cluster is waking up
    +-- DatabaseUnavailableException         504  cannot connect, or lost the connection
    +-- SecretsErrorException                400  the secret cannot be read
    +-- InvalidSecretException               400  it can, but is none for a database
    +-- DatabaseErrorException               400  the database refused the statement
    +-- StatementTimeoutException            400  with dbConnectionId
    +-- UnsupportedResultException           400  a column type, or too large
    +-- TransactionNotFoundException         404
    +-- NotFoundException                    404  from Commit and Rollback only
    +-- InternalServerErrorException         500  this server is at fault
    +-- ServiceUnavailableError              503

Not in the service's model, yet what AWS answers:

    +-- ValidationException                  400  asks for what is not supported
    +-- UnknownOperationException            404  no such path or method
    +-- ThrottlingException                  400  more calls than the account may make
    +-- MissingAuthenticationTokenException  403  not signed
    +-- IncompleteSignatureException         403  not signed in the right form
    +-- InvalidSignatureException            403  signed by another key, changed, too old
    +-- UnrecognizedClientException          403  signed by someone unknown

On the wire the class name is the header `x-amzn-ErrorType`, the body `{"message": ...}`; those of
5xx have no members.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/CommonErrors.html and the
service model that botocore carries, `rds-data/2018-08-01`.
"""

from typing import Any, ClassVar

from pymysql.constants import ER

# HTTP statuses from here on say that the server is at fault.
FIRST_OF_OURS = 500


class DataApiError(Exception):
    """An error that a client sees: `status` is the HTTP status, the class name its type."""

    status: ClassVar[int] = 400
    aborts_transaction: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"message": str(self)} if self.status < FIRST_OF_OURS else {}


class AccessDeniedException(DataApiError):
    """The caller may not do this."""

    status = 403


class ForbiddenException(DataApiError):
    """The caller's privileges do not suffice."""

    status = 403


class BadRequestException(DataApiError):
    """The call is malformed."""


class HttpEndpointNotEnabledException(DataApiError):
    """The Data API of the cluster is off, or there is no such cluster."""


class InvalidResourceStateException(DataApiError):
    """The cluster is in a state in which it takes no calls."""


class DatabaseNotFoundException(DataApiError):
    """The cluster has no instance."""

    status = 404


class DatabaseResumingException(DataApiError):
    """The cluster was paused, and is waking up; the call was not run."""


class DatabaseUnavailableException(DataApiError):
    """The database cannot be reached."""

    status = 504
    aborts_transaction = True


class SecretsErrorException(DataApiError):
    """The secret is not there, or cannot be read."""


class InvalidSecretException(DataApiError):
    """The secret holds no user and password."""


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


class NotFoundException(DataApiError):
    """The cluster, the secret or the transaction is not found."""

    status = 404


class InternalServerErrorException(DataApiError):
    """This server is at fault."""

    status = 500


class ServiceUnavailableError(DataApiError):
    """The service takes no calls at the moment."""

    status = 503


class ValidationException(DataApiError):
    """The call asks for what is not supported."""


class UnknownOperationException(DataApiError):
    """No operation has this path and method."""

    status = 404


class ThrottlingException(DataApiError):
    """Too many calls at a time."""


class MissingAuthenticationTokenException(DataApiError):
    """The request is not signed."""

    status = 403


class IncompleteSignatureException(DataApiError):
    """The signature has not the form of Signature Version 4."""

    status = 403


class InvalidSignatureException(DataApiError):
    """The signature is not that of the request, or of another time or service."""

    status = 403


class UnrecognizedClientException(DataApiError):
    """Nobody has the access key that signed the request."""

    status = 403
