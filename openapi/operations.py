"""The paths of the document, generated from the declarations of the operations."""

import inspect
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chalicelib.http import documents
from chalicelib.http.responses import LINES
from chalicelib.http.routing import DeclarationError, Operation
from openapi import headers, parameters, problems
from openapi.declarations import Documentation, JSONSchema, Response, ref
from openapi.references import Table, documentation, tags

if TYPE_CHECKING:
    from chalicelib.http.problems import Problem

JSONObject = dict[str, Any]

MAX_BYTES = 6_291_456  # of a function's response: AWS's limit
EVERY_RESPONSE = ("Request-Id", "Cache-Control", "Vary")


class Paths:
    """Builds the paths, and collects the problem responses that they refer to."""

    def __init__(self, table: Table, schemas: Collection[str]) -> None:
        """Take the names of the schemas that requests and responses may refer to."""
        self.responses: dict[str, JSONObject] = {}
        self._table = table
        self._schemas = schemas
        self._tags = tags(table)
        own = [problem for tag in self._tags for problem in tag.problems]
        self._problems: dict[str, Problem] = {each.type: each for each in (*problems.SHARED, *own)}

    def build(self) -> JSONObject:
        paths: dict[str, JSONObject] = {}
        for operation in self._table.values():
            paths.setdefault(operation.path, {}).update(self._methods(operation))
        return paths

    def _methods(self, operation: Operation) -> Iterator[tuple[str, JSONObject]]:
        described = self._operation(operation, documentation(operation))
        for method in operation.methods:
            is_head = method == "HEAD"
            yield method.lower(), self._as_head(described) if is_head else described

    def _operation(self, operation: Operation, documented: Documentation) -> JSONObject:
        summary, description = _texts(operation)
        described = {
            "operationId": _operation_id(operation.name),
            "tags": [documented.tag.name],
            "summary": summary,
            "description": description,
            "parameters": list(parameters.describe(operation, self._tags)),
            "responses": dict(self._all_responses(operation, documented)),
            "security": [{"bearer": [operation.scope]}] if operation.scope else [],
        }
        return described | self._request_body(operation, documented)

    def _as_head(self, described: JSONObject) -> JSONObject:
        """Return the operation for HEAD: the same headers, without a body."""
        responses = {
            status: _without_body(self._dereferenced(response))
            for status, response in described["responses"].items()
        }
        name = "head" + described["operationId"].removeprefix("get")
        text = "As GET, without the body."
        return described | {"operationId": name, "description": text, "responses": responses}

    def _dereferenced(self, response: JSONObject) -> JSONObject:
        return self.responses[response["$ref"].split("/")[-1]] if "$ref" in response else response

    def _all_responses(
        self, operation: Operation, documented: Documentation
    ) -> Iterator[tuple[str, JSONObject]]:
        for status, response in documented.responses.items():
            yield str(status), self._response(operation, response)
        types = self._problem_types(operation, documented)
        for status, name, problem in problems.responses(types, self._problems):
            self.responses[name] = problem
            yield str(status), {"$ref": f"#/components/responses/{name}"}

    def _problem_types(self, operation: Operation, documented: Documentation) -> tuple[str, ...]:
        for name in documented.problems:
            if name not in self._problems:
                raise DeclarationError(
                    f"{operation.name}: there is no example of the problem {name}: add one to"
                    f" the problems of the Tag {documented.tag.name}"
                )
        types = (*documented.problems, *problems.EVERY_OPERATION)
        needs_token = operation.scope is not None
        return tuple(name for name in types if needs_token or name not in problems.OF_TOKENS)

    def _response(self, operation: Operation, response: Response) -> JSONObject:
        names = (*EVERY_RESPONSE, *response.headers)
        described: JSONObject = {
            "description": response.description,
            "headers": {name: headers.ref(operation.name, name) for name in names},
        }
        if response.schema:
            content = self._content(operation, response)
            described["content"] = {
                _with_charset(media_type): _lines(response) if media_type == LINES else content
                for media_type in _media_types(operation)
            }
        if response.links:
            links = {_operation_id(name): self._link(operation, name) for name in response.links}
            described["links"] = links
        return described

    def _content(self, operation: Operation, response: Response) -> JSONObject:
        if response.example is None:
            raise DeclarationError(
                f'{operation.name}: the response "{response.description}" has no example: add it to'
                f" {operation.documentation}"
            )
        schema = response.schema
        return {
            "schema": self._schema(operation, schema) if isinstance(schema, str) else schema,
            "example": response.example,
        }

    def _request_body(self, operation: Operation, documented: Documentation) -> JSONObject:
        body = documented.body
        if body is None:
            return {}
        content = {"schema": self._schema(operation, body.schema), "example": body.example}
        media_types = dict.fromkeys(operation.consumes, content)
        return {"requestBody": {"required": True, "content": media_types}}

    def _schema(self, operation: Operation, name: str) -> JSONSchema:
        if name not in self._schemas:
            raise DeclarationError(
                f"{operation.name}: there is no schema {name}: correct {operation.documentation};"
                f" there are {', '.join(sorted(self._schemas))}"
            )
        return ref(name)

    def _link(self, operation: Operation, name: str) -> JSONObject:
        """Return how to continue after the operation with the operation of that name."""
        if name not in self._table:
            raise DeclarationError(f"{operation.name}: it links to {name}, which is no operation")
        target = self._table[name]
        known = parameters.in_path(operation.path)
        arguments = {
            each: f"$request.path.{each}" if each in known else "$response.body#/id"
            for each in parameters.in_path(target.path)
        }
        if "If-Match" in documentation(target).required:
            arguments["header.If-Match"] = "$response.header.ETag"
        return {"operationId": _operation_id(name), "parameters": arguments}


def _texts(operation: Operation) -> tuple[str, str]:
    """Return summary and description: the docstring's first line, and its other paragraphs."""
    text = inspect.getdoc(operation.view)
    if not text:
        raise DeclarationError(
            f"{operation.name} has no description: write a docstring for its view. Its first line"
            " is the summary, and the other paragraphs are the description"
        )
    summary, *paragraphs = (" ".join(each.split("\n")) for each in text.split("\n\n"))
    return summary.removesuffix("."), "\n\n".join(paragraphs) or summary


def _operation_id(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _media_types(operation: Operation) -> Sequence[str]:
    if not operation.produces:
        raise DeclarationError(
            f"{operation.name}: its documentation has a response body: remove produces=[] from"
            " the decorator, or the body"
        )
    return operation.produces


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _lines(response: Response) -> JSONObject:
    """Return the content of a page as lines. JSON Schema can't describe the lines of a text."""
    return {
        "schema": {
            "type": "string",
            "description": "A line of JSON for each of `items`.",
            "pattern": r"^(\{.*\}\n)*$",
            "maxLength": MAX_BYTES,
        },
        "example": "".join(f"{documents.dumps(item)}\n" for item in response.example["items"]),
    }


def _without_body(response: JSONObject) -> JSONObject:
    return {name: value for name, value in response.items() if name not in ("content", "links")}
