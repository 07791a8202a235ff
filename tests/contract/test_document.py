"""The document is OpenAPI 3.1, and its examples are what it says they are."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from openapi import SHOWN

DOCUMENT = json.loads(SHOWN.read_text())
RESOURCE = Resource(contents=DOCUMENT, specification=DRAFT202012)
REGISTRY = Registry().with_resource("document", RESOURCE)


def examples(node: Any, pointer: str = "") -> Iterator[Any]:
    """Yield the place of each example, its schema and its value."""
    if isinstance(node, dict):
        shown = [example["value"] for example in node.get("examples", {}).values()]
        for example in shown + ([node["example"]] if "example" in node else []):
            yield pytest.param(node["schema"], example, id=pointer)
        for name, below in node.items():
            yield from examples(below, f"{pointer}/{name}")
    elif isinstance(node, list):
        for number, below in enumerate(node):
            yield from examples(below, f"{pointer}/{number}")


def anchored(node: Any) -> Any:
    """Return the schema with its references to the document made absolute."""
    if isinstance(node, list):
        return [anchored(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"document{value}" if key == "$ref" else anchored(value) for key, value in node.items()
    }


def test_document_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


@pytest.mark.parametrize(("schema", "example"), [*examples(DOCUMENT)])
def test_example_is_valid(schema: Any, example: Any) -> None:
    validator = Draft202012Validator(
        anchored(schema), registry=REGISTRY, format_checker=FormatChecker()
    )

    assert [error.message for error in validator.iter_errors(example)] == []


def test_every_operation_has_an_example_of_each_body() -> None:
    missing = [
        f"{path} {method}"
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for answer in (*operation["responses"].values(), operation.get("requestBody", {}))
        for content in answer.get("content", {}).values()
        if "example" not in content
    ]

    assert missing == []
