"""Find changes in an OpenAPI document that break clients of an older document.

A client breaks if the API rejects a request that used to be valid, or returns a response that the
older document doesn't allow. So a request schema must accept everything that the older one accepts.
A response schema must allow only what the older one allows: the same check in the other direction.

Supports only the parts of OpenAPI and JSON Schema that this project's document uses.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Node = dict[str, Any]
Breaks = Iterator[str]

ANY = {"array", "boolean", "integer", "null", "number", "object", "string"}
UPPER = ("maxLength", "maximum", "maxItems", "maxProperties")
LOWER = ("minLength", "minimum", "minItems", "minProperties")
OPAQUE = ("pattern", "format", "propertyNames", "not", "multipleOf", "uniqueItems")


def breaking_changes(old: Node, new: Node) -> list[str]:
    """Return the changes that break clients of `old`, as 'operation: place: change'."""
    before, after = _operations(old), _operations(new)
    found = [f"{name}: removed" for name in before.keys() - after.keys()]
    for name in before.keys() & after.keys():
        found += [f"{name}: {change}" for change in _operation(before[name], after[name])]
    return sorted(found)


def _operations(document: Node) -> dict[str, Node]:
    return {
        f"{method.upper()} {path}": _resolved(document, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _resolved(document: Node, node: Any) -> Any:
    """Return the node with references resolved; keys next to a `$ref` take precedence."""
    if isinstance(node, list):
        return [_resolved(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    own = {key: _resolved(document, value) for key, value in node.items() if key != "$ref"}
    if not isinstance(node.get("$ref"), str):
        return own
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return _both(_resolved(document, target), own)


def _both(base: Node, own: Node) -> Node:
    properties = {
        name: base.get("properties", {}).get(name, {}) | rules
        for name, rules in own.get("properties", {}).items()
    }
    merged = base | own
    return merged | ({"properties": base.get("properties", {}) | properties} if properties else {})


def _operation(old: Node, new: Node) -> Breaks:
    if old["operationId"] != new["operationId"]:
        yield f"operationId: now {new['operationId']}"
    yield from (f"security: needs {scope}" for scope in _scopes(new) - _scopes(old))
    yield from _parameters(old, new)
    yield from _body(old.get("requestBody"), new.get("requestBody"))
    yield from _responses(old["responses"], new["responses"])


def _scopes(operation: Node) -> set[str]:
    """Return the required scopes; the name of the scheme represents the token itself."""
    schemes = [scheme for way in operation["security"] for scheme in way.items()]
    return {name for scheme, scopes in schemes for name in (scheme, *scopes)}


def _parameters(old: Node, new: Node) -> Breaks:
    before, after = _by_name(old), _by_name(new)
    for name, parameter in after.items():
        if parameter.get("required") and not before.get(name, {}).get("required"):
            yield f"{name}: required now"
    for name, parameter in before.items():
        if name not in after:
            yield f"{name}: removed"
            continue
        for key in ("style", "explode"):
            if parameter.get(key) != after[name].get(key):
                yield f"{name}: another {key}"
        yield from _request(parameter["schema"], after[name]["schema"], name)


def _by_name(operation: Node) -> dict[str, Node]:
    found = operation.get("parameters", [])
    return {
        f"{parameter['in']} parameter {parameter['name'].lower()}": parameter for parameter in found
    }


def _body(old: Node | None, new: Node | None) -> Breaks:
    if new and new.get("required") and not (old and old.get("required")):
        yield "request: required now"
    for media_type, content in (old or {}).get("content", {}).items():
        where = f"request {media_type}"
        if media_type not in (new or {}).get("content", {}):
            yield f"{where}: removed"
        else:
            yield from _request(content["schema"], new["content"][media_type]["schema"], where)  # type: ignore[index]


def _responses(old: Node, new: Node) -> Breaks:
    for status, response in old.items():
        where = f"response {status}"
        if status not in new:
            yield f"{where}: removed"
            continue
        yield from _headers(response.get("headers", {}), new[status].get("headers", {}), where)
        for media_type, content in response.get("content", {}).items():
            if media_type not in new[status].get("content", {}):
                yield f"{where} {media_type}: removed"
                continue
            schema = new[status]["content"][media_type]["schema"]
            yield from _response(content["schema"], schema, f"{where} {media_type}")


def _headers(old: Node, new: Node, where: str) -> Breaks:
    for name, header in old.items():
        place = f"{where} header {name}"
        if name not in new:
            yield f"{place}: removed"
            continue
        if header.get("required") and not new[name].get("required"):
            yield f"{place}: no longer always there"
        yield from _response(header["schema"], new[name]["schema"], place)


def _request(old: Node, new: Node, where: str) -> Breaks:
    yield from _outside(old, new, where)
    for place, before, after in _pairs(old, new, where):
        if "default" in before and before["default"] != after.get("default"):
            yield f"{place}: another default"


def _response(old: Node, new: Node, where: str) -> Breaks:
    yield from _outside(new, old, where)
    for place, before, after in _pairs(old, new, where):
        gone = before.get("properties", {}).keys() - after.get("properties", {}).keys()
        yield from (f"{place}/{name}: removed" for name in gone)


def _pairs(old: Node, new: Node, where: str) -> Iterator[tuple[str, Node, Node]]:
    """Yield pairs of schemas with the same place in both, recursively."""
    yield where, old, new
    for place, inside in _inside(old, where):
        if found := dict(_inside(new, where)).get(place):
            yield from _pairs(inside, found, place)


def _inside(schema: Node, where: str) -> Iterator[tuple[str, Node]]:
    for name, rules in schema.get("properties", {}).items():
        yield f"{where}/{name}", rules
    if "items" in schema:
        yield f"{where}/*", schema["items"]
    for number, item in enumerate(schema.get("anyOf", ())):
        yield f"{where}|{number}", item


def _outside(inner: Node, outer: Node, where: str) -> Breaks:
    """Yield the reasons why a value could be valid for `inner` but not for `outer`."""
    if "anyOf" in inner or "anyOf" in outer:
        yield from _outside_all(_branches(inner), _branches(outer), where)
        return
    if excess := _types(inner) - _types(outer):
        yield f"{where}: may be {', '.join(sorted(excess))}"
    yield from _outside_values(inner, outer, where)
    yield from _outside_limits(inner, outer, where)
    yield from _outside_properties(inner, outer, where)
    if "items" in outer:
        yield from _outside(inner.get("items", {}), outer["items"], f"{where}/*")


def _outside_all(inner: list[Node], outer: list[Node], where: str) -> Breaks:
    for part in inner:
        reasons = [list(_outside(part, other, where)) for other in outer]
        yield from min(reasons, key=len)


def _branches(schema: Node) -> list[Node]:
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return [rest | item for item in schema.get("anyOf", [{}])]


def _types(schema: Node) -> set[str]:
    named = schema.get("type", list(ANY))
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types


def _outside_values(inner: Node, outer: Node, where: str) -> Breaks:
    known, possible = _values(outer), _values(inner)
    if known is None or outer.get("x-extensible"):
        return
    if possible is None:
        yield f"{where}: may be any value"
    elif excess := [value for value in possible if value not in known]:
        yield f"{where}: may be {', '.join(map(str, excess))}"


def _values(schema: Node) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _outside_limits(inner: Node, outer: Node, where: str) -> Breaks:
    for limit in UPPER:
        if limit in outer and inner.get(limit, float("inf")) > outer[limit]:
            yield f"{where}: {limit} is {outer[limit]} in one only"
    for limit in LOWER:
        if limit in outer and inner.get(limit, 0) < outer[limit]:
            yield f"{where}: {limit} is {outer[limit]} in one only"
    for rule in OPAQUE:
        if rule in outer and outer[rule] != inner.get(rule):
            yield f"{where}: another {rule}"


def _outside_properties(inner: Node, outer: Node, where: str) -> Breaks:
    for name in set(outer.get("required", ())) - set(inner.get("required", ())):
        yield f"{where}/{name}: required in one only"
    others = _rest(outer)
    properties: Mapping[str, Node] = outer.get("properties", {})
    for name, rules in inner.get("properties", {}).items():
        if name in properties:
            yield from _outside(rules, properties[name], f"{where}/{name}")
        elif others is None:
            yield f"{where}/{name}: is rejected"
        elif others:
            yield from _outside(rules, others, f"{where}/{name}")
    if others is None and _rest(inner) is not None and "object" in _types(inner):
        yield f"{where}: may have other properties"
    elif others:
        yield from _outside(_rest(inner) or {}, others, f"{where}/{{name}}")


def _rest(schema: Node) -> Node | None:
    """Return the schema of unnamed properties, or None if they are forbidden."""
    rest = schema.get("additionalProperties", {})
    return None if rest is False else {} if rest is True else rest
