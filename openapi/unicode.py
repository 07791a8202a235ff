"""Sets of characters by Unicode's properties that Python's `unicodedata` lacks.

`chalicelib.http.characters` reads them from `unicode.json`, because the package `regex`, which
knows the properties, is too large for the service.
"""

import json
import re
import sys
from importlib.metadata import distribution

import regex

SETS = {
    # A text shows these only by their effect on others. Prepended_Concatenation_Mark is visible.
    "invisible": r"[[\p{Default_Ignorable_Code_Point}\p{Cf}]--\p{Prepended_Concatenation_Mark}]",
    "noncharacter": r"\p{Noncharacter_Code_Point}",
    "pictographic": r"\p{Extended_Pictographic}",
    # letters of scripts that connect letters, such as Arabic and Mongolian
    "connecting": r"[\p{Joining_Type=D}\p{Joining_Type=L}\p{Joining_Type=R}\p{Bidi_Class=AL}]",
}
EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))


def text() -> str:
    """Return the text of `unicode.json`: each set as ranges of code points."""
    described = distribution("regex").read_text("METADATA") or ""
    version = re.search(r"supports Unicode ([\d.]+\d)", described)
    if version is None:
        raise LookupError("the description of the package regex states no version of Unicode")
    lines = [f' "{name}": {json.dumps(_ranges(pattern))}' for name, pattern in SETS.items()]
    return ",\n".join((f'{{\n "version": "{version[1]}"', *lines)) + "\n}\n"


def ecma_class(pattern: str) -> str:
    """Return the characters of the set as a part of a character class of ECMA-262.

    Characters beyond U+FFFF are omitted, because not every engine knows how to write them.
    """
    ranges = _ranges(pattern, last=0xFFFF)
    return "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in ranges)


def _ranges(pattern: str, last: int = sys.maxunicode) -> list[list[int]]:
    """Return the first and the last code point of each range of the set, up to `last`."""
    runs = regex.finditer(f"{pattern}+", EVERY_CHARACTER[: last + 1], regex.V1)
    return [[run.start(), run.end() - 1] for run in runs]
