"""Phone numbers that libphonenumber certainly accepts and leaves unchanged, by calling code.

`chalicelib.http.phones` reads them from `calling_codes.json`, so that it imports the library for
other numbers only.
"""

import json
from typing import Any

import phonenumbers
import regex
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

CODES = sorted(COUNTRY_CODE_TO_REGION_CODE.items())
MAX_LENGTH = 16  # of E.164 with its plus; the library knows longer numbers, too


def text() -> str:
    """Return the text of `calling_codes.json`, which `phones.is_certain` reads."""
    codes = [f'  "{code}": {json.dumps(_certain(code, regions[0]))}' for code, regions in CODES]
    lines = ["{", f' "version": "{phonenumbers.__version__}",', ' "codes": {', ",\n".join(codes)]
    return "\n".join((*lines, " }", "}\n"))


def _certain(code: int, region: str) -> str:
    """Return the size of a code with its plus, the first digits after it, and the whole lengths."""
    metadata: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    prefix = regex.compile(metadata.national_prefix_for_parsing or "0")
    first = "".join(digit for digit in "123456789" if not _may_begin(prefix, digit))
    size = len(f"+{code}")
    lengths = [size + length for length in metadata.general_desc.possible_length]
    return f"{size} {first} {','.join(str(each) for each in lengths if each <= MAX_LENGTH)}"


def _may_begin(prefix: "regex.Pattern[str]", digit: str) -> bool:
    """Return whether the library might remove a prefix that begins with the digit."""
    return prefix.fullmatch(digit, partial=True) is not None
