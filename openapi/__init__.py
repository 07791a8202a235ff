"""The API as OpenAPI 3.1, from the marshmallow schemas and the table of the operations.

It is built when the project is, by `make openapi`: the service only sends the file that this
makes.
"""

import inspect
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apispec import APISpec

import app
from chalicelib.customers import lists, queries
from chalicelib.http.routing import Operation
from openapi import accepted, components, page, reference, shapes
from openapi.operations import (
    DESCRIPTIONS,
    EVERY_ANSWER,
    EVERY_OPERATION,
    OF_TOKENS,
    Answer,
    Description,
)
from openapi.texts import ABOUT, BEARER, QUERIES, TAGS

ROOT = Path(__file__).parent.parent
SERVED, SHOWN = ROOT / "chalicelib" / "openapi.json", ROOT / "docs" / "openapi.json"
ACCEPTED = ROOT / "chalicelib" / "customers" / "accepted.json"
PAGE, PROBLEMS = ROOT / "chalicelib" / "problems.html", ROOT / "docs" / "problems.md"
REFERENCE = ROOT / "docs" / "reference" / "api.md"

JSONObject = dict[str, Any]


def document() -> JSONObject:
    """Return the document of the API as the code is now."""
    spec = APISpec(
        "Customers API",
        _version(),
        "3.1.0",
        info={"summary": "Customers: created, found, changed, deleted.", "description": ABOUT},
        # as relative to where the document is, stage and all
        servers=[{"url": "."}],
        tags=list(TAGS),
    )
    _add_components(spec)
    for operation in app.operation.table.values():
        spec.path(operation.path, operations=dict(_operations(spec, operation)))
    return json.loads(json.dumps(spec.to_dict()))  # type: ignore[no-any-return]


def texts() -> dict[Path, str]:
    """Return what `make openapi` writes, by file: what is served, read in `docs`, or accepted."""
    found = document()
    compact = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    return {
        SERVED: compact,
        SHOWN: json.dumps(found, indent=2, ensure_ascii=False) + "\n",
        ACCEPTED: json.dumps(accepted.rules(), indent=1) + "\n",
        PAGE: page.html(PROBLEMS.read_text(encoding="utf-8")),
        REFERENCE: reference.page(REFERENCE.read_text(encoding="utf-8"), found),
    }


def _add_components(spec: APISpec) -> None:
    health = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
    for name, schema in (
        *shapes.customer_schemas(),
        *shapes.list_schemas(),
        *components.problem_schemas(),
        ("Health", health),
        ("OpenAPIDocument", {"type": "object", "required": ["openapi", "info", "paths"]}),
    ):
        spec.components.schema(name, schema)
    for name, header in components.ANSWER_HEADERS.items():
        spec.components.header(name, header)
    spec.components.security_scheme("bearer", BEARER)


def _operations(spec: APISpec, operation: Operation) -> Iterator[tuple[str, JSONObject]]:
    """Yield what each method of a route does."""
    for method in operation.methods:
        made = _operation(spec, operation, DESCRIPTIONS[operation.name])
        yield method.lower(), _as_head(spec, made) if method == "HEAD" else made


def _operation(spec: APISpec, operation: Operation, description: Description) -> JSONObject:
    made = {
        "operationId": _operation_id(operation.name),
        "tags": [description.tag],
        "summary": description.summary,
        "description": description.text,
        "parameters": list(_parameters(operation, description)),
        "responses": dict(_responses(spec, operation, description)),
        "security": [{"bearer": [operation.scope]}] if operation.scope else [],
    }
    return made | ({"requestBody": _body(description)} if description.body else {})


def _as_head(spec: APISpec, made: JSONObject) -> JSONObject:
    """Return the operation as HEAD has it: the same headers, and no body."""
    shared = spec.components.responses
    responses = {
        status: _without_body(shared[each["$ref"].split("/")[-1]] if "$ref" in each else each)
        for status, each in made["responses"].items()
    }
    name = "head" + made["operationId"].removeprefix("get")
    text = "As GET, without the body."
    return made | {"operationId": name, "description": text, "responses": responses}


def _without_body(answer: JSONObject) -> JSONObject:
    return {name: value for name, value in answer.items() if name not in ("content", "links")}


def _parameters(operation: Operation, description: Description) -> Iterator[JSONObject]:
    if "{customer_id}" in operation.path:
        yield components.CUSTOMER_ID
    schema = queries.QUERIES.get(operation.name)
    for name, rules in (shapes.query_parameters(schema) if schema else {}).items():
        text = rules.pop("description", None) or QUERIES[operation.name][name]
        known = rules | _default(operation, name)
        yield {"name": name, "in": "query", "description": text, "schema": known}
    for name in (*description.headers, "Request-Id"):
        required = {"required": True} if name in description.required else {}
        yield {"name": name, "in": "header", **required, **components.REQUEST_HEADERS[name]}


def _default(operation: Operation, parameter: str) -> JSONObject:
    """Return the parameter's default, where it is always the same, and JSON."""
    takes = {"get_customers": lists.Query}.get(operation.name, operation.view)
    found = inspect.signature(takes).parameters.get(parameter)
    is_known = found and parameter != "sort" and isinstance(found.default, bool | int)
    return {"default": found.default} if found and is_known else {}


def _body(description: Description) -> JSONObject:
    body = description.body
    assert body is not None  # noqa: S101 (mypy)
    content = {"schema": components.ref(body.schema), "example": body.example}
    return {"required": True, "content": dict.fromkeys(body.media_types, content)}


def _responses(
    spec: APISpec, operation: Operation, description: Description
) -> Iterator[tuple[str, JSONObject]]:
    for status, answer in description.answers.items():
        yield str(status), _answer(answer, operation)
    types = (*description.problems, *EVERY_OPERATION)
    if operation.scope is None:
        types = tuple(name for name in types if name not in OF_TOKENS)
    for status, name, problem in components.problem_answers(types):
        if name not in spec.components.responses:
            spec.components.response(name, problem)
        yield str(status), {"$ref": f"#/components/responses/{name}"}


def _answer(answer: Answer, operation: Operation) -> JSONObject:
    names = (*EVERY_ANSWER, *answer.headers)
    made: JSONObject = {
        "description": answer.description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if answer.schema:
        content = {"schema": answer.schema, "example": answer.example}
        made["content"] = {answer.media_type: content}
    if answer.links:
        made["links"] = {name: _link(name, operation) for name in answer.links}
    return made


def _link(name: str, operation: Operation) -> JSONObject:
    """Return how to go on from the answer with the operation of that id."""
    is_in_path = "{customer_id}" in operation.path
    source = "$request.path.customer_id" if is_in_path else "$response.body#/id"
    parameters = {"customer_id": source}
    if name == "replaceCustomer":
        parameters["header.If-Match"] = "$response.header.ETag"
    return {"operationId": name, "parameters": parameters}


def _operation_id(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])
