"""The OpenAPI document matches the code, and the API serves it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from chalicelib.http.problems import TYPE_BASE, Problem
from chalicelib.http.routing import Operation
from openapi import build, customers, page
from openapi.problems import kinds

FILES = build.texts()
DOCUMENT = build.document()
PROBLEMS = build.problem_pages()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def operation(path: str, method: str) -> dict[str, Any]:
    return DOCUMENT["paths"][path][method]  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    """Generating also validates the document: OpenAPI 3.1, references, ids and examples."""
    assert path.read_text(encoding="utf-8") == FILES[path], "run `make openapi`"


def test_every_route_is_in_the_document() -> None:
    routes = {
        (operation.path, method.lower())
        for operation in app.operation.table.values()
        for method in operation.methods
    }

    assert set(OPERATIONS) == routes
    assert DOCUMENT["paths"].keys() == app.app.routes.keys()


def test_operation_ids_derive_from_the_views_names() -> None:
    ids = {operation(path, method)["operationId"] for path, method in OPERATIONS}

    assert len(ids) == len(OPERATIONS)
    assert {"getCustomers", "getCustomer", "createCustomer", "headCustomer"} <= ids


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_operation_requires_the_scope_of_its_route(path: str, method: str) -> None:
    scopes = {
        operation.scope
        for operation in app.operation.table.values()
        if operation.path == path and method.upper() in operation.methods
    }
    documented = operation(path, method)["security"]

    assert documented == [{"bearer": [scope]} for scope in scopes if scope]


@pytest.mark.parametrize("problem", list(kinds()), ids=lambda problem: problem.__name__)
def test_problem_type_links_to_its_paragraph(problem: type[Problem]) -> None:
    assert TYPE_BASE == "/problems#"
    assert f"\n## {problem.type}\n\n{problem.status}, *{problem.title}*. " in PROBLEMS
    assert f'<h2 id="{problem.type}">' in page.html(PROBLEMS)


def test_every_paragraph_describes_a_problem() -> None:
    anchors = re.findall(r"^## (.+)$", PROBLEMS, re.MULTILINE)

    assert sorted(anchors) == sorted(problem.type for problem in kinds())


def undescribed(node: Any, pointer: str = "") -> Iterator[str]:
    """Yield the place of each property, parameter, header and response without a description."""
    if isinstance(node, list):
        for number, below in enumerate(node):
            yield from undescribed(below, f"{pointer}/{number}")
    elif isinstance(node, dict):
        for name, below in node.items():
            if name in {"example", "examples", "links", "if", "then"}:
                continue
            place = f"{pointer}/{name}"
            if name in {"properties", "headers", "responses", "parameters"}:
                parts = below.items() if isinstance(below, dict) else enumerate(below)
                for key, part in parts:
                    if not {"description", "$ref"} & part.keys():
                        yield f"{place}/{key}"
            yield from undescribed(below, place)


def test_every_part_has_a_description() -> None:
    operations = [
        f"{method} {path}"
        for path, method in OPERATIONS
        if not (operation(path, method)["summary"] and operation(path, method)["description"])
    ]

    assert operations + list(undescribed(DOCUMENT)) == []


def test_part_without_a_description_is_detected() -> None:
    document = build.document()
    del document["components"]["schemas"]["Customer"]["properties"]["phone"]["description"]
    del document["components"]["headers"]["Link"]["description"]
    del document["paths"]["/customers"]["get"]["parameters"][0]["description"]

    assert set(undescribed(document)) == {
        "/components/schemas/Customer/properties/phone",
        "/components/headers/Link",
        "/paths//customers/get/parameters/0",
    }


def test_every_operation_has_an_example_of_each_body() -> None:
    missing = [
        f"{method} {path}"
        for path, method in OPERATIONS
        for holder in (
            *operation(path, method)["responses"].values(),
            operation(path, method).get("requestBody", {}),
        )
        for content in holder.get("content", {}).values()
        if "example" not in content
    ]

    assert missing == []


def test_page_is_html_without_markdown() -> None:
    text = re.sub(r"<pre>.*?</pre>", "", page.html(PROBLEMS), flags=re.DOTALL)

    assert not re.search(r"^[#|`]|\]\(|\*\w|`", text, re.MULTILINE)


def test_problems_page_is_served(api: Any) -> None:
    answer = api.request("GET", "/problems", headers={})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.body.decode() == page.html(PROBLEMS)


def test_document_is_served(api: Any) -> None:
    answer = api.request("GET", "/openapi.json", headers={})

    assert answer.status_code == 200
    assert json.loads(answer.body)["paths"] == DOCUMENT["paths"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_precondition_of_a_read_is_documented(method: str) -> None:
    """The fuzzer found that reads return 412, and that the document mentioned neither."""
    described = operation("/customers/{customer_id}", method)

    assert "412" in described["responses"]
    assert "If-Match" in [each.get("name") for each in described["parameters"]]


@pytest.mark.parametrize(
    "declared",
    [each for each in app.operation.table.values() if each.consumes],
    ids=lambda each: each.name,
)
def test_operation_accepts_the_media_types_that_it_declares(api: Any, declared: Operation) -> None:
    path = re.sub("{.*?}", customers.ID, declared.path)

    def send(media_type: str) -> Any:
        headers = {"Content-Type": media_type, "If-Match": "*"}
        return api.request(declared.methods[0], path, b"{", headers)

    rejected = send("text/plain")

    assert rejected.status_code == 415
    assert rejected.json_body["detail"].count("application/") == len(declared.consumes)
    for media_type in declared.consumes:
        assert media_type in rejected.json_body["detail"]
        assert send(media_type).json_body["type"] == "/problems#malformed-json"
