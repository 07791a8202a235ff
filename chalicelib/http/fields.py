"""Marshmallow fields that validate and normalize values of requests.

A message has the form `code: Detail.`; problem details contain the two separately.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import marshmallow
from marshmallow import fields, validate

from chalicelib.http.documents import json_size
from chalicelib.http.values import UUID_TEXT

MAX_METADATA = 50
MAX_METADATA_BYTES = 4_096
MAX_COMMA_SEPARATED = 50  # in a query parameter
MAX_MARKS = 30  # on a letter; from Unicode's Stream-Safe Text Format (UAX 15, section 13)
MAX_DECOMPOSITION = 4  # characters that become one in normal form C, and outer spaces

# Line breaks, other controls, and halves of surrogate pairs
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

MESSAGES: dict[str, Any] = {
    "required": "required: This field is required.",
    "null": "null: Must not be null.",
    "type": "type: Must be a JSON object.",
}


class Text(fields.String):
    """A line of text: trimmed, in Unicode's normal form C, without control characters.

    It has a visible character. It has invisible characters only where they have an effect, such as
    joiners in emoji.
    """

    default_error_messages = MESSAGES | {
        "invalid": "type: Must be a string.",
        "control": "control-character: Must not contain control characters or line breaks.",
        "marks": f"marks: Must have at most {MAX_MARKS} combining characters in a row.",
        "noncharacter": "noncharacter: Must not contain the noncharacter U+{code:04X}. Remove it.",
        "invisible": "invisible-character: Must not contain the invisible character U+{code:04X}"
        " here. Remove it.",
        "blank": "blank: Must have at least one visible character.",
        "too_long": "too-long: Must have at most {max_length} characters.",
    }

    def __init__(self, max_length: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.max_length = max_length

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = super()._deserialize(value, *arguments, **more)
        # before normalization, which takes quadratic time
        if len(text) > self.max_length * MAX_DECOMPOSITION:
            raise self.make_error("too_long", max_length=self.max_length)
        # normalization sorts them, which takes quadratic time
        if not text.isascii() and _has_too_many_marks(text):
            raise self.make_error("marks")
        text = self._trim(unicodedata.normalize("NFC", text))
        if len(text) > self.max_length:
            raise self.make_error("too_long", max_length=self.max_length)
        if _CONTROL.search(text):
            raise self.make_error("control")
        if not text:
            raise self.make_error("blank")
        if not text.isascii():
            self._check_characters(text)
        return text

    def _trim(self, text: str) -> str:
        return text.strip()

    def _check_characters(self, text: str) -> None:
        from chalicelib.http import characters  # its tables would delay a cold start

        if not characters.is_visible(text):
            raise self.make_error("blank")
        if found := characters.find_noncharacter(text):
            raise self.make_error("noncharacter", code=ord(found))
        if found := characters.find_misplaced(text):
            raise self.make_error("invisible", code=ord(found))


class Holds(validate.Validator):
    """Validates that a function of a module returns true; the fast path (`rules`) calls it, too."""

    def __init__(self, predicate: Callable[[str], bool], error: str) -> None:
        self.reference = f"{predicate.__module__}:{predicate.__name__}"
        self._predicate, self._error = predicate, error

    def __call__(self, value: str) -> None:
        if not self._predicate(value):
            raise marshmallow.ValidationError(self._error)


class Pasted(Text):
    """A text without invisible characters at both ends, which copying adds."""

    def _trim(self, text: str) -> str:
        if text.isascii():
            return text.strip()
        from chalicelib.http import characters

        return characters.trim(text)


class Items(fields.List[Any]):
    """A JSON array, whose items are counted before they are validated."""

    default_error_messages = MESSAGES | {
        "invalid": "type: Must be a JSON array.",
        "too_many": "too-many: Must have at most {max_items} items.",
    }

    def __init__(self, item: fields.Field[Any], *, max_items: int, **arguments: Any) -> None:
        super().__init__(item, **arguments)
        self.max_items = max_items

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.max_items:
            raise self.make_error("too_many", max_items=self.max_items)
        return super()._deserialize(value, *arguments, **more)


class Integer(fields.Integer):
    """A JSON number without a fraction: 1 and 1.0 are equal (RFC 8259, JSON Schema)."""

    default_error_messages = MESSAGES | {"invalid": "type: Must be an integer."}

    def __init__(self, minimum: int, maximum: int, **arguments: Any) -> None:
        limits = validate.Range(minimum, maximum, error="range: Must be from {min} to {max}.")
        super().__init__(strict=True, validate=limits, **arguments)

    def _validated(self, value: Any) -> int:
        is_whole = isinstance(value, float) and value.is_integer()
        return super()._validated(int(value) if is_whole else value)


class Identifier(Text):
    """A UUID, as text in lower case."""

    default_error_messages = {
        "uuid": "uuid: Must be a UUID, such as 01a2043a-b5d2-7386-b484-33764a732a70.",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(36, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = super()._deserialize(value, *arguments, **more)
        if not UUID_TEXT.fullmatch(text):
            raise self.make_error("uuid")
        return text.lower()


class Member(str):
    """A name that the client sent, even if it has a meaning in marshmallow."""

    __slots__ = ()


class Metadata(fields.Field[dict[str, str]]):
    """The client's own data: a JSON object of texts.

    At most 50 keys of 40 characters, values of 500 characters, and 4,096 bytes in total.
    """

    default_error_messages = MESSAGES | {
        "name": "name: Must be a key without outer whitespace, in Unicode's normal form C.",
        "too_many": f"too-many: Must have at most {MAX_METADATA} keys.",
        "too_large": f"too-large: Must have at most {MAX_METADATA_BYTES} bytes as JSON.",
    }
    name_of = Text(40)
    value_of = Text(500)

    def _deserialize(self, value: Any, *_arguments: Any, **_more: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise self.make_error("type")
        if len(value) > MAX_METADATA:
            raise self.make_error("too_many")
        metadata = self._load_items(value)
        if json_size(metadata) > MAX_METADATA_BYTES:
            raise self.make_error("too_large")
        return metadata

    def _load_items(self, value: dict[str, Any]) -> dict[str, str]:
        metadata, errors = {}, {}
        size = 0
        for name, text in value.items():
            if size > MAX_METADATA_BYTES:  # checking the rest takes long
                break
            try:
                if self.name_of.deserialize(name) != name:
                    raise self.make_error("name")
                metadata[name] = self.value_of.deserialize(text)
                size += len(metadata[name].encode())
            except marshmallow.ValidationError as error:
                errors[Member(name)] = error.messages
        if errors:
            raise marshmallow.ValidationError(errors)
        return dict(sorted(metadata.items()))  # equal documents are stored as equal texts


class ReadOnly(fields.Field[Any]):
    default_error_messages = {
        "null": "read-only: This field is read-only.",
        "read_only": "read-only: This field is read-only.",
    }

    def _deserialize(self, *_arguments: Any, **_more: Any) -> Any:
        raise self.make_error("read_only")


class CommaSeparated(fields.List[str]):
    """Items of one kind, separated by commas, without duplicates."""

    default_error_messages = {
        "too_many": "too-many: Must have at most {max_items} items.",
    }

    def __init__(
        self, inner: fields.Field[str], max_items: int = MAX_COMMA_SEPARATED, **arguments: Any
    ) -> None:
        self.max_items = max_items
        super().__init__(inner, **arguments)

    def _deserialize(self, value: Any, *_arguments: Any, **_more: Any) -> list[str | None]:
        if value.count(",") >= self.max_items:
            raise self.make_error("too_many", max_items=self.max_items)
        return list(dict.fromkeys(self.inner.deserialize(item) for item in value.split(",")))


def _has_too_many_marks(text: str) -> bool:
    """Return whether more than MAX_MARKS combining characters are in a row."""
    classes = bytes(map(unicodedata.combining, text))  # 0 if not combining
    return max(map(len, classes.split(b"\0"))) > MAX_MARKS
