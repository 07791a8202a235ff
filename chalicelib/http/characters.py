"""Which characters of a text a person can see, and where invisible characters belong.

Imported for text that is not ASCII only: all printable characters of ASCII are visible. The rules
use Unicode's properties, from Python and from `unicode.json`, which `make openapi` generates.
docs/decisions/0024 explains the rules.

Sources: https://www.unicode.org/reports/tr44/ (properties)
         https://www.unicode.org/reports/tr51/ (emoji sequences)
         https://www.rfc-editor.org/rfc/rfc5892#appendix-A (joiners)
"""

import json
import re
from functools import cache
from pathlib import Path
from unicodedata import category, combining, name

BLANKS = "\u2800\U0001d159"  # symbols without ink, which no property names
_JOINER, _NON_JOINER = "\u200d", "\u200c"
_EMOJI_STYLES = "\ufe0e\ufe0f"
_KEYCAP, _KEYCAP_BASES = "\u20e3", "0123456789#*"
# the flags of England, Scotland, Wales: a black flag, a code in tags, and the tag that ends it
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
_VIRAMA = 9  # canonical combining class
_MARKS = {"Mn", "Me", "Sk"}  # nonspacing and enclosing marks, and the skin tones of emoji
_WITH_VARIANTS = {"Lo", "Po", "Sm", "So"}
_WITH_INK = "LNPSC"  # first letters of categories: not marks, not separators


def find_noncharacter(text: str) -> str | None:
    """Return the first noncharacter, such as U+FFFF (RFC 7493, section 2.1)."""
    found = _noncharacter().search(text)
    return found and found[0]


def find_misplaced(text: str) -> str | None:
    """Return the first invisible character that does not belong where it is."""
    if not invisible().search(text):
        return None
    rest = re.sub(_FLAG, lambda flag: flag[0][0] * len(flag[0]), text)
    misplaced = (each[0] for each in invisible().finditer(rest) if not _belongs(rest, each.start()))
    return next(misplaced, None)


def is_visible(text: str) -> bool:
    """Return whether the text has a visible character."""
    shown = without_invisible(text)
    return any(category(each)[0] in _WITH_INK and each not in BLANKS for each in shown)


def is_plain(text: str) -> bool:
    """Return whether the text is certainly visible and has no invisible characters."""
    found = invisible().search(text)
    return found is None and any(map(str.isalnum, text))


def without_invisible(text: str) -> str:
    return invisible().sub("", text)


def trim(text: str) -> str:
    """Return the text without spaces and invisible characters at both ends."""
    is_invisible = invisible().match
    kept = [n for n, each in enumerate(text) if not (each.isspace() or is_invisible(each))]
    return text[kept[0] : kept[-1] + 1] if kept else ""


@cache
def invisible() -> re.Pattern[str]:
    """Return the pattern of a character that is visible by its effect only, or not at all."""
    return re.compile(f"[{_ranges('invisible')}]")


@cache
def _noncharacter() -> re.Pattern[str]:
    return re.compile(f"[{_ranges('noncharacter')}]")


@cache
def _members(name: str) -> frozenset[str]:
    """Return the characters of a set of `unicode.json`."""
    return frozenset(chr(code) for first, last in _sets()[name] for code in range(first, last + 1))


def _ranges(name: str) -> str:
    """Return a set of `unicode.json` as a part of a class."""
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in _sets()[name])


def _sets() -> dict[str, list[tuple[int, int]]]:
    text = Path(__file__).with_name("unicode.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def _belongs(text: str, at: int) -> bool:
    if text[at] in {_JOINER, _NON_JOINER}:
        return _is_at_virama(text, at) or _joins(text, at)
    return _selects_variant(text, at)


def _is_at_virama(text: str, at: int) -> bool:
    """Return whether the joiner selects the form of a conjunct in an Indic script."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if before and combining(before) == _VIRAMA:
        return True
    # as in the Bengali ra with ya-phala
    is_before = text[at] == _JOINER and after != "" and combining(after) == _VIRAMA
    return is_before and before.isalpha()


def _joins(text: str, at: int) -> bool:
    """Return whether the joiner is between emoji, or next to letters that connect.

    RFC 5892 allows fewer non-joiners. In Persian, they also follow letters that never connect.
    """
    left, right = _base(text, at, -1), _base(text, at, 1)
    is_connecting = _members("connecting").__contains__
    if text[at] == _NON_JOINER:
        return is_connecting(left) and is_connecting(right)
    if is_connecting(left) or is_connecting(right):
        return True
    emoji = _members("pictographic")
    return left in emoji and text[at + 1 : at + 2] in emoji


def _selects_variant(text: str, at: int) -> bool:
    """Return whether it selects a variant of the character before it."""
    character, base = text[at], text[at - 1 : at]
    if character in _EMOJI_STYLES and base:
        is_tone = category(base) == "Sk"
        if text[at - 1 - is_tone : at - is_tone] in _members("pictographic"):
            return True
        if base in _KEYCAP_BASES:
            return text.startswith(_KEYCAP, at + 1)
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return not base.isascii() and category(base) in _WITH_VARIANTS
    is_mongolian = name(character, "").startswith("MONGOLIAN ")
    return is_mongolian and name(base or " ", "").startswith("MONGOLIAN LETTER")


def _base(text: str, at: int, step: int) -> str:
    """Return the next character, in this direction, that is not a mark; "" without one."""
    at += step
    while 0 <= at < len(text):
        if category(text[at]) not in _MARKS:
            return text[at]
        at += step
    return ""
