"""Strict JSON parsing (I-JSON, RFC 7493) and JSON Merge Patch (RFC 7396)."""

import json
import re
from codecs import BOM_UTF8
from itertools import chain
from typing import Any, NoReturn

from chalicelib.http.problems import MalformedJSON

MAX_DEPTH = 16
MAX_VALUES = 1_000  # of one resource; a valid one has far fewer

# the end is optional, and nothing is tried twice: otherwise, an open text would take quadratic time
_STRING = rb'"(?:[^"\\]++|\\[\s\S])*+"?'
_BEFORE_VALUES = (b",", b"[", b"{")  # the first of these precedes each value but one

# json.dumps with arguments creates an encoder for each call. No document is circular: looking for
# that takes a tenth longer.
dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def parse(raw: bytes, max_values: int = MAX_VALUES) -> object:
    """Return the JSON document. A byte order mark before it is ignored.

    Raises MalformedJSON for bytes that are not UTF-8, syntax errors, NaN and infinities, duplicate
    names, unpaired surrogates, more than 16 levels of nesting, and more than `max_values` values.
    """
    values = _count_values(raw)
    # texts may contain these characters, too: look at texts only if there are many
    if values > max_values and _count_values(re.sub(_STRING, b"", raw)) > max_values:
        raise MalformedJSON(f"The body has more than {max_values} values.")
    try:
        # RFC 8259, section 8.1, allows parsers to ignore a byte order mark
        document = _DECODER.decode(raw.removeprefix(BOM_UTF8).decode())
        if b"\\u" in raw:
            dumps(document).encode()
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8: byte {error.start} is invalid.") from None
    except UnicodeEncodeError:
        raise MalformedJSON("The body is not Unicode: it escapes an unpaired surrogate.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJSON(f"The body is not JSON: {error.msg} at {where}.") from None
    except (RecursionError, ValueError):
        raise MalformedJSON(
            "The body is nested too deeply, or has a number that is too long."
        ) from None
    if values > MAX_DEPTH and _deeper_than(MAX_DEPTH, document):  # each level has a value
        raise MalformedJSON(f"The body is nested more than {MAX_DEPTH} levels deep.")
    return document


def json_size(document: object) -> int:
    """Return the size of the document as JSON, in bytes."""
    return len(dumps(document).encode())


def merge_patch(target: object, patch: object) -> object:
    """Return `target` with the merge patch applied (RFC 7396): null removes a field."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if not pairs:
        return {}
    document = dict(pairs)
    if len(document) < len(pairs):
        raise MalformedJSON("The body is not I-JSON: an object has two fields of the same name.")
    return document


def _reject_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"The body is not JSON: {name} is not a JSON number.")


def _count_values(raw: bytes) -> int:
    """Return the number of values, or a few more: empty arrays and objects count twice.

    The JSON is not parsed, because many small values take long.
    """
    return sum(map(raw.count, _BEFORE_VALUES))


def _deeper_than(levels: int, document: object) -> bool:
    """Return whether the nesting is deeper. Goes level by level, because one level may be large."""
    level: list[object] = [document]
    for _ in range(levels + 1):
        nested = [value for value in level if isinstance(value, _NESTING)]
        if not nested:
            return False
        inner = [value.values() if isinstance(value, dict) else value for value in nested if value]
        level = list(chain.from_iterable(inner))
    return True


_NESTING = (dict, list)
_DECODER = json.JSONDecoder(parse_constant=_reject_constant, object_pairs_hook=_object)
