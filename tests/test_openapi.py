"""The document says what the code does, and is what is served."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import app
import openapi
from chalicelib.http.problems import TYPE_BASE, Problem
from openapi import page
from openapi.operations import DESCRIPTIONS

DOCUMENT = openapi.document()
PROBLEMS = (Path(__file__).parent.parent / "docs" / "problems.md").read_text()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def operation(path: str, method: str) -> dict[str, Any]:
    return DOCUMENT["paths"][path][method]  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", openapi.texts(), ids=str)
def test_file_is_what_the_code_makes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == openapi.texts()[path], "run `make openapi`"


def test_every_route_is_in_the_document() -> None:
    routes = {
        (operation.path, method.lower())
        for operation in app.operation.table.values()
        for method in operation.methods
    }

    assert set(OPERATIONS) == routes
    assert DOCUMENT["paths"].keys() == app.app.routes.keys()


def test_every_description_is_of_a_route() -> None:
    assert DESCRIPTIONS.keys() == app.operation.table.keys()


def test_operation_ids_are_the_names_of_the_views() -> None:
    ids = {operation(path, method)["operationId"] for path, method in OPERATIONS}

    assert len(ids) == len(OPERATIONS)
    assert {"getCustomers", "getCustomer", "createCustomer", "headCustomer"} <= ids


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_operation_needs_the_scope_of_its_route(path: str, method: str) -> None:
    scopes = {
        operation.scope
        for operation in app.operation.table.values()
        if operation.path == path and method.upper() in operation.methods
    }
    documented = operation(path, method)["security"]

    assert documented == [{"bearer": [scope]} for scope in scopes if scope]


@pytest.mark.parametrize("problem", Problem.__subclasses__(), ids=lambda problem: problem.__name__)
def test_type_of_a_problem_leads_to_its_paragraph(problem: type[Problem]) -> None:
    assert TYPE_BASE == "/problems#"
    assert f"\n## {problem.type}\n\n{problem.status}, *{problem.title}*. " in PROBLEMS
    assert f'<h2 id="{problem.type}">' in page.html(PROBLEMS)


def test_every_paragraph_is_of_a_problem() -> None:
    anchors = re.findall(r"^## (.+)$", PROBLEMS, re.MULTILINE)

    assert set(anchors) == {problem.type for problem in Problem.__subclasses__()}


def test_every_part_has_a_description() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    undescribed = [
        f"{name}.{member}"
        for name in ("NewCustomer", "CustomerReplacement", "CustomerPatch", "Customer", "Address")
        for member, rules in schemas[name]["properties"].items()
        if not rules.get("description")
    ]
    parameters = [
        f"{path} {method} {parameter['name']}"
        for path, method in OPERATIONS
        for parameter in operation(path, method)["parameters"]
        if not parameter.get("description")
    ]

    assert undescribed + parameters == []


def test_page_is_html_without_markdown() -> None:
    text = re.sub(r"<pre>.*?</pre>", "", page.html(PROBLEMS), flags=re.DOTALL)

    assert not re.search(r"^[#|`]|\]\(|\*\w|`", text, re.MULTILINE)


def test_page_of_problems_is_served(api: Any) -> None:
    answer = api.request("GET", "/problems", headers={})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.body.decode() == page.html(PROBLEMS)


def test_document_is_no_secret(api: Any) -> None:
    answer = api.request("GET", "/openapi.json", headers={})

    assert answer.status_code == 200
    assert json.loads(answer.body)["paths"] == DOCUMENT["paths"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_condition_of_a_read_is_documented(method: str) -> None:
    """The fuzzer's first find: it was answered 412, and the document had neither."""
    described = operation("/customers/{customer_id}", method)

    assert "412" in described["responses"]
    assert "If-Match" in [parameter.get("name") for parameter in described["parameters"]]
