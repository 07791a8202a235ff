"""Fold text for search and comparison, so that no database collation decides what is equal.

Imported for text that is not ASCII only; for ASCII, `fold` is `str.lower`. A newer Python may know
more characters of Unicode. The keys of all others are stable.

Sources: https://www.unicode.org/versions/latest/core-spec/chapter-3/#G53253 (caseless matching)
         https://www.unicode.org/reports/tr15/ (normalization)
"""

import re
from unicodedata import category, combining, east_asian_width, normalize

# Letters without a decomposition, apostrophes and dashes, and katakana, which hiragana can replace.
_LETTERS = str.maketrans(
    {
        **dict(zip("øłđðħŧıȷɨʉƀɓɗɖƙƴŋəɍɏɉɇǥȼⱥⱦƚ", "olddhtijiubbddkyneryjegcatl", strict=True)),
        **dict(zip("æœþĳ", ("ae", "oe", "th", "ij"), strict=True)),
        **dict.fromkeys("\u2018\u2019\u02bc\u2032", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **{chr(katakana): chr(katakana - 0x60) for katakana in range(0x30A1, 0x30F7)},
    }
)
_JOINED = "[\u1100-\u11ff\u2e80-\u2fff\u3005-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_SPACE_BETWEEN_JOINED = re.compile(f"(?<={_JOINED}) (?={_JOINED})")


def fold_case(text: str) -> str:
    """Return the text in Unicode's default case folding and in normal form C."""
    return normalize("NFC", normalize("NFD", text).casefold())


def fold(text: str, max_length: int) -> str:
    """Return the text without differences in case, diacritics, width and spaces.

    The result may end after `max_length` characters, because a character of the text can become 18.
    The result for the beginning of a text, without spaces at its end, is the beginning of the
    result for the whole text. Spaces within Chinese, Japanese and Korean are removed, because names
    are written with or without a space.
    """
    letters = _without_marks(text, max_length).casefold()
    letters = _without_marks(letters, max_length).translate(_LETTERS)
    return _SPACE_BETWEEN_JOINED.sub("", " ".join(letters.split()))


def is_wide(text: str) -> bool:
    """Return whether the text begins with an ideograph, a syllable or an emoji."""
    return text != "" and east_asian_width(text[0]) == "W"


def _without_marks(text: str, max_length: int) -> str:
    """Return the beginning of the text without marks: `max_length` characters and their spaces."""
    kept: list[str] = []
    for character in normalize("NFKD", text):
        if not _is_ignored(character):
            kept.append(character)
            max_length -= not character.isspace()  # spaces may be removed later
            if max_length == 0:
                break
    return "".join(kept)


def _is_ignored(character: str) -> bool:
    """Return whether it is a diacritic, a variation selector or invisible, such as a joiner."""
    return (
        combining(character) > 0
        or category(character) == "Cf"
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )
