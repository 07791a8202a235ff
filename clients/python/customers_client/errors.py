"""The errors of a call. Each says whether the call may have changed data."""

from http import HTTPStatus
from typing import Literal

import httpx

from customers_client.generated.models import InputError, Problem

Outcome = Literal["not-applied", "unknown"]


class CustomersError(Exception):
    """A call failed.

    `outcome` is "not-applied" if the call changed nothing, and will not take effect later. It is
    "unknown" if the service may have applied it.
    """

    outcome: Outcome = "unknown"


class ConnectionLost(CustomersError):
    """No response arrived, after all retries. Its cause is httpx's error."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class InvalidResponse(CustomersError):
    """A successful response does not match the OpenAPI document."""


class ProblemError(CustomersError):
    """The service rejected the call or could not finish it. `problem` has all fields (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem
        default: Outcome = "unknown" if problem.status >= 500 else "not-applied"  # noqa: PLR2004
        self.outcome = problem.outcome.value if problem.outcome else default

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def errors(self) -> list[InputError]:
        """The invalid values, by JSON pointer, parameter or header."""
        return self.problem.errors or []

    @property
    def request_id(self) -> str:
        """Identifies the request in the service's logs."""
        return self.problem.request_id

    def __str__(self) -> str:
        problem = self.problem
        lines = [f"{problem.status} {problem.title}: {problem.detail}"]
        lines += [f"{_place(error)}: {error.detail}" for error in self.errors]
        return "\n  ".join(lines) + f" (Request-Id {problem.request_id})"


class InvalidRequest(ProblemError):
    """400: `errors` names the invalid values."""


class Unauthenticated(ProblemError):
    """401: the token is missing, expired or invalid."""


class Forbidden(ProblemError):
    """403: the token lacks a scope."""


class NotFound(ProblemError):
    """404: the customer does not exist, or is deleted or erased."""


class Conflict(ProblemError):
    """409: another customer uses the email address or the external id."""


class PreconditionFailed(ProblemError):
    """412: the customer has another version."""


class TooManyRequests(ProblemError):
    """429, after all retries."""


class Unavailable(ProblemError):
    """503 or 504, after all retries, or without any if a retry could apply a write twice."""


_BY_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: TooManyRequests,
    503: Unavailable,
    504: Unavailable,
}


def of_response(response: httpx.Response) -> ProblemError:
    """Return the error that a response with a status from 300 stands for."""
    return _BY_STATUS.get(response.status_code, ProblemError)(_problem(response))


def _problem(response: httpx.Response) -> Problem:
    """Parse the problem. A proxy may respond with something else."""
    try:
        return Problem.from_dict(response.json())
    except (ValueError, LookupError, TypeError, AttributeError):
        known = {status.value for status in HTTPStatus}
        status = response.status_code
        title = HTTPStatus(status).phrase if status in known else "Unknown status"
        return Problem(
            type_="about:blank",
            title=title,
            status=status,
            detail="The response is not a problem of the service. Check the base URL and proxies.",
            instance=response.request.url.path,
            request_id=response.headers.get("Request-Id", "unknown"),
        )


def _place(error: InputError) -> str:
    return str(error.pointer or error.parameter or error.header or "request")
