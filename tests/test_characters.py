"""Text has a visible character, and invisible characters only where they have an effect."""

import unicodedata
from typing import Any

import marshmallow
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.customers import acceptance, schemas
from chalicelib.http import characters
from chalicelib.http.fields import Text
from chalicelib.http.problems import ValidationError
from chalicelib.http.rules import Unsure
from tests.api import ADA

INVISIBLE = [
    *("\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180e", "\u200b"),
    *("\u200c", "\u200d", "\u200e", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\u206a"),
    *("\u3164", "\ufe00", "\ufe0f", "\ufeff", "\uffa0", "\ufff9", "\U0001bca0", "\U0001d173"),
    *("\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100"),
]
BLANK = [*INVISIBLE, "\u2800", "\U0001d159", "\u0301", "\u200b \u2060", "\u2800\u3000\u00a0"]
NONCHARACTERS = ["\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0001ffff", "\U0010ffff"]
BELONGING = [
    "👨‍👩‍👧", "👩🏽‍🚀", "🏳️‍🌈", "👁️‍🗨️", "🏋🏽‍♀️", "🕵️‍♂️",  # families, professions, flags
    "❤️", "☎︎", "〰️", "👍🏽️", "1️⃣", "#️⃣", "㊗️", "🇬🇧",  # styles, keycaps and flags of countries
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England
    "می‌خواهم", "علی‌رضا", "محمد‌رضا", "سوء‌استفاده", "ه‍.ق.",  # Persian
    "क्‍ष", "श्री", "ശ്രീ", "അവന്‍", "ශ්‍රී", "র‍্যাচেল", "ಪ್ರಕಾಶ್‌ರಾಜ್",  # Indic
    "葛\U000e0100城", "ᠮ᠋ᠣ", "؀١", "שָׁלוֹם", "김", "ประเทศไทย", "ＡＢＣ",
]  # fmt: skip
MISPLACED = [
    *(f"a{one}b" for one in INVISIBLE),
    *(f"a{one}" for one in INVISIBLE),
    *("❤️️", "❤‍", "‍❤", "1️", "علی‌", "ی‌‌خ", "a‍❤", "x︀", "🏴\U000e0067", "🏴\U000e0067\U000e007f"),
    *("\u2066Ada\u2069", "\u202bAda\u202c", "Ada\u200e", "क‌क"),
]


@pytest.mark.parametrize("text", ["", " ", "\u200b \u2060"])
def test_text_without_visible_characters_is_trimmed_to_nothing(text: str) -> None:
    assert characters.trim(text) == ""


def code(text: str, field: marshmallow.fields.Field[Any] | None = None) -> str | None:
    """Return the code of the error; None if the text is accepted unchanged."""
    try:
        assert (field or Text(100)).deserialize(text) == text
    except marshmallow.ValidationError as error:
        return str(error.messages[0]).partition(":")[0]
    return None


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_text_without_a_visible_character_is_blank(text: str) -> None:
    assert code(text) == "blank"


@pytest.mark.parametrize("text", NONCHARACTERS, ids=ascii)
def test_noncharacter_is_rejected(text: str) -> None:
    assert code(f"a{text}") == "noncharacter"


@pytest.mark.parametrize("text", BELONGING, ids=ascii)
def test_invisible_character_with_an_effect_is_accepted(text: str) -> None:
    text = unicodedata.normalize("NFC", text)

    assert code(text) is None
    assert code(f"Café {text} Wien") is None


@pytest.mark.parametrize("text", MISPLACED, ids=ascii)
def test_invisible_character_without_an_effect_is_rejected(text: str) -> None:
    assert code(text) == "invisible-character"


def test_message_names_the_character_and_not_the_text() -> None:
    with pytest.raises(marshmallow.ValidationError) as caught:
        Text(100).deserialize("secret\u200b")

    assert caught.value.messages == [
        "invisible-character: Must not contain the invisible character U+200B here. Remove it."
    ]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"given_name": "{}"}, "/given_name"),
        ({"company_name": "a{}"}, "/company_name"),
        ({"external_id": "x{}"}, "/external_id"),
        ({"metadata": {"k": "x{}"}}, "/metadata/k"),
        ({"metadata": {"k{}": "x"}}, "/metadata/k\u200b"),
        ({"addresses": [{"line1": "{}", "country": "GB"}]}, "/addresses/0/line1"),
        ({"addresses": [{"line1": "x", "city": "x{}", "country": "GB"}]}, "/addresses/0/city"),
    ],
)
def test_every_text_of_a_customer_has_the_same_rules(fields: Any, pointer: str) -> None:
    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {fill(key): fill(value) for key, value in node.items()}
        return [fill(each) for each in node] if isinstance(node, list) else node.format("\u200b")

    with pytest.raises(ValidationError) as caught:
        schemas.load_customer(ADA | fill(fields))

    assert [error["pointer"] for error in caught.value.errors] == [pointer]


ALPHABET = "".join((*INVISIBLE, *BELONGING, *NONCHARACTERS, "\u2800 aé\u0301"))
TEXTS = st.text(st.sampled_from(ALPHABET) | st.characters(), max_size=6)


@given(TEXTS)
@settings(max_examples=300)
def test_stored_text_has_a_visible_character(text: str) -> None:
    """Unicode's properties come from another library than the service's."""
    if code(unicodedata.normalize("NFC", text).strip()) is None:
        seen = regex.sub(r"[\p{Z}\p{C}\p{M}\p{Default_Ignorable_Code_Point}\u2800]", "", text)
        visible_others = regex.findall(r"[\p{Prepended_Concatenation_Mark}\p{Co}\p{Cn}]", text)
        assert seen or visible_others
        assert not regex.search(r"\p{Bidi_Control}|\p{Noncharacter_Code_Point}", text)


@given(TEXTS)
@settings(max_examples=300)
def test_fast_path_accepts_only_visible_text(text: str) -> None:
    document = ADA | {"given_name": text}
    try:
        accepted = acceptance.accept(document)
    except Unsure:
        return
    assert accepted == schemas.load_customer(document)


@pytest.mark.parametrize("text", [*BLANK, *NONCHARACTERS, *MISPLACED], ids=ascii)
def test_fast_path_leaves_invisible_characters_to_the_schemas(text: str) -> None:
    with pytest.raises(Unsure):
        acceptance.accept(ADA | {"given_name": text})


def test_properties_are_those_of_python() -> None:
    """Python knows fewer characters, and agrees on those that it knows."""
    invisible = characters.invisible().fullmatch
    differing = [
        hex(number)
        for number in range(0x110000)
        if unicodedata.category(chr(number)) == "Cf"
        and not invisible(chr(number))
        and unicodedata.bidirectional(chr(number)) not in {"AN", "AL", "L"}  # visible signs
    ]

    assert differing == []
