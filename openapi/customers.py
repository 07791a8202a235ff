"""Documentation of the customers' operations: examples, responses and problems."""

from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.customers import fields, lists, problems, schemas
from chalicelib.database import tables
from chalicelib.http import feed, receipts
from chalicelib.settings import LOCAL_CURSOR_KEY
from openapi.declarations import Body, Documentation, JSONSchema, Response, Tag, ref
from openapi.fields import READ_ONLY

Example = dict[str, Any]

ID = "01a2043a-b5d2-7386-b484-33764a732a70"
DELETED = "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e32"
ERASED = "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e33"
NEXT = "/customers?limit=1&cursor=AaIEOrXSc4a0hDN2SnMqcA"

ADA: Example = {
    "email": "ada@example.com",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "phone": "+442079460000",
    "addresses": [
        {
            "type": "billing",
            "line1": "12 St James's Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        }
    ],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"plan": "gold"},
}

CUSTOMER: Example = {
    "id": ID,
    "version": 1,
    "status": "active",
    "email": "ada@example.com",
    "phone": "+442079460000",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "company_name": None,
    "external_id": None,
    "addresses": [{"line2": None, "region": None, **ADA["addresses"][0]}],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"plan": "gold"},
    "created_at": "2026-03-02T09:30:00.000Z",
    "updated_at": "2026-03-02T09:30:00.000Z",
    "deleted_at": None,
    "purge_at": None,
}

PATCH: Example = {"phone": None, "metadata": {"plan": "platinum"}}

PATCHED = CUSTOMER | {
    "version": 2,
    "phone": None,
    "metadata": {"plan": "platinum"},
    "updated_at": "2026-03-02T10:15:00.000Z",
}

# Addresses differ from each other and from README's, so that readers can send every example.
BARBARA: Example = {"email": "barbara@example.com", "given_name": "Barbara"}
GRACE: Example = {"email": "grace@example.com", "given_name": "Grace", "family_name": "Hopper"}

CREATED: tuple[Example, ...] = tuple(
    CUSTOMER
    | {"family_name": None, **new}
    | {
        "id": customer_id,
        "phone": None,
        "addresses": [],
        "locale": None,
        "time_zone": None,
        "metadata": {},
    }
    for new, customer_id in (
        (BARBARA, "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e30"),
        (GRACE, "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e31"),
    )
)

REFUSED: Example = {
    "status": 409,
    "problem": {
        "type": "/problems#email-taken",
        "title": "Email address already in use",
        "status": 409,
        "detail": "Choose another value, or update the customer that uses it.",
        "instance": "/customers/batch",
        "request_id": "6f1d2c9e-0d3b-4a57-9a63-3c7f4f0b8a11",
        "errors": [
            {
                "pointer": "/items/1/email",
                "code": "taken",
                "detail": "Already used by another customer.",
            }
        ],
    },
}

NAMES = ("given_name", "family_name", "company_name")
# At least one of them. Client generators don't support `anyOf` beside `properties`.
HAS_A_NAME = {
    "if": {"properties": {name: {"type": "null"} for name in NAMES[:-1]}},
    "then": {"required": [NAMES[-1]], "properties": {NAMES[-1]: {"type": "string"}}},
}

KEPT: Example = {
    "items": [
        {
            "version": 2,
            "operation": "updated",
            "changed_at": "2026-03-02T10:15:00.000Z",
            "caller": "8f14e45fceea167a",
            "changed_fields": ["phone", "metadata"],
        },
        {
            "version": 1,
            "operation": "created",
            "changed_at": "2026-03-02T09:30:00.000Z",
            "caller": "8f14e45fceea167a",
            "changed_fields": [],
        },
    ]
}
ERASED_AT = "2026-03-02T10:25:00.000Z"
RECEIPT = receipts.erasure(
    receipts.derive_key(LOCAL_CURSOR_KEY.encode()), UUID(ERASED), datetime.fromisoformat(ERASED_AT)
)

TIME = {"type": "string", "format": "date-time"}
PARTS: dict[str, JSONSchema] = {
    "CustomerVersion": {
        "type": "object",
        "description": "A version of a customer, without the values of its fields.",
        "properties": {
            "version": READ_ONLY["version"] | {"description": "The version."},
            "operation": {
                "type": "string",
                "enum": ["created", "updated", "deleted", "restored"],
                "x-extensible": True,
                "description": "How the customer changed.",
            },
            "changed_at": TIME | {"description": "Time of the change, by the database's clock."},
            "caller": {
                "type": "string",
                "description": "A pseudonym of the caller, as in the service's logs.",
            },
            "changed_fields": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": len(fields.CUSTOMERS.writable),
                "description": "The names of the fields that an update changed.",
            },
        },
        "required": ["version", "operation", "changed_at", "caller", "changed_fields"],
    },
    "CustomerHistory": {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": ref("CustomerVersion"),
                "maxItems": tables.MAX_VERSIONS,
                "description": "The last versions, the newest first. Versions that an earlier"
                " release of the service wrote are absent.",
            }
        },
        "required": ["items"],
    },
    "CustomerErasure": {
        "type": "object",
        "properties": {
            "id": READ_ONLY["id"] | {"description": "The id of the erased customer."},
            "erased_at": TIME | {"description": "Time of erasure, in UTC."},
            "receipt": {
                "type": "string",
                "description": "A signed statement of both: a JSON Web Token (HS256). The operator"
                " of the service verifies it, also years later.",
            },
        },
        "required": ["id", "erased_at", "receipt"],
    },
    "CustomerExport": {
        "type": "object",
        "properties": {
            "customer": ref("Customer") | {"description": "The customer."},
            "history": {
                "type": "array",
                "items": ref("CustomerVersion"),
                "maxItems": tables.MAX_VERSIONS,
                "description": "The last versions, the newest first.",
            },
            "search_keys": {
                "type": "object",
                "additionalProperties": {"type": ["string", "null"]},
                "description": "The texts by which the service compares and finds the customer.",
            },
        },
        "required": ["customer", "history", "search_keys"],
    },
}

CUSTOMERS = Tag(
    "customers",
    "Customers.",
    schema=schemas.Customer,
    batch=schemas.Batch,
    example=CUSTOMER,
    rules=HAS_A_NAME,
    problems=(
        fields.CUSTOMERS.missing(),
        problems.CustomerNotErased("The customer was not erased. Erase it first."),
        problems.EmailTaken(
            "Use another email address, or update the customer that has it.",
            [{"pointer": "/email", "code": "taken", "detail": "Already used by another customer."}],
        ),
        problems.ExternalIdTaken(
            "Use another external id, or update the customer that has it.",
            [
                {
                    "pointer": "/external_id",
                    "code": "taken",
                    "detail": "Already used by another customer.",
                }
            ],
        ),
    ),
    components=PARTS,
    fast_path=("_has_a_name", "_is_small_enough"),  # repeated by customers.acceptance
)

MINIMAL = Response("With `Prefer: return=minimal`.", headers=("ETag", "Preference-Applied"))
CONFLICTS = ("email-taken", "external-id-taken")
CHANGE = ("validation-error", "customer-not-found", "precondition-failed")
NO_CONFLICTS = (
    *("malformed-json", "validation-error", "content-too-large", "unsupported-media-type"),
)
BODY = (*NO_CONFLICTS, *CONFLICTS)
READ_OR_UPDATE = ("get_customer", "replace_customer", "patch_customer", "delete_customer")

KNOWN = ("get_history", "export_customer")

LIST = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "A page of customers.",
            "CustomerPage",
            {"items": [CUSTOMER], "next": NEXT, "has_more": True},
            headers=("Link",),
        )
    },
    problems=("validation-error",),
    defaults=lists.Query._field_defaults,
)

CHANGES = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "Changed customers, and how to continue.",
            "CustomerChangePage",
            {
                "items": [
                    CUSTOMER,
                    {"id": DELETED, "version": 2, "deleted_at": "2026-03-02T10:20:00.000Z"},
                    {"id": ERASED, "version": 3, "erased_at": "2026-03-02T10:25:00.000Z"},
                ],
                "next": "/customers/changes?cursor=AQGiBDq10nOGtIQzdkpzKnABnMSkDVg",
                "has_more": False,
            },
            headers=("Link", "Retry-After"),
        )
    },
    problems=("validation-error",),
    defaults={"limit": feed.LIMIT},
)

CREATE = Documentation(
    CUSTOMERS,
    responses={
        201: Response(
            "The new customer.",
            "Customer",
            CUSTOMER,
            headers=("ETag", "Location", "Idempotency-Replayed"),
            links=(*READ_OR_UPDATE, "restore_customer", "erase_customer", *KNOWN),
        )
    },
    problems=(*BODY, "idempotency-key-reused"),
    headers=("Idempotency-Key",),
    body=Body("CustomerCreation", ADA),
)

CREATE_BATCH = Documentation(
    CUSTOMERS,
    responses={
        201: Response(
            "The new customers, in the order of the request.",
            "CustomerList",
            {"items": list(CREATED)},
            headers=("Idempotency-Replayed",),
        ),
        207: Response(
            "With `Prefer: handling=lenient`: what became of each item, in the order of the"
            " request.",
            "CustomerOutcomeList",
            {"items": [{"status": 201, "customer": CREATED[0]}, REFUSED]},
            headers=("Idempotency-Replayed", "Preference-Applied"),
        ),
    },
    problems=(*BODY, "idempotency-key-reused"),
    headers=("Idempotency-Key", "Prefer: handling"),
    body=Body("CustomerCreationList", {"items": [BARBARA, GRACE]}, are_items_separate=True),
)

PATCH_ALL = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The customers after the update, in the order of the request.",
            "CustomerList",
            {"items": [each | {"version": 2, "locale": "en-GB"} for each in CREATED]},
        )
    },
    problems=(*BODY, "customer-not-found", "version-conflict"),
    body=Body(
        "CustomerPatchList",
        {"items": [{"id": each["id"], "version": 1, "locale": "en-GB"} for each in CREATED]},
    ),
)

DELETE_ALL = Documentation(
    CUSTOMERS,
    responses={204: Response("The customers are deleted.")},
    problems=(*NO_CONFLICTS, "customer-not-found", "version-conflict"),
    body=Body(
        "CustomerReferenceList",
        {"items": [{"id": each["id"], "version": 2} for each in CREATED]},
    ),
)

GET = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The customer.", "Customer", CUSTOMER, headers=("ETag",), links=READ_OR_UPDATE
        ),
        304: Response("The customer has not changed.", headers=("ETag",)),
    },
    problems=CHANGE,
    headers=("If-Match", "If-None-Match"),
)

REPLACE = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The updated customer.", "Customer", CUSTOMER | {"version": 2}, headers=("ETag",)
        ),
        204: MINIMAL,
    },
    problems=(*BODY, "customer-not-found", "precondition-failed", "precondition-required"),
    headers=("If-Match", "Prefer"),
    required=("If-Match",),
    body=Body("CustomerReplacement", ADA),
)

PATCH_ONE = Documentation(
    CUSTOMERS,
    responses={
        200: Response("The updated customer.", "Customer", PATCHED, headers=("ETag",)),
        204: MINIMAL,
    },
    problems=(*BODY, "customer-not-found", "precondition-failed"),
    headers=("If-Match", "Prefer"),
    body=Body("CustomerPatch", PATCH),
)

DELETE = Documentation(
    CUSTOMERS,
    responses={
        204: Response("The customer is deleted.", links=("restore_customer", "erase_customer"))
    },
    problems=CHANGE,
    headers=("If-Match",),
)

BY_EXTERNAL_ID = ("ETag", "Content-Location")
MINIMAL_BY_EXTERNAL_ID = Response(
    MINIMAL.description, headers=(*BY_EXTERNAL_ID, "Preference-Applied")
)
IMPORTED = CUSTOMER | {"external_id": "crm-4711"}

GET_BY_EXTERNAL_ID = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The customer.", "Customer", IMPORTED, headers=BY_EXTERNAL_ID, links=READ_OR_UPDATE
        ),
        304: Response("The customer has not changed.", headers=BY_EXTERNAL_ID),
    },
    problems=CHANGE,
    headers=("If-Match", "If-None-Match"),
)

PUT_BY_EXTERNAL_ID = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The updated customer.", "Customer", IMPORTED | {"version": 2}, headers=BY_EXTERNAL_ID
        ),
        201: Response(
            "The new customer.",
            "Customer",
            IMPORTED,
            headers=(*BY_EXTERNAL_ID, "Location"),
            links=READ_OR_UPDATE,
        ),
        204: MINIMAL_BY_EXTERNAL_ID,
    },
    problems=(*BODY, "precondition-failed"),
    headers=("If-Match", "If-None-Match: *", "Prefer"),
    body=Body("CustomerReplacement", ADA),
)

PATCH_BY_EXTERNAL_ID = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The updated customer.",
            "Customer",
            PATCHED | {"external_id": "crm-4711"},
            headers=BY_EXTERNAL_ID,
        ),
        204: MINIMAL_BY_EXTERNAL_ID,
    },
    problems=(*BODY, "customer-not-found", "precondition-failed"),
    headers=("If-Match", "Prefer"),
    body=Body("CustomerPatch", PATCH),
)

DELETE_BY_EXTERNAL_ID = Documentation(
    CUSTOMERS,
    responses={204: Response("The customer is deleted.")},
    problems=CHANGE,
    headers=("If-Match",),
)

RESTORE = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "The restored customer.", "Customer", CUSTOMER | {"version": 3}, headers=("ETag",)
        ),
        204: MINIMAL,
    },
    problems=(*CHANGE, *CONFLICTS),
    headers=("If-Match", "Prefer"),
)

ERASE = Documentation(
    CUSTOMERS,
    responses={204: Response("The customer is erased.", links=("get_erasure",))},
    problems=CHANGE,
    headers=("If-Match",),
)

ERASURE = Documentation(
    CUSTOMERS,
    responses={200: Response("The proof of the erasure.", "CustomerErasure", RECEIPT)},
    problems=("validation-error", "customer-not-found", "customer-not-erased"),
)

HISTORY = Documentation(
    CUSTOMERS,
    responses={200: Response("The history.", "CustomerHistory", KEPT)},
    problems=("validation-error", "customer-not-found"),
)

EXPORT = Documentation(
    CUSTOMERS,
    responses={
        200: Response(
            "All data about the customer.",
            "CustomerExport",
            {
                "customer": PATCHED,
                "history": KEPT["items"],
                "search_keys": {
                    "email_key": "ada@example.com",
                    "name_key": "ada lovelace",
                    "family_name_key": "lovelace ada",
                    "company_name_key": None,
                },
            },
        )
    },
    problems=("validation-error", "customer-not-found"),
)
