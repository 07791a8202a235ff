"""What operations share: parameters, headers, and an answer for each problem."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.http.problems import TYPE_BASE, InputError, Problem
from openapi import examples
from openapi.texts import PROBLEMS

Component = dict[str, Any]

ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*"){0,19})$'
KEY = r'^([!#-~]{1,255}|"[ !#-\[\]-~]{1,255}")$'
TEXT = {"type": "string"}


CUSTOMER_ID: Component = {
    "name": "customer_id",
    "in": "path",
    "required": True,
    "description": "The customer's `id`. Text that is no UUID is an id that no customer has.",
    "schema": {"type": "string", "format": "uuid"},
    "example": examples.ID,
}

REQUEST_HEADERS: Mapping[str, Component] = {
    "Request-Id": {
        "description": "Your own id of the request, which the answer repeats: up to 64 letters,"
        " digits, and `._:-`. Anything else is ignored.",
        "schema": TEXT,
        "example": "nightly-import-42",
    },
    "Idempotency-Key": {
        "description": "Makes the request safe to repeat: 1 to 255 printable characters of ASCII,"
        " quoted or not, that are new for each customer. A UUID is a good one.",
        "schema": TEXT | {"pattern": KEY},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "If-Match": {
        "description": "The `ETag` of the version to change, or several, or `*` for any."
        " Another version is answered 412.",
        "schema": TEXT | {"pattern": ENTITY_TAGS},
        "example": examples.ETAG,
    },
    "If-None-Match": {
        "description": "An `ETag`, or several: what still has it is answered 304.",
        "schema": TEXT | {"pattern": ENTITY_TAGS},
        "example": examples.ETAG,
    },
    "Prefer": {
        "description": "`return=minimal` asks for an answer without the customer.",
        "schema": TEXT,
        "example": "return=minimal",
    },
}

ANSWER_HEADERS: Mapping[str, Component] = {
    "Request-Id": {
        "description": "Names this request, also in the service's logs: tell it to support.",
        "required": True,
        "schema": TEXT,
        "example": examples.REQUEST_ID,
    },
    "Cache-Control": {
        "description": "Whether and how the answer may be kept.",
        "required": True,
        "schema": TEXT,
        "example": "private, no-cache",
    },
    "Vary": {
        "description": "The headers of the request that the answer depends on.",
        "required": True,
        "schema": TEXT,
        "example": "Accept, Accept-Encoding, Authorization, Origin",
    },
    "ETag": {
        "description": "The customer's version, for `If-Match` and `If-None-Match`.",
        "required": True,
        "schema": TEXT | {"pattern": r'^"v[1-9][0-9]*(\.[a-z0-9_.]+)?"$'},
        "example": examples.ETAG,
    },
    "Location": {
        "description": "The path of the new customer.",
        "required": True,
        "schema": TEXT | {"format": "uri-reference"},
        "example": f"/customers/{examples.ID}",
    },
    "Link": {
        "description": "The next page, as `next` in the body (RFC 8288).",
        "schema": TEXT,
        "example": f'<{examples.NEXT}>; rel="next"',
    },
    "Idempotency-Replayed": {
        "description": "`true` when the `Idempotency-Key` was used before, and this is the answer"
        " that it had.",
        "schema": TEXT | {"enum": ["true"]},
        "example": "true",
    },
    "Preference-Applied": {
        "description": "The preference that was followed (RFC 7240).",
        "schema": TEXT,
        "example": "return=minimal",
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "WWW-Authenticate": {
        "description": "What kind of token is needed (RFC 6750).",
        "required": True,
        "schema": TEXT,
        "example": 'Bearer realm="customers"',
    },
    "Accept-Post": {
        "description": "The media types that POST takes.",
        "schema": TEXT,
        "example": "application/json",
    },
    "Accept-Patch": {
        "description": "The media types that PATCH takes (RFC 5789).",
        "schema": TEXT,
        "example": "application/merge-patch+json, application/json",
    },
}

PROBLEM_HEADERS: Mapping[str, Sequence[str]] = {
    "unauthenticated": ("WWW-Authenticate",),
    "invalid-token": ("WWW-Authenticate",),
    "insufficient-scope": ("WWW-Authenticate",),
    "unsupported-media-type": ("Accept-Post", "Accept-Patch"),
    "too-many-requests": ("Retry-After",),
    "service-unavailable": ("Retry-After",),
}

_ERRORS: Mapping[str, Sequence[InputError]] = {
    "validation-error": (
        {
            "pointer": "/email",
            "code": "email",
            "detail": "Must be an email address, such as ada@example.com.",
        },
    ),
    "email-taken": ({"pointer": "/email", "code": "taken", "detail": "Is another customer's."},),
    "external-id-taken": (
        {"pointer": "/external_id", "code": "taken", "detail": "Is another customer's."},
    ),
}


def ref(schema: str) -> Component:
    return {"$ref": f"#/components/schemas/{schema}"}


def kinds() -> dict[str, type[Problem]]:
    """Return every kind of problem by its type."""
    return {kind.type: kind for kind in Problem.__subclasses__()}


def problem_schemas() -> Iterator[tuple[str, Component]]:
    error = {
        "pointer": "Where in the body (RFC 6901).",
        "parameter": "Which parameter of the query.",
        "header": "Which header.",
        "code": "For programs; see the problem's documentation.",
        "detail": "For people.",
    }
    yield (
        "InputError",
        {
            "type": "object",
            "description": "One thing wrong with the request.",
            "properties": {name: TEXT | {"description": text} for name, text in error.items()},
            "required": ["code", "detail"],
        },
    )
    yield "Problem", _problem()


def problem_answers(types: Sequence[str]) -> Iterator[tuple[int, str, Component]]:
    """Yield the answers that have problems of the types: status, name of the component, answer."""
    found = [kind for name, kind in kinds().items() if name in types]
    for status in sorted({kind.status for kind in found}):
        same = [kind for kind in found if kind.status == status]
        name = "Or".join(kind.type.title().replace("-", "") for kind in same)
        yield status, name, _answer(same)


def _problem() -> Component:
    return {
        "type": "object",
        "description": "Why a request was not done: problem details (RFC 9457).",
        "properties": {
            "type": TEXT
            | {"format": "uri-reference", "description": "What kind of problem it is: compare it."},
            "title": TEXT | {"description": "What kind of problem it is, for people."},
            "status": {"type": "integer", "description": "The status of the answer."},
            "detail": TEXT | {"description": "What to do, for people; it may change."},
            "instance": TEXT
            | {"format": "uri-reference", "description": "The path that was asked for."},
            "request_id": TEXT | {"description": "As in the header `Request-Id`."},
            "errors": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/InputError"},
                "description": "Each thing that is wrong with the request.",
            },
        },
        "required": ["detail", "instance", "request_id", "status", "title", "type"],
    }


def _answer(same: Sequence[type[Problem]]) -> Component:
    known = {header for kind in same for header in PROBLEM_HEADERS.get(kind.type, ())}
    names = ("Request-Id", *sorted(known))
    schema = {
        "$ref": "#/components/schemas/Problem",
        "properties": {
            # a client knows that there may be others: see the text about compatibility
            "type": {
                "enum": [TYPE_BASE + kind.type for kind in same],
                "x-extensible": True,
            },
            "status": {"const": same[0].status},
        },
    }
    shown = {kind.type: {"summary": kind.title, "value": _example(kind)} for kind in same}
    return {
        "description": f"{' '.join(f'{kind.title}.' for kind in same)}",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {"application/problem+json": {"schema": schema, "examples": shown}},
    }


def _example(kind: type[Problem]) -> Component:
    problem: Component = {
        "type": TYPE_BASE + kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": PROBLEMS[kind.type],
        "instance": "/customers",
        "request_id": examples.REQUEST_ID,
    }
    return problem | {"errors": list(_ERRORS[kind.type])} if kind.type in _ERRORS else problem
