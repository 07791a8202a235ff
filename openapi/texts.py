"""What the document says of members, parameters, headers and problems."""

from collections.abc import Mapping, Sequence

ABOUT = """\
Create, find, change, delete and restore customers.

**Tokens.** Send `Authorization: Bearer ...` with a token that has the operation's scope.

**Text** is trimmed, and brought to Unicode's normal form C. The names, addresses and metadata of a
customer are 8,000 bytes at most.

**Errors** are problem details, `application/problem+json` (RFC 9457): compare `type`. It is a
reference into the documentation of problems, the same in every stage.

**Compatibility.** Answers may get new members, and `type` of a problem new values: ignore what you
don't know. What is documented here stays.
"""

TAGS: Sequence[Mapping[str, str]] = (
    {"name": "customers", "description": "Customers."},
    {"name": "service", "description": "The service itself; no token is needed."},
)

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the service's issuer. Scopes: `customers:read` to find and"
    " read, `customers:write` to create, change, delete and restore, `customers:erase` to erase.",
}

# by schema
MEMBERS: Mapping[str, Mapping[str, str]] = {
    "Customer": {
        "id": "A UUID, version 7.",
        "version": "Starts at 1; each change is one more.",
        "created_at": "In UTC, to the millisecond.",
        "updated_at": "In UTC, to the millisecond.",
        "deleted_at": "When it was deleted; only of a deleted customer.",
        "purge_at": "When it will be erased; only of a deleted customer.",
        "status": "Whether you do business with the customer; it means nothing to the service.",
        "email": "Unique among customers, whatever its case.",
        "phone": "An international number (E.164); spaces, dots, dashes and brackets are removed.",
        "given_name": "A customer has this, a family name or a company name.",
        "family_name": "A customer has this, a given name or a company name.",
        "company_name": "A customer has this, a given name or a family name.",
        "external_id": "Your own id of the customer; unique among customers.",
        "addresses": "Up to 5.",
        "locale": "A language tag (BCP 47), such as en-GB.",
        "time_zone": "A name of the IANA time zone database, such as Europe/London.",
        "metadata": "Your own members of text; 4,096 bytes in all.",
    },
    "Address": {
        "type": "What the address is for.",
        "line1": "The first line.",
        "line2": "The second line.",
        "city": "The city, town or village.",
        "region": "The state, province or county.",
        "postal_code": "The postal code.",
        "country": "Two capital letters (ISO 3166-1).",
    },
}

# by view, where the schema itself has none
QUERIES: Mapping[str, Mapping[str, str]] = {"get_health": {"deep": "Ask the database, too."}}

# what `detail` says, as an example
PROBLEMS: Mapping[str, str] = {
    "bad-request": "The request can't be read.",
    "forbidden": "The service does not take this request from you.",
    "malformed-json": "The body is not JSON: Expecting value at line 1, column 11.",
    "validation-error": "See `errors` for what to change.",
    "unauthenticated": "Send a token: `Authorization: Bearer ...`.",
    "invalid-token": "The token has expired.",
    "insufficient-scope": "This needs a token with the scope customers:write.",
    "customer-not-found": "No customer has this id, or it was deleted.",
    "not-acceptable": "Answers are application/json: accept that.",
    "email-taken": "Choose another, or change the customer that has it.",
    "external-id-taken": "Choose another, or change the customer that has it.",
    "precondition-failed": "Read the customer again, and make the change on what it is now.",
    "content-too-large": "Send at most 65536 bytes.",
    "unsupported-media-type": "Send the body as application/json.",
    "idempotency-key-reused": "Send the same body again, or take a new key.",
    "precondition-required": "Send If-Match, with the ETag of what you replace.",
    "too-many-requests": "Send fewer requests at a time, and this one again.",
    "internal-error": "This is our fault. Tell us the request_id if it goes on.",
    "service-unavailable": "The database can't answer at the moment. Try again.",
    "gateway-timeout": "The answer took too long. Try again.",
}
