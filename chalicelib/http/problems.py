"""Every error that a client can see, as problem details (RFC 9457).

    Problem
    ├── BadRequest              400  the gateway can't read the request
    ├── MalformedJSON           400  the body is not JSON
    ├── ValidationError         400  `errors` says what is wrong, and where
    ├── Unauthenticated         401  no token; `WWW-Authenticate`
    ├── InvalidToken            401  a token that is not taken; `WWW-Authenticate`
    ├── InsufficientScope       403  the token lacks the scope that `detail` names
    ├── Forbidden               403
    ├── NotFound                404  no such path
    ├── CustomerNotFound        404
    ├── MethodNotAllowed        405  `Allow`
    ├── NotAcceptable           406
    ├── EmailTaken              409
    ├── ExternalIdTaken         409
    ├── PreconditionFailed      412  `If-Match` names another version
    ├── ContentTooLarge         413
    ├── UnsupportedMediaType    415  `Accept-Post` or `Accept-Patch`
    ├── IdempotencyKeyReused    422
    ├── PreconditionRequired    428  `If-Match` is missing
    ├── TooManyRequests         429  `Retry-After`
    ├── InternalError           500
    ├── ServiceUnavailable      503  `Retry-After`
    └── GatewayTimeout          504

No problem repeats a value that the client sent, SQL, or what the database said.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal, TypedDict

# An identifier that clients may compare: it is the same in every stage.
TYPE_BASE = "/problems#"
REALM = 'Bearer realm="customers"'
MOST_ERRORS = 100  # that one answer tells


class InputError(TypedDict, total=False):
    """One thing wrong with the input.

    `pointer` (RFC 6901) is where in the body, `parameter` which in the query, `header` which of
    the headers; `code` is for programs, `detail` for people.
    """

    pointer: str
    parameter: str
    header: str
    code: str
    detail: str


class Problem(Exception):
    """An error answer; `detail` tells a person what to do."""

    status: ClassVar[int]
    type: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        errors: Sequence[InputError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class BadRequest(Problem):
    status = 400
    type = "bad-request"
    title = "The request can't be read"


class MalformedJSON(Problem):
    status = 400
    type = "malformed-json"
    title = "The body is not valid JSON"


class ValidationError(Problem):
    status = 400
    type = "validation-error"
    title = "The request is not valid"


class Unauthenticated(Problem):
    status = 401
    type = "unauthenticated"
    title = "The request has no token"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": REALM})


class InvalidToken(Problem):
    status = 401
    type = "invalid-token"
    title = "The token is not valid"

    def __init__(self, detail: str) -> None:
        challenge = f'{REALM}, error="invalid_token"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class InsufficientScope(Problem):
    status = 403
    type = "insufficient-scope"
    title = "The token does not allow this"

    def __init__(self, scope: str) -> None:
        challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
        super().__init__(
            f"This needs a token with the scope {scope}.", headers={"WWW-Authenticate": challenge}
        )


class Forbidden(Problem):
    status = 403
    type = "forbidden"
    title = "This is not allowed"


class NotFound(Problem):
    status = 404
    type = "not-found"
    title = "There is nothing at this path"


class CustomerNotFound(Problem):
    status = 404
    type = "customer-not-found"
    title = "There is no such customer"


class MethodNotAllowed(Problem):
    status = 405
    type = "method-not-allowed"
    title = "The resource does not have this method"


class NotAcceptable(Problem):
    status = 406
    type = "not-acceptable"
    title = "The answer has no media type that is accepted"


class EmailTaken(Problem):
    status = 409
    type = "email-taken"
    title = "Another customer has this email address"


class ExternalIdTaken(Problem):
    status = 409
    type = "external-id-taken"
    title = "Another customer has this external id"


class PreconditionFailed(Problem):
    status = 412
    type = "precondition-failed"
    title = "The customer has changed"


class ContentTooLarge(Problem):
    status = 413
    type = "content-too-large"
    title = "The body is too large"


class UnsupportedMediaType(Problem):
    status = 415
    type = "unsupported-media-type"
    title = "The body's media type is not supported"


class IdempotencyKeyReused(Problem):
    status = 422
    type = "idempotency-key-reused"
    title = "The idempotency key was used for another request"


class PreconditionRequired(Problem):
    status = 428
    type = "precondition-required"
    title = "The request must say which version it replaces"


class TooManyRequests(Problem):
    status = 429
    type = "too-many-requests"
    title = "There were too many requests"


class InternalError(Problem):
    status = 500
    type = "internal-error"
    title = "The service failed"


class ServiceUnavailable(Problem):
    status = 503
    type = "service-unavailable"
    title = "The service is not available at the moment"

    def __init__(self, detail: str, retry_after: int) -> None:
        """Ask for another attempt in `retry_after` seconds."""
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class GatewayTimeout(Problem):
    status = 504
    type = "gateway-timeout"
    title = "The service did not answer in time"


def invalid(
    place: Literal["pointer", "parameter", "header"], messages: Iterable[tuple[str, str]]
) -> ValidationError:
    """Return the problem that says what is wrong where; messages have the form `code: Detail`."""
    errors: list[InputError] = []
    for where, message in islice(messages, MOST_ERRORS):
        code, _, detail = message.partition(": ")
        errors.append({place: where, "code": code, "detail": detail})  # type: ignore[misc]
    return ValidationError("See `errors` for what to change.", errors)


def body(problem: Problem, instance: str, request_id: str) -> dict[str, Any]:
    """Return the problem's JSON object; `instance` is the path that was asked for."""
    document: dict[str, Any] = {
        "type": TYPE_BASE + problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
    }
    return document | {"errors": problem.errors} if problem.errors else document
