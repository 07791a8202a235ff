"""Errors that clients see, as problem details (RFC 9457).

    Problem
    ├── BadRequest              400  the gateway can't parse the request
    ├── MalformedJSON           400  the body is not JSON
    ├── ValidationError         400  `errors` lists what is invalid
    ├── Unauthenticated         401  no token; `WWW-Authenticate`
    ├── InvalidToken            401  the token was rejected; `WWW-Authenticate`
    ├── InsufficientScope       403  the token lacks the scope that `detail` names
    ├── Forbidden               403
    ├── NotFound                404  no such path
    ├── MethodNotAllowed        405  `Allow`
    ├── NotAcceptable           406
    ├── VersionConflict         409  an item of the body names another version
    ├── PreconditionFailed      412  `If-Match` names another version
    ├── ContentTooLarge         413
    ├── UnsupportedMediaType    415  `Accept-Post` or `Accept-Patch`
    ├── IdempotencyKeyReused    422
    ├── PreconditionRequired    428  `If-Match` is missing
    ├── TooManyRequests         429  `Retry-After`
    ├── InternalError           500
    ├── ServiceUnavailable      503  `Retry-After`
    └── GatewayTimeout          504

Resources declare further ones, such as 404 and 409. No problem contains a value that the client
sent, SQL, or a message of the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal, TypedDict

from chalicelib.settings import SERVICE

# Clients compare problem types, which are the same in every stage.
TYPE_BASE = "/problems#"
REALM = f'Bearer realm="{SERVICE}"'
MAX_ERRORS = 100  # in one response


class InputError(TypedDict, total=False):
    """One invalid part of a request.

    The part is a place in the body (`pointer`, RFC 6901), a query parameter or a header. `code` is
    for programs, `detail` for people.
    """

    pointer: str
    parameter: str
    header: str
    code: str
    detail: str


class Problem(Exception):
    """An error response; `detail` tells a person what to do."""

    status: ClassVar[int]
    type: ClassVar[str]
    title: ClassVar[str]

    outcome: str | None = None
    """`not-applied`, or `unknown`: it may have been applied. None if the status says which."""

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
    title = "Bad request"


class MalformedJSON(Problem):
    status = 400
    type = "malformed-json"
    title = "Malformed JSON"


class ValidationError(Problem):
    status = 400
    type = "validation-error"
    title = "Validation failed"


class Unauthenticated(Problem):
    status = 401
    type = "unauthenticated"
    title = "Missing access token"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": REALM})


class InvalidToken(Problem):
    status = 401
    type = "invalid-token"
    title = "Invalid access token"

    def __init__(self, detail: str) -> None:
        challenge = f'{REALM}, error="invalid_token"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class InsufficientScope(Problem):
    status = 403
    type = "insufficient-scope"
    title = "Insufficient scope"

    def __init__(self, scope: str) -> None:
        challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
        super().__init__(
            f"This operation requires the scope {scope}.", headers={"WWW-Authenticate": challenge}
        )


class Forbidden(Problem):
    status = 403
    type = "forbidden"
    title = "Forbidden"


class NotFound(Problem):
    status = 404
    type = "not-found"
    title = "Path not found"


class MethodNotAllowed(Problem):
    status = 405
    type = "method-not-allowed"
    title = "Method not allowed"


class NotAcceptable(Problem):
    status = 406
    type = "not-acceptable"
    title = "Not acceptable"


class VersionConflict(Problem):
    status = 409
    type = "version-conflict"
    title = "Version conflict"


class PreconditionFailed(Problem):
    status = 412
    type = "precondition-failed"
    title = "Precondition failed"


class ContentTooLarge(Problem):
    status = 413
    type = "content-too-large"
    title = "Content too large"


class UnsupportedMediaType(Problem):
    status = 415
    type = "unsupported-media-type"
    title = "Unsupported media type"


class IdempotencyKeyReused(Problem):
    status = 422
    type = "idempotency-key-reused"
    title = "Idempotency key reused"


class PreconditionRequired(Problem):
    status = 428
    type = "precondition-required"
    title = "Precondition required"


class TooManyRequests(Problem):
    status = 429
    type = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        """Create a problem whose client may retry after `retry_after` seconds."""
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InternalError(Problem):
    status = 500
    type = "internal-error"
    title = "Internal error"


class ServiceUnavailable(Problem):
    status = 503
    type = "service-unavailable"
    title = "Service unavailable"

    def __init__(self, detail: str, retry_after: int, *, is_outcome_unknown: bool = False) -> None:
        """Create a problem whose client may retry after `retry_after` seconds."""
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
        self.outcome = "unknown" if is_outcome_unknown else "not-applied"


class GatewayTimeout(Problem):
    status = 504
    type = "gateway-timeout"
    title = "Gateway timeout"
    outcome = "unknown"


def invalid(
    place: Literal["pointer", "parameter", "header"], messages: Iterable[tuple[str, str]]
) -> ValidationError:
    """Return a problem that lists invalid parts; messages have the form `code: Detail.`."""
    errors: list[InputError] = []
    for part, message in islice(messages, MAX_ERRORS):
        code, _, detail = message.partition(": ")
        errors.append({place: part, "code": code, "detail": detail})  # type: ignore[misc]
    return ValidationError("`errors` lists what to change.", errors)


def body(problem: Problem, instance: str, request_id: str) -> dict[str, Any]:
    """Return the problem's JSON object; `instance` is the path of the request."""
    document: dict[str, Any] = {
        "type": TYPE_BASE + problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
    }
    if problem.outcome:
        document["outcome"] = problem.outcome
    return document | {"errors": problem.errors} if problem.errors else document
