"""What is plainly a new customer, told without marshmallow, which takes most of a cold start.

`schemas` has the rules. `accepted.json`, which `make openapi` makes of them, says which values
they take and leave as they are. What is not plainly such goes to `schemas`, which alone refuses.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import combining, is_normalized

from chalicelib.customers import rows
from chalicelib.http.documents import json_size

Rule = Mapping[str, Any]
Check = Callable[[Any], Any]
"""Returns the value as `schemas` would. Raises Unsure."""


class Unsure(Exception):
    """Only `schemas` can tell."""


def load_customer(document: object) -> dict[str, Any]:
    """Return what `schemas.load_customer` does of a new customer. Raises ValidationError."""
    try:
        return accepted(document)
    except Unsure:
        from chalicelib.customers import schemas

        return schemas.load_customer(document)


def accepted(document: object) -> dict[str, Any]:
    """Return what `schemas.load_customer` would. Raises Unsure where that is not plain."""
    customer: dict[str, Any] = _customer()(document)
    has_documents = customer["addresses"] or customer["metadata"]
    if not rows.has_a_name(customer) or (has_documents and rows.size(customer) > rows.MAX_SIZE):
        raise Unsure
    return customer


@cache
def _customer() -> Check:
    text = Path(__file__).with_name("accepted.json").read_text(encoding="utf-8")
    return _object(json.loads(text))


def _object(rules: Mapping[str, Rule]) -> Check:
    """Take a JSON object of members that have rules, in the order of these."""
    members = [(name, rule.get("default"), _check(rule)) for name, rule in rules.items()]

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not value.keys() <= rules.keys():
            raise Unsure
        return {name: take(value.get(name, default)) for name, default, take in members}

    return check


def _check(rule: Rule) -> Check:
    if "items" in rule:
        return _items(_object(rule["items"]), rule["most"])
    if "names" in rule:
        return _texts(_text(**rule["names"]), _text(**rule["values"]), rule["most"], rule["bytes"])
    return _text(**{name: value for name, value in rule.items() if name != "default"})


def _text(
    most: int,
    *,
    null: bool = False,
    choices: list[str] | None = None,
    pattern: str | None = None,
) -> Check:
    """Take a line that is trimmed and normalized already."""

    def check(value: Any) -> str | None:
        if value is None and null:
            return None
        if (
            isinstance(value, str)
            and 0 < len(value) <= most
            and value.isprintable()
            and value == value.strip()
            and (value.isascii() or _is_composed(value))
            and (choices is None or value in choices)
            and (pattern is None or _compiled(pattern).fullmatch(value))
        ):
            return value
        raise Unsure

    return check


def _is_composed(text: str) -> bool:
    return is_normalized("NFC", text) and not any(map(combining, text))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _items(item: Check, most: int) -> Check:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise Unsure
        return [item(each) for each in value]

    return check


def _texts(name: Check, text: Check, most: int, most_bytes: int) -> Check:
    def check(value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > most:
            raise Unsure
        if not value:
            return {}
        taken = {name(each): text(value[each]) for each in sorted(value)}
        if json_size(taken) > most_bytes:
            raise Unsure
        return taken

    return check
