"""What the document says of each operation, by the name of its view."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openapi import examples

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class Body(NamedTuple):
    """A request's body; `schema` is the name of a component."""

    schema: str
    example: Any
    media_types: Sequence[str] = (JSON,)


class Answer(NamedTuple):
    """An answer that is no problem; `links` go from it to other operations."""

    description: str
    schema: Any = None
    example: Any = None
    headers: Sequence[str] = ()
    links: Sequence[str] = ()
    media_type: str = JSON


class Description(NamedTuple):
    """An operation; a client may send the `headers`, and must send the `required` of them."""

    summary: str
    text: str
    answers: Mapping[int, Answer]
    problems: Sequence[str] = ()
    headers: Sequence[str] = ()
    body: Body | None = None
    required: Sequence[str] = ()
    tag: str = "customers"


EVERY_ANSWER = ("Request-Id", "Cache-Control", "Vary")
EVERY_OPERATION = (
    *("bad-request", "unauthenticated", "invalid-token", "insufficient-scope", "forbidden"),
    "not-acceptable",
    *("too-many-requests", "internal-error", "service-unavailable", "gateway-timeout"),
)
OF_TOKENS = frozenset({"unauthenticated", "invalid-token", "insufficient-scope"})
A_BODY = (
    *("malformed-json", "validation-error", "content-too-large"),
    *("unsupported-media-type", "email-taken", "external-id-taken"),
)
OF_CUSTOMER = (
    *("getCustomer", "replaceCustomer", "patchCustomer", "deleteCustomer"),
    *("restoreCustomer", "eraseCustomer"),
)

A_CUSTOMER = {"$ref": "#/components/schemas/Customer"}
SOME_OF_A_CUSTOMER = {"anyOf": [A_CUSTOMER, {"$ref": "#/components/schemas/PartialCustomer"}]}


def _customer(description: str, example: Any = examples.CUSTOMER, **more: Any) -> Answer:
    return Answer(
        description,
        more.pop("schema", A_CUSTOMER),
        example,
        ("ETag", *more.pop("headers", ())),
        **more,
    )


MINIMAL = Answer("Done; with `Prefer: return=minimal`.", headers=("ETag", "Preference-Applied"))

DESCRIPTIONS: Mapping[str, Description] = {
    "get_customers": Description(
        "List customers",
        "A page at a time, newest first unless `sort` says otherwise. `next` is the path of the"
        " next page: follow it as it is. It goes on where this page ended, whatever was created or"
        " deleted in between. `include_deleted=true` needs the scope customers:write, too.",
        {
            200: Answer(
                "A page of customers.",
                {"$ref": "#/components/schemas/CustomerPage"},
                {"items": [examples.CUSTOMER], "next": examples.NEXT, "has_more": True},
                ("Link",),
            )
        },
        ("validation-error",),
    ),
    "create_customer": Description(
        "Create a customer",
        "With an `Idempotency-Key` the request can be sent again safely: it creates one customer"
        " at most, and the answer to a repetition says `Idempotency-Replayed: true`.",
        {
            201: _customer(
                "The new customer.",
                headers=("Location", "Idempotency-Replayed"),
                links=OF_CUSTOMER,
            )
        },
        (*A_BODY, "idempotency-key-reused"),
        ("Idempotency-Key",),
        Body("NewCustomer", examples.ADA),
    ),
    "create_customers": Description(
        "Create customers",
        "Up to 100 at once: all of them, or none. `errors` names the wrong one by its place, as in"
        " `/items/3/email`.",
        {
            201: Answer(
                "The new customers, in the order in which they were sent.",
                {"$ref": "#/components/schemas/CustomerList"},
                {"items": [examples.CUSTOMER, examples.CREATED_GRACE]},
                ("Idempotency-Replayed",),
            )
        },
        (*A_BODY, "idempotency-key-reused"),
        ("Idempotency-Key",),
        Body("NewCustomerList", {"items": [examples.ADA, examples.GRACE]}),
    ),
    "get_customer": Description(
        "Read a customer",
        "`ETag` is the customer's version. With it in `If-None-Match`, an unchanged customer is"
        " not sent again; with it in `If-Match`, no other version is.",
        {
            200: _customer("The customer.", schema=SOME_OF_A_CUSTOMER, links=OF_CUSTOMER[:4]),
            304: Answer("The customer has not changed.", headers=("ETag",)),
        },
        ("validation-error", "customer-not-found", "precondition-failed"),
        ("If-Match", "If-None-Match"),
    ),
    "replace_customer": Description(
        "Replace a customer",
        "What is left out gets its default. `If-Match` must have the `ETag` of the version that"
        " this one replaces, so that nobody's change is lost. What the service sets may be sent as"
        " it was read.",
        {
            200: _customer("The customer as it is now.", examples.CUSTOMER | {"version": 2}),
            204: MINIMAL,
        },
        (*A_BODY, "customer-not-found", "precondition-failed", "precondition-required"),
        ("If-Match", "Prefer"),
        Body("CustomerReplacement", examples.ADA),
        required=("If-Match",),
    ),
    "patch_customer": Description(
        "Change some of a customer",
        "The body is a [merge patch](https://www.rfc-editor.org/rfc/rfc7396): what is left out"
        " stays, and null removes what is optional. When nothing changes, no version is made.",
        {
            200: _customer("The customer as it is now.", examples.PATCHED),
            204: MINIMAL,
        },
        (*A_BODY, "customer-not-found", "precondition-failed"),
        ("If-Match", "Prefer"),
        Body("CustomerPatch", examples.PATCH, (JSON, MERGE_PATCH)),
    ),
    "delete_customer": Description(
        "Delete a customer",
        "The customer is no longer found, and the email address and external id are free again."
        " Until it is erased, 30 days later, it can be restored.",
        {204: Answer("Done.", links=("restoreCustomer", "eraseCustomer"))},
        ("validation-error", "customer-not-found", "precondition-failed"),
        ("If-Match",),
    ),
    "restore_customer": Description(
        "Restore a deleted customer",
        "Possible until it is erased, and while nobody else has taken its email address or"
        " external id. A customer that is not deleted is answered as it is.",
        {
            200: _customer("The customer as it is now.", examples.CUSTOMER | {"version": 3}),
            204: MINIMAL,
        },
        (
            *("validation-error", "customer-not-found", "precondition-failed"),
            *("email-taken", "external-id-taken"),
        ),
        ("If-Match", "Prefer"),
    ),
    "erase_customer": Description(
        "Erase a customer for good",
        "Everything but the id and the times is gone at once, deleted before or not. It can't be"
        " undone.",
        {204: Answer("Done.")},
        ("validation-error", "customer-not-found", "precondition-failed"),
        ("If-Match",),
    ),
    "get_health": Description(
        "Tell that the service answers",
        "With `deep=true`, whether its database does, too.",
        {200: Answer("It does.", {"$ref": "#/components/schemas/Health"}, {"status": "ok"}, ())},
        ("validation-error",),
        tag="service",
    ),
    "get_openapi": Description(
        "Describe this API",
        "This document: OpenAPI 3.1.",
        {
            200: Answer(
                "The document.",
                {"$ref": "#/components/schemas/OpenAPIDocument"},
                {"openapi": "3.1.0", "info": {}, "paths": {}},
                (),
            )
        },
        ("validation-error",),
        tag="service",
    ),
    "get_problems": Description(
        "Explain the problems",
        "For people: the `type` of each problem leads to its paragraph.",
        {
            200: Answer(
                "The page.",
                {"type": "string"},
                "<!doctype html>...",
                media_type="text/html; charset=utf-8",
            )
        },
        ("validation-error",),
        tag="service",
    ),
}
