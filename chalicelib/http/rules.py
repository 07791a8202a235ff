"""Check JSON values by rules, without importing marshmallow.

Importing marshmallow takes most of a cold start. `make openapi` generates rules from marshmallow
schemas, and `compile_object` makes a function of them. The function accepts only values that are
certainly valid and already normalized. For all other values it raises Unsure, and the schemas
decide.

An object's rules are a JSON object. It has one rule per field, in the order of the result:

    {"max_length": 300, "nullable": true,             text of 1 to 300 characters, or null
     "default": null}
    {"max_length": 8, "choices": ["a", "b"]}          one of these texts
    {"max_length": 40, "pattern": "[0-9]+"}           text that the whole pattern matches
    {"is_phone": true}                                phone number in E.164
    {"items": {...}, "max_items": 5}                  array of at most 5 objects with these rules
    {"names": {...}, "values": {...},                 object of at most 50 texts, whose names and
     "max_items": 50, "max_bytes": 4096}              values have these rules, and its size as JSON

Text is a line without control and invisible characters and without outer whitespace, in normal form
C. `default` is the value of a missing field. A field without a default is required. A rule for text
with `"max_length": 0` accepts no text.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from unicodedata import combining, is_normalized

from chalicelib.http import phones
from chalicelib.http.documents import json_size

Rule = Mapping[str, Any]
Check = Callable[[Any], Any]
"""Return the value as the schemas would. Raises Unsure."""


class Unsure(Exception):
    """Only the schemas can decide."""


def compile_object(rules: Mapping[str, Rule]) -> Check:
    """Return a check for JSON objects with these rules."""
    fields = [(name, rule.get("default"), _compile(rule)) for name, rule in rules.items()]

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not value.keys() <= rules.keys():
            raise Unsure
        return {
            name: check_field(value.get(name, default)) for name, default, check_field in fields
        }

    return check


def _compile(rule: Rule) -> Check:
    if "items" in rule:
        return _array(compile_object(rule["items"]), rule["max_items"])
    if "names" in rule:
        name, value = _text(**rule["names"]), _text(**rule["values"])
        return _texts(name, value, rule["max_items"], rule["max_bytes"])
    if "is_phone" in rule:
        return _phone(nullable=rule.get("nullable", False))
    return _text(**{name: value for name, value in rule.items() if name != "default"})


def _text(
    max_length: int,
    *,
    nullable: bool = False,
    choices: list[str] | None = None,
    pattern: str | None = None,
) -> Check:
    among = None if choices is None else frozenset(choices)

    def check(value: Any) -> str | None:
        if value is None and nullable:
            return None
        if (
            isinstance(value, str)
            and 0 < len(value) <= max_length
            and value.isprintable()
            and value == value.strip()
            and (value.isascii() or _is_composed(value))
            and (among is None or value in among)
            and (pattern is None or _compiled(pattern).fullmatch(value))
        ):
            return value
        raise Unsure

    return check


def _phone(*, nullable: bool) -> Check:
    def check(value: Any) -> str | None:
        is_certain = isinstance(value, str) and phones.is_certain(value)
        if is_certain or (value is None and nullable):
            return value  # type: ignore[no-any-return]
        raise Unsure

    return check


def _is_composed(text: str) -> bool:
    from chalicelib.http import characters  # its tables would delay a cold start

    is_composed = is_normalized("NFC", text) and not any(map(combining, text))
    return is_composed and characters.is_plain(text)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _array(check_item: Check, max_items: int) -> Check:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > max_items:
            raise Unsure
        return [check_item(item) for item in value]

    return check


def _texts(check_name: Check, check_value: Check, max_items: int, max_bytes: int) -> Check:
    def check(value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > max_items:
            raise Unsure
        if not value:
            return {}
        texts = {check_name(name): check_value(value[name]) for name in sorted(value)}
        if json_size(texts) > max_bytes:
            raise Unsure
        return texts

    return check
