"""Tests of the compatibility check, with each kind of change made to a copy of our document."""

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


def field(document: Node, name: str, of: str) -> Node:
    return schema(document, of)["properties"][name]  # type: ignore[no-any-return]


def parameter(document: Node, name: str, route: tuple[str, str] = LIST) -> Node:
    found = operation(document, route)["parameters"]
    return next(item for item in found if item["name"] == name)


def header(document: Node, name: str) -> Node:
    return document["components"]["headers"][name]  # type: ignore[no-any-return]


def rename(properties: Node, name: str) -> None:
    properties[f"{name}_renamed"] = properties.pop(name)


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
    "a parameter accepts less": (
        lambda d: parameter(d, "limit")["schema"].update(maximum=50),
        "GET /customers: query parameter limit: maximum is 50 in one only",
    ),
    "a parameter has another default": (
        lambda d: parameter(d, "limit")["schema"].update(default=50),
        "GET /customers: query parameter limit: another default",
    ),
    "a parameter is serialized differently": (
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
    "a request's field is removed": (
        lambda d: schema(d, "CustomerCreation")["properties"].pop("locale"),
        "POST /customers: request application/json/locale: is rejected",
    ),
    "a request's field is required": (
        lambda d: schema(d, "CustomerCreation")["required"].append("phone"),
        "POST /customers: request application/json/phone: required in one only",
    ),
    "a request's field may no longer be null": (
        lambda d: field(d, "phone", "CustomerCreation").update(type="string"),
        "POST /customers: request application/json/phone: may be null",
    ),
    "a request's text is shorter": (
        lambda d: field(d, "given_name", "CustomerCreation").update(maxLength=100),
        "POST /customers: request application/json/given_name: maxLength is 100 in one only",
    ),
    "a request's text has a longer minimum": (
        lambda d: field(d, "given_name", "CustomerCreation").update(minLength=2),
        "POST /customers: request application/json/given_name: minLength is 2 in one only",
    ),
    "a request's text has another pattern": (
        lambda d: field(d, "phone", "CustomerCreation").update(pattern="^[0-9]+$"),
        "POST /customers: request application/json/phone: another pattern",
    ),
    "a request's choice is removed": (
        lambda d: schema(d, "AddressType")["enum"].remove("home"),
        "POST /customers: request application/json/addresses/*/type: may be home",
    ),
    "a request's text becomes a choice": (
        lambda d: field(d, "locale", "CustomerCreation").update(enum=["en", "de"]),
        "POST /customers: request application/json/locale: may be any value",
    ),
    "a request's items are fewer": (
        lambda d: field(d, "addresses", "CustomerCreation").update(maxItems=2),
        "POST /customers: request application/json/addresses: maxItems is 2 in one only",
    ),
    "a request's free properties accept less": (
        lambda d: schema(d, "Metadata")["additionalProperties"].update(maxLength=100),
        "POST /customers: request application/json/metadata/{name}: maxLength is 100 in one only",
    ),
    "a response is removed": (
        lambda d: operation(d, READ)["responses"].pop("304"),
        "GET /customers/{customer_id}: response 304: removed",
    ),
    "a response's media type changes": (
        lambda d: rename(operation(d, READ)["responses"]["200"]["content"], "application/json"),
        "GET /customers/{customer_id}: response 200 application/json: removed",
    ),
    "a response's header is removed": (
        lambda d: operation(d, CREATE)["responses"]["201"]["headers"].pop("Location"),
        "POST /customers: response 201 header Location: removed",
    ),
    "a response's header is not always present": (
        lambda d: header(d, "ETag").update(required=False),
        "POST /customers: response 201 header ETag: no longer always there",
    ),
    "a response's header has another pattern": (
        lambda d: header(d, "ETag")["schema"].update(pattern="^W/"),
        "POST /customers: response 201 header ETag: another pattern",
    ),
    "a response's field is removed": (
        lambda d: schema(d, "Customer")["properties"].pop("updated_at"),
        "POST /customers: response 201 application/json/updated_at: removed",
    ),
    "a response's field is not always present": (
        lambda d: schema(d, "Customer")["required"].remove("updated_at"),
        "POST /customers: response 201 application/json/updated_at: required in one only",
    ),
    "a response's field may be null": (
        lambda d: field(d, "email", "Customer").update(type=["string", "null"]),
        "POST /customers: response 201 application/json/email: may be null",
    ),
    "a response's field has another type": (
        lambda d: field(d, "version", "Customer").update(type="string"),
        "POST /customers: response 201 application/json/version: may be string",
    ),
    "a response's text is longer": (
        lambda d: field(d, "given_name", "Customer").update(maxLength=1_000),
        "POST /customers: response 201 application/json/given_name: maxLength is 300 in one only",
    ),
    "a response has a new choice": (
        lambda d: schema(d, "CustomerStatus")["enum"].append("blocked"),
        "POST /customers: response 201 application/json/status: may be blocked",
    ),
    "a response's optional field is removed": (
        lambda d: schema(d, "InputError")["properties"].pop("pointer"),
        "POST /customers: response 400 application/problem+json/errors/*/pointer: removed",
    ),
    "a response may be something else": (
        lambda d: operation(d, READ)["responses"]["200"]["content"]["application/json"].update(
            schema={"anyOf": [{"$ref": "#/components/schemas/Customer"}, {"type": "string"}]}
        ),
        "GET /customers/{customer_id}: response 200 application/json: may be string",
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
    "a parameter accepts more": lambda d: parameter(d, "limit")["schema"].update(maximum=200),
    "a scope is no longer needed": lambda d: operation(d, LIST).update(security=[]),
    "a request has a new optional field": lambda d: schema(d, "CustomerCreation")[
        "properties"
    ].update(nickname={"type": "string"}),
    "a request's field is no longer required": lambda d: schema(d, "CustomerCreation").pop(
        "required"
    ),
    "a request's text is longer": lambda d: field(d, "given_name", "CustomerCreation").update(
        maxLength=1_000
    ),
    "a request's field may be null": lambda d: field(d, "status", "CustomerCreation").update(
        anyOf=[{"type": "null"}, {}]
    ),
    "a response has a new field": lambda d: schema(d, "Customer")["properties"].update(
        nickname={"type": "string"}
    ),
    "a response's text is shorter": lambda d: field(d, "given_name", "Customer").update(
        maxLength=100
    ),
    "a response's field is never null": lambda d: field(d, "phone", "Customer").update(
        type="string"
    ),
    "a response's header is added": lambda d: operation(d, CREATE)["responses"]["201"][
        "headers"
    ].update(Warning={"schema": {"type": "string"}}),
    "an error is added": lambda d: operation(d, CREATE)["responses"].update(
        {"418": operation(d, CREATE)["responses"]["400"]}
    ),
    "an outcome is added": lambda d: schema(d, "Problem")["properties"]["outcome"]["enum"].append(
        "partly-applied"
    ),
    "a text is corrected": lambda d: operation(d, LIST).update(summary="List them"),
}


@pytest.mark.parametrize("kind", BREAKING)
@pytest.mark.exhaustive
def test_breaking_change_is_reported(document: Node, kind: str) -> None:
    change, found = BREAKING[kind]

    assert found in breaking_changes(document, changed(document, change))


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", HARMLESS)
def test_compatible_change_is_not_reported(document: Node, kind: str) -> None:
    assert breaking_changes(document, changed(document, HARMLESS[kind])) == []


def test_document_is_compatible_with_the_last_release(document: Node) -> None:
    assert breaking_changes(json.loads(RELEASED.read_text()), document) == []
