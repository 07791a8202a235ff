"""Rules for input that is certainly valid and already normalized, from a marshmallow schema.

The fast path of a resource (`chalicelib.customers.acceptance`) reads these rules from a JSON file,
without marshmallow. The schema decides about all other input.

`chalicelib.http.rules` describes the rules.
"""

from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from marshmallow import Schema, missing
from marshmallow.fields import Field, Nested
from marshmallow.validate import OneOf, Regexp

from chalicelib.http import fields, formats
from chalicelib.http.routing import DeclarationError

Rules = dict[str, Any]

SPECIAL = "|".join(SPECIAL_USE_DOMAIN_NAMES)
LABEL = "[a-z0-9]+(?:-[a-z0-9]+)*"
# lower case only, because normalization changes upper case; without `--`, which marks IDNA
EMAIL = rf"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:{LABEL}\.)+(?!(?:{SPECIAL})$)[a-z]{{2,}}"
# the usual tags, in canonical case
LANGUAGE = "[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?"
MAX_EMAIL = 64  # characters: the maximum of a local part, and one more than that of a label


def rules(schema: type[Schema]) -> Rules:
    """Return the rule of each writable field. Raises DeclarationError for an unknown kind."""
    return _members(schema())


def _members(schema: Schema) -> Rules:
    writable = {
        name: field
        for name, field in schema.fields.items()
        if not isinstance(field, fields.ReadOnly)
    }
    return {name: _rule(field) | _default(field) for name, field in writable.items()}


def _rule(field: Field[Any]) -> Rules:
    match field:
        case fields.Metadata():
            names, values = _text(field.name_of), _text(field.value_of)
            limits = {"max_items": fields.MAX_METADATA, "max_bytes": fields.MAX_METADATA_BYTES}
            return {"names": names, "values": values, **limits}
        case fields.Items(inner=Nested() as item):
            return {"items": _members(item.schema), "max_items": field.max_items}
        case fields.Text():
            return _text(field)
    raise DeclarationError(
        f"{field.name}: no rule for a field of the class {type(field).__name__}: add one to"
        " _rule in openapi/accepted.py"
    )


def _text(field: fields.Text) -> Rules:  # noqa: PLR0911 (a table)
    null = {"nullable": True} if field.allow_none else {}
    match field, field.validators:
        case formats.Email(), []:
            return {"max_length": min(field.max_length, MAX_EMAIL), "pattern": EMAIL, **null}
        case formats.Phone(), []:
            return {"is_phone": True, **null}
        case formats.Country(), []:
            countries = sorted(formats.countries())
            return {"max_length": field.max_length, "choices": countries, **null}
        case formats.Language(), []:
            return {"max_length": field.max_length, "pattern": LANGUAGE, **null}
        case _, []:
            return {"max_length": field.max_length, **null}
        case _, [OneOf(choices=choices)]:
            return {"max_length": field.max_length, "choices": list(choices), **null}
        case _, [Regexp(regex=regex)]:
            return {"max_length": field.max_length, "pattern": regex.pattern, **null}
    return {"max_length": 0, **null}  # only the schema can decide


def _default(field: Field[Any]) -> Rules:
    if field.load_default is missing:
        return {}
    default = field.load_default
    return {"default": default() if callable(default) else default}
