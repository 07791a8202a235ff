"""The rules of values that are taken as they are, made of the marshmallow schemas.

`chalicelib.customers.acceptance` reads them. The schemas decide about all other values.
"""

from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from marshmallow import Schema, missing
from marshmallow.fields import Field, Nested
from marshmallow.validate import OneOf, Regexp

from chalicelib.customers import schemas
from chalicelib.http import fields

Rules = dict[str, Any]

SPECIAL = "|".join(SPECIAL_USE_DOMAIN_NAMES)
LABEL = "[a-z0-9]+(?:-[a-z0-9]+)*"
# of lower case, as a domain and some names are brought to it; without `--`, which is of IDNA
EMAIL = rf"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:{LABEL}\.)+(?!(?:{SPECIAL})$)[a-z]{{2,}}"
MOST_OF_EMAIL = 64  # characters, which a local part may have, and one more than a label


def rules() -> Rules:
    """Return the rule of each writable field, for `chalicelib.customers.acceptance`."""
    return _members(schemas.Customer())


def _members(schema: Schema) -> Rules:
    settable = {
        name: field
        for name, field in schema.fields.items()
        if not isinstance(field, fields.ReadOnly)
    }
    return {name: _rule(field) | _default(field) for name, field in settable.items()}


def _rule(field: Field[Any]) -> Rules:
    match field:
        case fields.Metadata():
            names, values = _text(field.name_of), _text(field.value_of)
            most = {"most": fields.MAX_METADATA, "bytes": fields.MAX_METADATA_BYTES}
            return {"names": names, "values": values, **most}
        case fields.Items(inner=Nested() as item):
            return {"items": _members(item.schema), "most": field.most}
        case fields.Text():
            return _text(field)
    raise TypeError(f"which values are taken as they are? {field}")


def _text(field: fields.Text) -> Rules:
    null = {"null": True} if field.allow_none else {}
    match field, field.validators:
        case fields.Email(), []:
            return {"most": min(field.most, MOST_OF_EMAIL), "pattern": EMAIL, **null}
        case fields.Phone(), []:
            return {"most": field.most, "pattern": fields.E164, **null}
        case _, []:
            return {"most": field.most, **null}
        case _, [OneOf(choices=choices)]:
            return {"most": field.most, "choices": list(choices), **null}
        case _, [Regexp(regex=regex)]:
            return {"most": field.most, "pattern": regex.pattern, **null}
    return {"most": 0, **null}  # whatever it checks, it is to check itself


def _default(field: Field[Any]) -> Rules:
    if field.load_default is missing:
        return {}
    default = field.load_default
    return {"default": default() if callable(default) else default}
