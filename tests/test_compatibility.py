"""Each kind of change that would break a client, made to a copy of our own document."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from openapi import SHOWN
from tests.compatibility import breaking_changes

Node = dict[str, Any]
Change = Callable[[Node], object]

RELEASED = SHOWN.with_name("openapi-released.json")
LIST, CREATE = ("/customers", "get"), ("/customers", "post")
READ, PATCH = ("/customers/{customer_id}", "get"), ("/customers/{customer_id}", "patch")


@pytest.fixture(scope="module")
def document() -> Node:
    return json.loads(SHOWN.read_text())  # type: ignore[no-any-return]


def changed(document: Node, change: Change) -> Node:
    copy = deepcopy(document)
    change(copy)
    assert copy != document
    return copy


def operation(document: Node, route: tuple[str, str]) -> Node:
    path, method = route
    return document["paths"][path][method]  # type: ignore[no-any-return]


def schema(document: Node, name: str) -> Node:
    return document["components"]["schemas"][name]  # type: ignore[no-any-return]


def member(document: Node, name: str, of: str) -> Node:
    return schema(document, of)["properties"][name]  # type: ignore[no-any-return]


def parameter(document: Node, name: str, route: tuple[str, str] = LIST) -> Node:
    found = operation(document, route)["parameters"]
    return next(item for item in found if item["name"] == name)


def header(document: Node, name: str) -> Node:
    return document["components"]["headers"][name]  # type: ignore[no-any-return]


def rename(members: Node, name: str) -> None:
    members[f"{name}_renamed"] = members.pop(name)


BREAKING: dict[str, tuple[Change, str]] = {
    "a path is removed": (lambda d: d["paths"].pop("/health"), "GET /health: removed"),
    "an operation is removed": (
        lambda d: d["paths"]["/customers"].pop("post"),
        "POST /customers: removed",
    ),
    "an operation is renamed": (
        lambda d: operation(d, LIST).update(operationId="listCustomers"),
        "GET /customers: operationId: now listCustomers",
    ),
    "a scope is added": (
        lambda d: operation(d, LIST)["security"][0]["bearer"].append("customers:list"),
        "GET /customers: security: needs customers:list",
    ),
    "a public operation needs a token": (
        lambda d: operation(d, ("/health", "get")).update(security=[{"bearer": []}]),
        "GET /health: security: needs bearer",
    ),
    "a parameter is removed": (
        lambda d: operation(d, LIST)["parameters"].remove(parameter(d, "limit")),
        "GET /customers: query parameter limit: removed",
    ),
    "a parameter is required": (
        lambda d: parameter(d, "limit").update(required=True),
        "GET /customers: query parameter limit: required now",
    ),
    "a required parameter is added": (
        lambda d: operation(d, LIST)["parameters"].append(
            {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "GET /customers: query parameter tenant: required now",
    ),
    "a parameter takes less": (
        lambda d: parameter(d, "limit")["schema"].update(maximum=50),
        "GET /customers: query parameter limit: maximum is 50 in one only",
    ),
    "a parameter has another default": (
        lambda d: parameter(d, "limit")["schema"].update(default=50),
        "GET /customers: query parameter limit: another default",
    ),
    "a parameter is written otherwise": (
        lambda d: parameter(d, "limit").update(explode=False),
        "GET /customers: query parameter limit: another explode",
    ),
    "a request's body is required": (
        lambda d: operation(d, ("/customers/{customer_id}/restore", "post")).update(
            requestBody={"required": True, "content": {}}
        ),
        "POST /customers/{customer_id}/restore: request: required now",
    ),
    "a request's media type is removed": (
        lambda d: operation(d, PATCH)["requestBody"]["content"].pop("application/json"),
        "PATCH /customers/{customer_id}: request application/json: removed",
    ),
    "a request's member is removed": (
        lambda d: schema(d, "NewCustomer")["properties"].pop("locale"),
        "POST /customers: request application/json/locale: is not taken",
    ),
    "a request's member is required": (
        lambda d: schema(d, "NewCustomer")["required"].append("phone"),
        "POST /customers: request application/json/phone: may be missing, or must be there",
    ),
    "a request's member may no longer be null": (
        lambda d: member(d, "phone", "NewCustomer").update(type="string"),
        "POST /customers: request application/json/phone: may be null",
    ),
    "a request's text is shorter": (
        lambda d: member(d, "given_name", "NewCustomer").update(maxLength=100),
        "POST /customers: request application/json/given_name: maxLength is 100 in one only",
    ),
    "a request's text is longer at least": (
        lambda d: member(d, "given_name", "NewCustomer").update(minLength=2),
        "POST /customers: request application/json/given_name: minLength is 2 in one only",
    ),
    "a request's text has another pattern": (
        lambda d: member(d, "phone", "NewCustomer").update(pattern="^[0-9]+$"),
        "POST /customers: request application/json/phone: another pattern",
    ),
    "a request's choice is removed": (
        lambda d: schema(d, "AddressType")["enum"].remove("home"),
        "POST /customers: request application/json/addresses/*/type: may be home",
    ),
    "a request's text becomes a choice": (
        lambda d: member(d, "locale", "NewCustomer").update(enum=["en", "de"]),
        "POST /customers: request application/json/locale: may be any value",
    ),
    "a request's items are fewer": (
        lambda d: member(d, "addresses", "NewCustomer").update(maxItems=2),
        "POST /customers: request application/json/addresses: maxItems is 2 in one only",
    ),
    "a request's free members take less": (
        lambda d: schema(d, "Metadata")["additionalProperties"].update(maxLength=100),
        "POST /customers: request application/json/metadata/{name}: maxLength is 100 in one only",
    ),
    "an answer is removed": (
        lambda d: operation(d, READ)["responses"].pop("304"),
        "GET /customers/{customer_id}: answer 304: removed",
    ),
    "an answer's media type is another": (
        lambda d: rename(operation(d, READ)["responses"]["200"]["content"], "application/json"),
        "GET /customers/{customer_id}: answer 200 application/json: removed",
    ),
    "an answer's header is removed": (
        lambda d: operation(d, CREATE)["responses"]["201"]["headers"].pop("Location"),
        "POST /customers: answer 201 header Location: removed",
    ),
    "an answer's header is not always there": (
        lambda d: header(d, "ETag").update(required=False),
        "POST /customers: answer 201 header ETag: no longer always there",
    ),
    "an answer's header has another form": (
        lambda d: header(d, "ETag")["schema"].update(pattern="^W/"),
        "POST /customers: answer 201 header ETag: another pattern",
    ),
    "an answer's member is removed": (
        lambda d: schema(d, "Customer")["properties"].pop("updated_at"),
        "POST /customers: answer 201 application/json/updated_at: removed",
    ),
    "an answer's member is not always there": (
        lambda d: schema(d, "Customer")["required"].remove("updated_at"),
        "POST /customers: answer 201 application/json/updated_at: may be missing, or must be there",
    ),
    "an answer's member may be null": (
        lambda d: member(d, "email", "Customer").update(type=["string", "null"]),
        "POST /customers: answer 201 application/json/email: may be null",
    ),
    "an answer's member is of another type": (
        lambda d: member(d, "version", "Customer").update(type="string"),
        "POST /customers: answer 201 application/json/version: may be string",
    ),
    "an answer's text is longer": (
        lambda d: member(d, "given_name", "Customer").update(maxLength=1_000),
        "POST /customers: answer 201 application/json/given_name: maxLength is 300 in one only",
    ),
    "an answer has a new choice": (
        lambda d: schema(d, "CustomerStatus")["enum"].append("blocked"),
        "POST /customers: answer 201 application/json/status: may be blocked",
    ),
    "an answer's optional member is removed": (
        lambda d: schema(d, "InputError")["properties"].pop("pointer"),
        "POST /customers: answer 400 application/problem+json/errors/*/pointer: removed",
    ),
    "an answer may be something else": (
        lambda d: operation(d, READ)["responses"]["200"]["content"]["application/json"]["schema"][
            "anyOf"
        ].append({"type": "string"}),
        "GET /customers/{customer_id}: answer 200 application/json: may be string",
    ),
}

HARMLESS: dict[str, Change] = {
    "a path is added": lambda d: d["paths"].update({"/invoices": d["paths"]["/health"]}),
    "an operation is added": lambda d: d["paths"]["/health"].update(
        post=operation(d, ("/health", "get"))
    ),
    "an optional parameter is added": lambda d: operation(d, LIST)["parameters"].append(
        {"name": "colour", "in": "query", "schema": {"type": "string"}}
    ),
    "a parameter takes more": lambda d: parameter(d, "limit")["schema"].update(maximum=200),
    "a scope is no longer needed": lambda d: operation(d, LIST).update(security=[]),
    "a request has a new optional member": lambda d: schema(d, "NewCustomer")["properties"].update(
        nickname={"type": "string"}
    ),
    "a request's member is no longer required": lambda d: schema(d, "NewCustomer").pop("required"),
    "a request's text is longer": lambda d: member(d, "given_name", "NewCustomer").update(
        maxLength=1_000
    ),
    "a request's member may be null": lambda d: member(d, "status", "NewCustomer").update(
        anyOf=[{"type": "null"}, {}]
    ),
    "an answer has a new member": lambda d: schema(d, "Customer")["properties"].update(
        nickname={"type": "string"}
    ),
    "an answer's text is shorter": lambda d: member(d, "given_name", "Customer").update(
        maxLength=100
    ),
    "an answer's member is never null": lambda d: member(d, "phone", "Customer").update(
        type="string"
    ),
    "an answer's header is added": lambda d: operation(d, CREATE)["responses"]["201"][
        "headers"
    ].update(Warning={"schema": {"type": "string"}}),
    "an error is added": lambda d: operation(d, CREATE)["responses"].update(
        {"418": operation(d, CREATE)["responses"]["400"]}
    ),
    "a kind of problem is added": lambda d: d["components"]["responses"]["CustomerNotFound"][
        "content"
    ]["application/problem+json"]["schema"]["properties"]["type"]["enum"].append("/problems#new"),
    "a text is mended": lambda d: operation(d, LIST).update(summary="List them"),
}


@pytest.mark.parametrize("kind", BREAKING)
def test_what_breaks_a_client_is_found(document: Node, kind: str) -> None:
    change, found = BREAKING[kind]

    assert found in breaking_changes(document, changed(document, change))


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_breaks_no_client_is_not(document: Node, kind: str) -> None:
    assert breaking_changes(document, changed(document, HARMLESS[kind])) == []


def test_clients_of_the_last_release_still_work(document: Node) -> None:
    assert breaking_changes(json.loads(RELEASED.read_text()), document) == []
