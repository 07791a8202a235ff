"""The rules of the fast path, from marshmallow schemas: `accepted.json`.

`chalicelib.http.rules` describes the rules.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from marshmallow import Schema, missing
from marshmallow.fields import Field, Nested, String
from marshmallow.validate import OneOf, Range, Regexp

from chalicelib.http import fields, formats, queries
from chalicelib.http.routing import DeclarationError
from openapi import references
from openapi.references import Table

Rules = dict[str, Any]

SPECIAL = "|".join(SPECIAL_USE_DOMAIN_NAMES)
LABEL = "[a-z0-9]+(?:-[a-z0-9]+)*"
# lower case only, because normalization changes upper case; without `--`, which marks IDNA
EMAIL = rf"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:{LABEL}\.)+(?!(?:{SPECIAL})$)[a-z]{{2,}}"
# the usual tags, in canonical case
LANGUAGE = "[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?"
IDENTIFIER = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MAX_EMAIL = 64  # characters: the maximum of a local part, and one more than that of a label


def text(table: Table) -> str:
    """Return the file: the rules of all query strings, and of the bodies that have a fast path."""
    bodies = {
        tag.schema: tag.fast_path
        for tag in references.tags(table)
        if tag.schema and tag.fast_path is not None
    }
    schemas = bodies | dict.fromkeys(filter(None, map(references.query_schema, table.values())), ())
    content = {reference(schema): rules(schema, repeated) for schema, repeated in schemas.items()}
    return json.dumps(content, indent=1) + "\n"


def reference(schema: type[Schema]) -> str:
    """Return the schema's name in the file."""
    return f"{schema.__module__}:{schema.__name__}"


def rules(schema: type[Schema], repeated: Collection[str] = ()) -> Rules:
    """Return the rule of each field.

    The code of the fast path repeats the methods `repeated`. Raises DeclarationError for other
    decorated methods, and for a field of an unknown kind.
    """
    hooks = {name for own in schema._hooks.values() for name, *_ in own}  # noqa: SLF001 (not public)
    if unknown := sorted(hooks.difference(repeated)):
        raise DeclarationError(
            f"{schema.__name__}.{unknown[0]}: the fast path has no rule for a decorated method."
            " Only the schema of a resource can have one: repeat it where the rules are called, and"
            " name it in the tag's fast_path"
        )
    declared = schema().fields.items()
    return {field.data_key or name: _rule(field) | _default(field) for name, field in declared}


def _rule(field: Field[Any]) -> Rules:  # noqa: PLR0911 (a table)
    match field:
        case fields.ReadOnly():
            return {"is_read_only": True}
        case fields.Metadata(validators=[]):
            names, values = _text(field.name_of), _text(field.value_of)
            limits = {"max_items": fields.MAX_METADATA, "max_bytes": fields.MAX_METADATA_BYTES}
            return {"names": names, "values": values, **limits}
        case fields.Items(inner=Nested() as item, validators=[]):
            return {"items": rules(type(item.schema)), "max_items": field.max_items}
        case fields.CommaSeparated(validators=[]):
            return {"separated": _rule(field.inner), "max_items": field.max_items}
        case fields.Text():
            return _text(field)
        case queries.WholeNumber(validators=[Range(min=int(minimum), max=int(maximum))]):
            return {"minimum": minimum, "maximum": maximum}
        case queries.TrueOrFalse(validators=[]):
            return {"is_boolean": True}
        case formats.Moment(validators=[]):
            return {"is_moment": True}
        case String(validators=[]) if type(field) is String:
            return {"is_any": True}
    raise DeclarationError(
        f"{field.name}: no rule for a field of the class {type(field).__name__}: add one to"
        " _rule in openapi/accepted.py"
    )


def _text(field: fields.Text) -> Rules:  # noqa: C901, PLR0911 (a table)
    # the rules would take a missing field for null, if it had no default
    null = {"nullable": True} if field.allow_none and field.load_default is not missing else {}
    match field, field.validators:
        case formats.Email(), []:
            return {"max_length": min(field.max_length, MAX_EMAIL), "pattern": EMAIL, **null}
        case formats.Phone(), []:
            return {"is_phone": True, **null}
        case formats.Country(), []:
            countries = sorted(formats.countries())
            return {"choices": countries, **null}
        case formats.Language(), []:
            return {"max_length": field.max_length, "pattern": LANGUAGE, **null}
        case fields.Identifier(), []:
            return {"max_length": field.max_length, "pattern": IDENTIFIER, **null}
        case _ if type(field) not in {fields.Text, fields.Pasted}:
            return {"max_length": 0, **null}  # an unknown class: only the schema can decide
        case _, []:
            return {"max_length": field.max_length, **null}
        case _, [OneOf(choices=choices)]:
            return {"choices": list(choices), **null}
        case _, [Regexp(regex=re.Pattern(flags=re.UNICODE) as regex)]:
            return {"max_length": field.max_length, "pattern": regex.pattern, **null}
        case _, [fields.Holds(reference=function)]:
            return {"max_length": field.max_length, "holds": function, **null}
    return {"max_length": 0, **null}  # an unknown validator


def _default(field: Field[Any]) -> Rules:
    if field.load_default is missing:
        return {}
    default = field.load_default
    return {"default": default() if callable(default) else default}
