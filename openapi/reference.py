"""The tables of docs/reference/api.md, from the OpenAPI document."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

JSONObject = Mapping[str, Any]

SECTION = re.compile(r"(<!-- `make openapi` writes: (\w+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str, document: JSONObject) -> str:
    """Return the page with its tables written from the document."""
    schemas = document["components"]["schemas"]
    tables = {
        "operations": _table("Request", "Purpose", "Success", "Scope")(_operations(document)),
        "parameters": _table("Parameter", "Value", "Meaning")(_parameters(document)),
        "customer": _table("Field", "Value", "Meaning")(_fields(schemas, "Customer")),
        "address": _table("Field", "Value", "Meaning")(_fields(schemas, "Address")),
    }
    return SECTION.sub(lambda section: f"{section[1]}\n{tables[section[2]]}\n", text)


def _table(*titles: str) -> Any:
    def lines(rows: Iterable[tuple[str, ...]]) -> str:
        return "".join(f"| {' | '.join(row)} |\n" for row in (titles, ["---"] * len(titles), *rows))

    return lines


def _operations(document: JSONObject) -> Iterator[tuple[str, ...]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "head":
                continue
            success = ", ".join(status for status in operation["responses"] if status < "400")
            scopes = [f"`{scope}`" for by in operation["security"] for scope in by["bearer"]]
            request = f"`{method.upper()} {path}`"
            yield request, operation["summary"], success, ", ".join(scopes) or "none"


def _parameters(document: JSONObject) -> Iterator[tuple[str, ...]]:
    schemas = document["components"]["schemas"]
    for parameter in document["paths"]["/customers"]["get"]["parameters"]:
        if parameter["in"] == "query":
            value = _value(parameter["schema"], schemas)
            yield f"`{parameter['name']}`", value, parameter["description"]


def _fields(schemas: JSONObject, name: str) -> Iterator[tuple[str, ...]]:
    for field, schema in schemas[name]["properties"].items():
        yield f"`{field}`", _value(schema, schemas), schema["description"]


def _value(schema: JSONObject, schemas: JSONObject) -> str:
    """Return what a value may be, in a few words."""
    if "$ref" in schema:
        schema = {**schemas[schema["$ref"].rpartition("/")[2]], **schema}
    if "enum" in schema:
        words = ", ".join(f"`{choice}`" for choice in schema["enum"])
    else:
        words = _type(schema) + _limits(schema)
    default = schema.get("default")
    return words if default in (None, [], {}) else f"{words}; default: `{_json(default)}`"


def _type(schema: JSONObject) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = [schema.get("format", types[0]), *types[1:]]
    return " or ".join(words) + (", read-only" if schema.get("readOnly") else "")


def _limits(schema: JSONObject) -> str:
    if "maximum" in schema:
        return f", {schema['minimum']} to {schema['maximum']}"
    units = {"maxLength": "characters", "maxItems": "items", "maxProperties": "keys"}
    for key, unit in units.items():
        if key in schema:
            return f", up to {schema[key]} {unit}"
    return ""


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
