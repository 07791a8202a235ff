"""JSON documents: strict reading, and merge patch."""

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any, NoReturn

from chalicelib.http.problems import MalformedJSON

MAX_DEPTH = 16  # a customer needs 3

# json.dumps with other arguments than its own makes an encoder each time
dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def parse(raw: bytes) -> object:
    """Return the document in `raw`, as I-JSON has it (RFC 7493).

    Raises MalformedJSON for bytes that are not UTF-8, syntax errors, NaN and infinities, a member
    name given twice, half of a surrogate pair, and more than 16 levels of nesting.
    """
    try:
        document = _loads(raw.decode())
        if b"\\u" in raw:
            dumps(document).encode()
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8: see byte {error.start}.") from None
    except UnicodeEncodeError:
        raise MalformedJSON("The body is not Unicode: half of a pair is escaped.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJSON(f"The body is not JSON: {error.msg} at {where}.") from None
    except (RecursionError, ValueError):
        raise MalformedJSON("The body is nested too deeply, or has a number too long.") from None
    if _deeper_than(MAX_DEPTH, document):
        raise MalformedJSON(f"The body is nested more than {MAX_DEPTH} levels deep.")
    return document


def json_size(document: object) -> int:
    """Return how many bytes the document takes as JSON."""
    return len(dumps(document).encode())


def merge_patch(target: object, patch: object) -> object:
    """Return `target` with the merge patch applied (RFC 7396): null removes a member."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _loads(text: str) -> object:
    if text.startswith("\ufeff"):  # as json.loads, which makes a decoder each time
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    return _DECODER.decode(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if not pairs:
        return {}
    document = dict(pairs)
    if len(document) < len(pairs):
        raise MalformedJSON("The body is not JSON that can be relied on: a member is given twice.")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"The body is not JSON: {name} is not a JSON number.")


def _deeper_than(levels: int, document: object) -> bool:
    """Whether more are within each other. Level by level: there may be very many in one."""
    level: list[object] = [document]
    for _ in range(levels + 1):
        nested = [each for each in level if isinstance(each, _NESTING)]
        if not nested:
            return False
        members = [each.values() if isinstance(each, dict) else each for each in nested if each]
        level = list(chain.from_iterable(members))
    return True


_NESTING = (dict, list)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)
