"""Documentation of the API as a whole, and of the operations that are not about a resource."""

from collections.abc import Mapping
from typing import Any

from openapi.declarations import Documentation, Response, Tag

INFO = {
    "title": "Customers API",
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    "contact": {"name": "The team that operates the service"},
    "summary": "Create, find, update and delete customers.",
    "description": """\
Create, find, update, delete and restore customers.

**Tokens.** Send `Authorization: Bearer ...` with a token that has the operation's scope.

**Text.** The service trims text and converts it to Unicode normalization form C. The names,
addresses and metadata of a customer take at most 8,000 bytes together.

**Errors.** Error responses are problem details, `application/problem+json` (RFC 9457). In programs,
compare `type`. It is the same in every stage, and refers to the documentation of the problem.

**Compatibility.** Responses may get new fields, and `type` of a problem may get new values. Ignore
what you don't know. Everything documented here stays.
""",
}

SERVICE = Tag(
    "service",
    "The service itself. No token is required.",
    components={
        "Health": {
            "type": "object",
            "properties": {
                "status": {"const": "ok", "description": "Always `ok`."},
                "database": {
                    "enum": ["ok", "not-checked"],
                    "description": "Only with `deep=true`: `ok` if the database responded within"
                    " the last second, `not-checked` in a stage whose database pauses.",
                },
            },
            "required": ["status"],
        },
        "OpenAPIDocument": {
            "type": "object",
            "properties": {
                "openapi": {"const": "3.1.0", "description": "The version of OpenAPI."},
                "info": {"type": "object", "description": "About the API."},
                "paths": {"type": "object", "description": "The operations."},
            },
            "required": ["openapi", "info", "paths"],
        },
    },
)

HEALTH = Documentation(
    SERVICE,
    responses={200: Response("The service works.", "Health", {"status": "ok"})},
    problems=("validation-error",),
)

OPENAPI = Documentation(
    SERVICE,
    responses={
        200: Response(
            "The document.", "OpenAPIDocument", {"openapi": "3.1.0", "info": {}, "paths": {}}
        )
    },
    problems=("validation-error",),
)

PROBLEMS = Documentation(
    SERVICE,
    responses={200: Response("The page.", {"type": "string"}, "<!doctype html>...")},
    problems=("validation-error",),
)


def bearer(scopes: Mapping[str, str]) -> dict[str, Any]:
    """Return the security scheme; `scopes` has what a token with each scope may do."""
    permitted = ", ".join(f"`{scope}` ({text})" for scope, text in scopes.items())
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"An access token from the service's issuer, verified as RFC8725 recommends."
        f" Scopes: {permitted}.",
    }
