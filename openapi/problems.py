"""Problem responses: schemas, an example of each problem, and the check of its paragraph."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.http import problems
from chalicelib.http.problems import MAX_ERRORS, Problem
from chalicelib.http.responses import JSON
from chalicelib.http.routing import DeclarationError
from openapi import headers

Component = dict[str, Any]

# Problems that every operation can respond with, and those of them that concern tokens
EVERY_OPERATION = (
    *("bad-request", "unauthenticated", "invalid-token", "insufficient-scope", "forbidden"),
    "not-acceptable",
    *("too-many-requests", "internal-error", "service-unavailable", "gateway-timeout"),
)
OF_TOKENS = {"unauthenticated", "invalid-token", "insufficient-scope"}

# Problems that any resource can respond with
SHARED: Sequence[Problem] = (
    problems.BadRequest("The gateway can't parse the request."),
    problems.MalformedJSON("The body is not JSON: Expecting value at line 1, column 11."),
    problems.ValidationError(
        "`errors` lists what to change.",
        [
            {
                "pointer": "/email",
                "code": "email",
                "detail": "Must be an email address, such as ada@example.com.",
            }
        ],
    ),
    problems.Unauthenticated("Send a token: `Authorization: Bearer ...`."),
    problems.InvalidToken("The token has expired."),
    problems.InsufficientScope("customers:write"),
    problems.Forbidden("The gateway rejects requests from this client."),
    problems.NotAcceptable("Only application/json is available. Add it to Accept."),
    problems.VersionConflict(
        "Nothing was changed. `errors` lists the customers to fetch again or to leave out.",
        [
            {
                "pointer": "/items/0/version",
                "code": "version",
                "detail": "The customer has changed: it has another version.",
            }
        ],
    ),
    problems.PreconditionFailed(
        "The version doesn't match If-Match. Fetch the current version and reapply your change."
    ),
    problems.ContentTooLarge("The maximum is 65536 bytes."),
    problems.UnsupportedMediaType(
        "Send the body as application/json.", headers={"Accept-Post": JSON, "Accept-Patch": JSON}
    ),
    problems.IdempotencyKeyReused(
        "This key was used with a different body. Send the same body, or use a new key."
    ),
    problems.PreconditionRequired("Send If-Match with the ETag of the version to replace."),
    problems.TooManyRequests("Send fewer requests at a time.", retry_after=1),
    problems.InternalError("The service failed. If this persists, report the request_id."),
    problems.ServiceUnavailable(
        "The database is not available. Nothing was changed. Retry.", retry_after=1
    ),
    problems.GatewayTimeout("The response took too long. Retry."),
)

_ERROR_FIELDS = {
    "pointer": "The place in the body (RFC 6901).",
    "parameter": "The query parameter.",
    "header": "The request header.",
    "code": "The kind of error, for programs. The problem's documentation lists all codes.",
    "detail": "Explains the error to people. The text may change.",
}


def kinds(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Yield every kind of problem that the service declares."""
    for kind in base.__subclasses__():
        is_declared = hasattr(kind, "type") and kind.__module__.startswith("chalicelib.")
        yield from [kind] if is_declared else []
        yield from kinds(kind)


def check_paragraphs(markdown: str) -> None:
    """Raise DeclarationError unless each kind of problem has a paragraph in the documentation."""
    for kind in kinds():
        start = f"\n## {kind.type}\n\n{kind.status}, *{kind.title}*. "
        if start not in markdown:
            raise DeclarationError(
                f"{kind.type}: docs/problems.md and docs/problems-*.md have no paragraph of it: add"
                f' one that starts with "## {kind.type}", an empty line, and'
                f' "{kind.status}, *{kind.title}*."'
            )


def schemas() -> Iterator[tuple[str, Component]]:
    text = headers.TEXT
    yield (
        "InputError",
        {
            "type": "object",
            "description": "One error in the request.",
            "properties": {
                name: text | {"description": description}
                for name, description in _ERROR_FIELDS.items()
            },
            "required": ["code", "detail"],
        },
    )
    yield "Problem", _problem(text)


def responses(
    types: Sequence[str], examples: Mapping[str, Problem]
) -> Iterator[tuple[int, str, Component]]:
    """Yield for each status: the status, the name of the component, and the response.

    `examples` has a problem of each type, in the order in which problems share a response.
    """
    chosen = [problem for name, problem in examples.items() if name in types]
    for status in sorted({problem.status for problem in chosen}):
        same = [problem for problem in chosen if problem.status == status]
        name = "Or".join(problem.type.title().replace("-", "") for problem in same)
        yield status, name, _response(same)


def _problem(text: Component) -> Component:
    reference = text | {"format": "uri-reference"}
    return {
        "type": "object",
        "description": "Describes a failed request: problem details (RFC 9457).",
        "properties": {
            "type": reference | {"description": "The kind of problem, for programs."},
            "title": text | {"description": "The kind of problem, for people."},
            "status": {
                "type": "integer",
                "format": "int32",
                "minimum": 400,
                "maximum": 599,
                "description": "The status of the response.",
            },
            "detail": text
            | {
                "description": "Explains the problem and the remedy to people. The text may change."
            },
            "instance": reference | {"description": "The path of the request."},
            "request_id": text | {"description": "The `Request-Id` of the response."},
            "outcome": text
            | {
                "enum": ["not-applied", "unknown"],
                "x-extensible": True,
                "description": "Whether the request changed data. `not-applied`: it did not, and"
                " will not. `unknown`: it may have, or still may. Without `outcome`, the outcome"
                " of a status from 500 is unknown.",
            },
            "errors": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/InputError"},
                "maxItems": MAX_ERRORS,
                "description": f"The errors in the request. Maximum: {MAX_ERRORS}.",
            },
        },
        "required": ["detail", "instance", "request_id", "status", "title", "type"],
    }


def _response(same: Sequence[Problem]) -> Component:
    own: set[str] = {header for problem in same for header in problem.headers}
    if "WWW-Authenticate" in own:
        own.add("x-amzn-Remapped-WWW-Authenticate")
    schema = {"$ref": "#/components/schemas/Problem"}  # generators accept nothing beside it
    shown = {
        problem.type: {"summary": problem.title, "value": _example(problem)} for problem in same
    }
    return {
        "description": " ".join(f"{problem.title}." for problem in same),
        "headers": {name: headers.ref(same[0].type, name) for name in ("Request-Id", *sorted(own))},
        "content": {"application/problem+json": {"schema": schema, "examples": shown}},
    }


def _example(problem: Problem) -> Component:
    return problems.body(problem, "/customers", headers.REQUEST_ID)
