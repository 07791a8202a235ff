"""The fast path: validate common input by rules, without importing marshmallow.

Importing marshmallow, email-validator and the schemas costs five times as much as everything else
in a cold start. Most requests do not need them:

1. `make openapi` generates `accepted.json` from the marshmallow schemas of query strings, and of
   resources whose `Tag` has a `fast_path`, which the resource's module in `openapi` declares. For
   each schema, it has a rule per field.
2. `rules_of` returns the rules of a schema as an `ObjectRules`. Its methods return what the schema
   would return, if that is certain: `check` takes a whole resource, `check_some` a part of it or a
   query string. Otherwise they raise Unsure.
3. The caller then loads the same input with the schema. Callers are `routing` for query strings,
   and the module `acceptance` of the resource's package. Only schemas correct text and say what is
   invalid, so the fast path changes the cost of a request, and never its result.

To change a rule, change the schema in the resource's `schemas` or `queries`, and run `make
openapi`. Tests then name what else has the old limit, such as a column.

To add a kind of rule, add a case to `_rule` or `_text` in `openapi/accepted.py`; here a case to
`_compile`, or a parameter to `_text`; a line below; and values to `SOME` and to the tests of usual
values in `tests/test_acceptance.py`, or in `tests/test_accepted_queries.py` for query strings.
`make openapi` stops at an unknown class of field. Text with an unknown class or validator gets
`"max_length": 0`: no text is certain, so each takes the slow path. A check in code is a function
that the schema names with `Holds`, in a module without marshmallow.

Rules between fields, the methods that a resource's schema decorates with `validates_schema`, are
not in the file. The caller repeats those that `fast_path` names. `make openapi` stops at others.
Fields that they read must not be details (`is_detail`), because a patch of details only is
validated without the other fields.

Never accept what the schemas reject or change, and never import marshmallow here. If in doubt,
raise Unsure. `tests/test_acceptance.py` and `tests/test_accepted_queries.py` compare both, also
with generated input: `make test ARGS="-m '' tests/test_acc*"`. Without `-m ''`, `make test` leaves
out the generated input. `tests/test_openapi.py` fails if the file is outdated.

The rules of an object are a JSON object. It has one rule per field, in the order of the result:

    {"max_length": 300, "nullable": true,             text of 1 to 300 characters, or null
     "default": null}
    {"choices": ["a", "b"]}                           one of these texts
    {"max_length": 40, "pattern": "[0-9]+"}           text that the whole pattern matches
    {"max_length": 64, "holds": "module:function"}    text for which the function returns true
    {"is_phone": true}                                phone number in E.164
    {"items": {...}, "max_items": 5}                  array of at most 5 objects with these rules
    {"names": {...}, "values": {...},                 object of at most 50 texts, whose names and
     "max_items": 50, "max_bytes": 4096}              values have these rules, and its size as JSON
    {"is_read_only": true}                            field that only the service sets

and in query strings, where all values are text:

    {"minimum": 1, "maximum": 100}                    whole number in this range
    {"is_boolean": true}                              true or false
    {"is_moment": true}                               time with its offset
    {"separated": {...}, "max_items": 50}             at most 50 values with this rule, separated by
                                                      commas
    {"is_any": true}                                  any string

Numbers above are examples. Text is a line without control and invisible characters, combining
characters and outer whitespace; the schemas accept more. `default` is the value of a missing field.
A field without a default must be in a whole resource.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from unicodedata import combining, is_normalized

import chalicelib
from chalicelib.http import packaged, phones
from chalicelib.http.documents import json_size
from chalicelib.http.references import resolve

Rule = Mapping[str, Any]
Check = Callable[[Any], Any]
"""Return the value as the schemas would. Raises Unsure."""

FILE = "accepted.json"
_BOOLEANS = {"true": True, "false": False}


class Unsure(Exception):
    """Only the schemas can decide."""


class ObjectRules:
    """The rules of an object's fields.

    `read_only` are the names of the fields that only the service sets. `optional` fields have no
    value by default: null, [] or {}.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.read_only = frozenset(name for name in rules if "is_read_only" in rules[name])
        self.optional = frozenset(
            name for name, rule in rules.items() if "default" in rule and not rule["default"]
        )
        self._fields = {
            name: (rule.get("default"), rule.get("nullable", False), _compile(rule))
            for name, rule in rules.items()
            if name not in self.read_only
        }

    def check(self, value: Any) -> dict[str, Any]:
        """Return all writable fields, with defaults for missing ones. Raises Unsure."""
        self._check_names(value)
        return {
            name: None if (given := value.get(name, default)) is None and nullable else check(given)
            for name, (default, nullable, check) in self._fields.items()
        }

    def check_some(self, value: Any) -> dict[str, Any]:
        """Return only the fields that the object has. Raises Unsure."""
        self._check_names(value)
        return {
            name: None if value[name] is None and nullable else check(value[name])
            for name, (_, nullable, check) in self._fields.items()
            if name in value
        }

    def _check_names(self, value: Any) -> None:
        if not isinstance(value, dict) or not value.keys() <= self._fields.keys():
            raise Unsure


@cache
def rules_of(schema: str) -> ObjectRules:
    """Return the rules of the schema `module:name`. Raises Unsure if it has none."""
    if rules := _all_rules().get(schema):
        return ObjectRules(rules)
    raise Unsure


def load_query(schema: str | None, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what `queries.load` would return. Raises Unsure if that is not certain."""
    if schema is None or any(len(values) != 1 for values in query.values()):
        raise Unsure
    return rules_of(schema).check_some({name: values[0] for name, values in query.items()})


@cache
def _all_rules() -> Mapping[str, Mapping[str, Rule]]:
    return json.loads(packaged.read_text(chalicelib, FILE))  # type: ignore[no-any-return]


def _compile(rule: Rule) -> Check:  # noqa: PLR0911 (a table)
    match rule:
        case {"items": item, "max_items": max_items}:
            return _array(ObjectRules(item).check, max_items)
        case {"names": names, "values": values}:
            return _texts(_text(**names), _text(**values), rule["max_items"], rule["max_bytes"])
        case {"choices": choices}:
            return _choice(frozenset(choices))
        case {"is_phone": _}:
            return _phone
        case {"minimum": minimum, "maximum": maximum}:
            return _whole_number(minimum, maximum)
        case {"separated": item, "max_items": max_items}:
            return _separated(_compile(item), max_items)
        case {"is_boolean": _}:
            return _parsed(_BOOLEANS.__getitem__)
        case {"is_moment": _}:
            return _moment
        case {"is_any": _}:
            return _parsed(str)
    return _text(**{name: rule[name] for name in rule if name not in {"default", "nullable"}})


def _text(
    max_length: int,
    *,
    pattern: str | None = None,
    holds: str | None = None,
) -> Check:
    def check(value: Any) -> str:
        if (
            isinstance(value, str)
            and 0 < len(value) <= max_length
            and value.isprintable()
            and value == value.strip()
            and (value.isascii() or _is_composed(value))
            and (pattern is None or _compiled(pattern).fullmatch(value))
            and (holds is None or resolve(holds)(value))
        ):
            return value
        raise Unsure

    return check


def _choice(choices: frozenset[str]) -> Check:
    def check(value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise Unsure

    return check


def _phone(value: Any) -> str:
    if isinstance(value, str) and phones.is_certain(value):
        return value
    raise Unsure


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


def _parsed(parse: Callable[[str], Any]) -> Check:
    """Return a check that returns the result of `parse`, which raises ValueError or KeyError."""

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise Unsure
        try:
            return parse(value)
        except (ValueError, KeyError):
            raise Unsure from None

    return check


def _whole_number(minimum: int, maximum: int) -> Check:
    digits = len(str(maximum))

    def parse(value: str) -> int:
        if not (len(value) <= digits and value.isascii() and value.isdigit()):
            raise Unsure
        number = int(value)
        if not minimum <= number <= maximum:
            raise Unsure
        return number

    return _parsed(parse)


def _moment(value: Any) -> Any:
    from chalicelib.http import moments  # its expression would delay a cold start

    return _parsed(moments.parse)(value)


def _separated(check_item: Check, max_items: int) -> Check:
    def parse(value: str) -> list[Any]:
        if value.count(",") >= max_items:
            raise Unsure
        return list(dict.fromkeys(map(check_item, value.split(","))))

    return _parsed(parse)
