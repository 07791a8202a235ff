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
from collections.abc import Iterable
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
def _pictographic() -> re.Pattern[str]:
    return re.compile(f"[{_ranges('pictographic')}]")


@cache
def _connecting() -> re.Pattern[str]:
    return re.compile(f"[{_ranges('connecting')}]")


def _ranges(name: str) -> str:
    """Return a set of `unicode.json` as a part of a class."""
    text = Path(__file__).with_name("unicode.json").read_text(encoding="utf-8")
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in json.loads(text)[name])


def _belongs(text: str, at: int) -> bool:
    character, before, after = text[at], text[:at], text[at + 1 :]
    if character in {_JOINER, _NON_JOINER}:
        return (
            _is_at_virama(character, before, after)
            or _connects(character, before, after)
            or (character == _JOINER and _is_between_emoji(before, after))
        )
    return _selects_variant(character, before, after)


def _is_at_virama(character: str, before: str, after: str) -> bool:
    """Return whether the joiner selects the form of a conjunct in an Indic script."""
    if before and combining(before[-1]) == _VIRAMA:
        return True
    # as in the Bengali ra with ya-phala
    is_before = character == _JOINER and after != "" and combining(after[0]) == _VIRAMA
    return is_before and before[-1:].isalpha()


def _connects(character: str, before: str, after: str) -> bool:
    """Return whether the joiner is next to letters of a script that connects letters.

    RFC 5892 allows fewer non-joiners. In Persian, they also follow letters that never connect.
    """
    is_connecting = _connecting().fullmatch
    left, right = is_connecting(_base(reversed(before))), is_connecting(_base(after))
    return bool((left or right) if character == _JOINER else (left and right))


def _is_between_emoji(before: str, after: str) -> bool:
    is_emoji = _pictographic().fullmatch
    return bool(is_emoji(_base(reversed(before))) and is_emoji(after[:1]))


def _selects_variant(character: str, before: str, after: str) -> bool:
    """Return whether it selects a variant of the character before it."""
    kind, base = name(character, ""), before[-1:]
    if character in _EMOJI_STYLES and _pictographic().fullmatch(_without_tone(before)[-1:]):
        return True
    if character in _EMOJI_STYLES and base and base in _KEYCAP_BASES:
        return after.startswith(_KEYCAP)
    if kind.startswith("MONGOLIAN "):
        return name(base or " ", "").startswith("MONGOLIAN LETTER")
    if kind.startswith("VARIATION SELECTOR"):
        return not base.isascii() and category(base) in _WITH_VARIANTS
    return False


def _without_tone(text: str) -> str:
    """Return the text without the skin tone at its end."""
    return text[:-1] if text and category(text[-1]) == "Sk" else text


def _base(text: Iterable[str]) -> str:
    """Return the first character that is not a mark on another one; "" without one."""
    return next((each for each in text if category(each) not in _MARKS), "")
