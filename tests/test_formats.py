"""Email addresses, phone numbers, countries, language tags and times: what is stored, and why not.

Most of these inputs come from bug reports of other services, and from files of their users.
"""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import marshmallow
import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberFormat

from chalicelib.customers import acceptance, queries, schemas
from chalicelib.http import phones
from chalicelib.http import queries as http_queries
from chalicelib.http.formats import (
    Country,
    Email,
    EmailInQuery,
    Language,
    Moment,
    Phone,
    PhoneInQuery,
    countries,
)
from chalicelib.http.problems import ValidationError
from chalicelib.http.rules import Unsure
from tests.api import ADA

Format = marshmallow.fields.Field[Any]


def reason(field: Format, value: str) -> str:
    """Return the message of the rejection."""
    with pytest.raises(marshmallow.ValidationError) as caught:
        field.deserialize(value)
    (message,) = caught.value.messages
    return str(message)


# --- email addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("ada@example.com\u200b", "ada@example.com"),
        ("\ufeffada@example.com", "ada@example.com"),
        ("\u2068ada@example.com\u2069", "ada@example.com"),
        ("\u202aada@example.com\u202c\u00a0", "ada@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
        ("é" * 32 + "@example.com", "é" * 32 + "@example.com"),
        ("ada@" + "b" * 63 + ".com", "ada@" + "b" * 63 + ".com"),
        ("νίκος.παππάς1@example.gr", "νίκος.παππάς1@example.gr"),
        ("ada@xn--bcher-kva.example.com", "ada@bücher.example.com"),
        ("用户@例え.jp", "用户@例え.jp"),
    ],
)
def test_email_is_accepted(sent: str, stored: str) -> None:
    assert Email().deserialize(sent) == stored


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("ada", "An email address must have an @-sign."),
        ("ada@example", "It should have a period."),
        ("ada@example.test", "is a special-use or reserved name that cannot be used with email."),
        ("ada@shop.local", "is a special-use or reserved name that cannot be used with email."),
        ("ada@localhost", "It should have a period."),
        ("a" * 65 + "@example.com", "The part before the @-sign must have at most 64 bytes."),
        ("é" * 33 + "@example.com", "The part before the @-sign must have at most 64 bytes."),
        ("ada@" + "b" * 64 + ".com", "after the @-sign must have at most 63 characters."),
        ("ada@" + "ü" * 64 + ".com", "after the @-sign must have at most 63 characters."),
        ("ada@" + "あ" * 51 + "." + "あ" * 49, "must have at most 100 characters, and"),
        ("ada@" + ".".join(["XN--aaaaaaaaaaaaaaaa"] * 6), "An international domain"),
        ("ada@" + "a." * 10 + "あ", "10 parts between dots."),
        ("ada@ا" + "٠" * 21 + ".com", "at most 20 Arabic digits, joiners"),
        ("ada@" + "・" * 21 + "あ.com", "at most 20 Arabic digits, joiners"),
        ("ada@a\u3002" + "ü" * 64 + "\uff0ecom", "after the @-sign must have at most 63"),
        ("ada@" + "ü" * 60 + ".com", "The part after the @-sign is invalid."),
        ("ada@xn--a.com", "The part after the @-sign is not valid IDNA."),
        ("Ada <ada@example.com>", "display name and angle brackets"),
        ("mailto:ada@example.com", "invalid characters before the @-sign."),
        ("ada@example.com, bob@example.com", "invalid characters."),
        ("ada@[127.0.0.1]", "bracketed IP address"),
        ('"ada b"@example.com', "Quoting the part before the @-sign"),
        ("ada@example.com.", "cannot end with a period."),
        ("a..b@example.com", "two periods in a row."),
        ("ada＠example.com", '"full-width" at-sign.'),
    ],
)
def test_email_is_rejected_with_the_reason(sent: str, why: str) -> None:
    message = reason(Email(), sent)

    assert message.startswith("email: Must be an email address, such as ada@example.com. ")
    assert why in message


@pytest.mark.parametrize("sent", ["ad\u200ba@example.com", "ada@exam\u00adple.com"])
def test_email_has_no_invisible_characters(sent: str) -> None:
    assert reason(Email(), sent).startswith("invisible-character: ")


@pytest.mark.parametrize("label", ["あ" * 47 + ".あ", "ا" + "٠" * 20])
def test_long_international_domain_is_accepted(label: str) -> None:
    assert Email().deserialize(f"ada@{label}.com") == f"ada@{label}.com"


@pytest.mark.parametrize(
    "sent",
    [
        "zqm@xqz",
        "zqm xqz@x.de",
        "zqm@xqz,x.de",
        "Zqm <xqz@x.de>",
        "zqm@xqz.👍.de",
    ],
)
def test_reason_does_not_repeat_the_address(sent: str) -> None:
    message = reason(Email(), sent).lower()

    assert not any(part in message for part in ("zqm", "xqz", "👍", "x.de"))


def test_space_in_an_email_filter_is_a_plus() -> None:
    """`+` is decoded to a space, which an unquoted address can't have."""
    assert EmailInQuery().deserialize("a b@example.com") == "a+b@example.com"
    assert EmailInQuery().deserialize(" a+b@example.com ") == "a+b@example.com"


# --- phone numbers -------------------------------------------------------------------------------

LONDON = "+442079460000"
TRUNK = [
    ("+44 (0)20 7946 0000", LONDON),
    ("+44 020 7946 0000", LONDON),
    ("+4402079460000", LONDON),
    ("+49 (0) 30 123456", "+4930123456"),
    ("+46 (0)8 123 456 78", "+46812345678"),
    ("+7 (8) 495 123-45-67", "+74951234567"),
    ("+7 (812) 123-45-67", "+78121234567"),
    ("+33 (0) 1 23 45 67 89", "+33123456789"),
    ("+36 (06) 1 234 5678", "+3612345678"),
    ("+61 (0)2 1234 5678", "+61212345678"),
    ("+55 (0)11 91234-5678", "+5511912345678"),
    ("+54 (0)11 15-1234-5678", "+5491112345678"),
    ("+1 (1) 202 555 0143", "+12025550143"),
    ("+39 (0)6 1234567", "+39061234567"),
    ("+39 06 1234567", "+39061234567"),
    ("+225 01 23 45 67 89", "+2250123456789"),
]
PASTED = [
    "+44\u00a020\u202f7946\u20090000",
    "+44\u201120\u20137946\u20140000",
    "+44 20 7946 \u22120000",
    "\u202a+44 20 7946 0000\u202c",
    "\u2068+44 20 7946 0000\u2069",
    "\u200e+44 20 7946 0000\ufe0d",
    "\ufeff+44 20 7946 0000\u200b",
    "＋４４ ２０ ７９４６ ００００",
    "＋４４（２０）７９４６－００００",
    "+44 ٢٠ ٧٩٤٦ ٠٠٠٠",
    "(+44) 20 7946 0000",
    "+44.20.7946.0000",
    "+44 [20] 7946 0000",
]


@pytest.mark.parametrize(("sent", "stored"), [*TRUNK, *((sent, LONDON) for sent in PASTED)])
def test_phone_is_the_number_that_was_meant(sent: str, stored: str) -> None:
    assert Phone().deserialize(sent) == stored


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("020 7946 0000", "It must begin with + and a country calling code"),
        ("0044 20 7946 0000", "It must begin with + and a country calling code"),
        ("+1-800-FLOWERS", "without letters or an extension."),
        ("+44 20 7946 0000 ext 5", "without letters or an extension."),
        ("+44 20 7946 0000;ext=5", "without letters or an extension."),
        ("+44 20 7946 0000/1", "without letters or an extension."),
        ("+44 20 7946 0000, +44 20 7946 0001", "without letters or an extension."),
        ("+44 ²0 7946 0000", "without letters or an extension."),
        ("+44 +20 7946 0000", "without letters or an extension."),
        ("+999 1234 5678", "No country has this calling code."),
        ("+0123 4567", "No country has this calling code."),
        ("+12", "too many or too few digits for its country."),
        ("+123456789012345", "too many or too few digits for its country."),
        ("+44 (0)20 7946 00000", "too many or too few digits for its country."),
        ("+45 (0)12 34 56 78", "too many or too few digits for its country."),
        ("+34 (0)912 345 678", "too many or too few digits for its country."),
        ("+420 (0)212 345 678", "Remove the 0 after the country calling code."),
        ("+1234567890123456", "too many or too few digits for its country."),
        ("+49" + "1" * 15, "too many or too few digits for its country."),
        ("\u200b", "It must begin with + and a country calling code"),
    ],
)
def test_phone_is_rejected_with_the_reason(sent: str, why: str) -> None:
    assert why in reason(Phone(), sent)


def test_plus_of_a_phone_filter_is_decoded_to_a_space() -> None:
    assert PhoneInQuery().deserialize(" 442079460000") == LONDON
    assert PhoneInQuery().deserialize(" 44 (0)20 7946 0000") == LONDON


CODES = st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE))
NUMBERS = st.builds(
    lambda code, trunk, rest: f"+{code}{trunk}{rest}",
    CODES,
    st.sampled_from(["", "0", "8", "06", "15", "1115", "183", "9"]),
    st.text("0123456789", min_size=1, max_size=12),
)


@given(NUMBERS)
@settings(max_examples=500)
@example("+541115123456")
@example("+4418002001")
def test_number_that_is_certain_is_possible_and_unchanged(number: str) -> None:
    """The library decides about all numbers; those in the file are the ones it leaves alone."""
    if phones.is_certain(number):
        parsed = phonenumbers.parse(number)
        assert phonenumbers.is_possible_number_with_reason(parsed) == 0
        assert phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == number


@pytest.mark.parametrize("number", ["+12015550123", "+442079460000", "+35312345678"])
def test_usual_number_is_certain(number: str) -> None:
    """Calling codes have one, two or three digits."""
    assert phones.is_certain(number)


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_numbers_of_each_country_are_accepted_with_and_without_trunk_prefix(code: int) -> None:
    """The library has an example of each kind of number."""
    region = COUNTRY_CODE_TO_REGION_CODE[code][0]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert metadata is not None
    kinds = (metadata.fixed_line, metadata.mobile)
    for national in {kind.example_number for kind in kinds if kind and kind.example_number}:
        meant = f"+{code}{national}"
        assert Phone().deserialize(meant) == meant
        if (prefix := metadata.national_prefix) and not national.startswith("0"):
            with_prefix = f"+{code} ({prefix}) {national}"
            if meant.startswith("+573"):  # the digit after the 0 may be that of a carrier
                assert "Remove the 0" in reason(Phone(), with_prefix)
            else:
                assert Phone().deserialize(with_prefix) == meant


@given(st.text(st.sampled_from("+0123456789 ()-.\u00a0\u2011\u200e０４٤x/"), max_size=20) | NUMBERS)
@settings(max_examples=300)
def test_stored_phone_is_a_possible_number_in_e164(text: str) -> None:
    try:
        stored = str(Phone().deserialize(text))
    except marshmallow.ValidationError:
        return
    parsed = phonenumbers.parse(stored)
    assert phonenumbers.is_possible_number(parsed)
    assert phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == stored
    assert Phone().deserialize(stored) == stored


def test_number_in_e164_does_not_import_the_library() -> None:
    program = (
        "import sys; from chalicelib.http.formats import Phone;"
        "[Phone().deserialize(each) for each in ('+442079460000', '+44 20 7946-0000')];"
        "assert 'phonenumbers' not in sys.modules;"
        "Phone().deserialize('+44 (0)20 7946 0000');"
        "assert 'phonenumbers' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


# --- countries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["GB", "GR", "XK", "BQ", "CW", "SX", "SS", "BV", "HM", "TW"])
def test_country_is_accepted(code: str) -> None:
    assert Country().deserialize(code) == code
    address = {"line1": "1 Main St", "country": code}
    assert acceptance.accept(ADA | {"addresses": [address]})["addresses"][0]["country"] == code


@pytest.mark.parametrize(
    "code", ["UK", "EL", "EU", "ZZ", "QQ", "AN", "DD", "AA", "SU", "YU", "CS", "XX", "gb", "12"]
)
def test_code_that_is_no_country_is_rejected(code: str) -> None:
    assert reason(Country(), code).startswith("country: Must be the code of a country, such as GB")
    with pytest.raises(Unsure):
        acceptance.accept(ADA | {"addresses": [{"line1": "1 Main St", "country": code}]})


@pytest.mark.parametrize(("code", "hint"), [("UK", "GB"), ("EL", "GR"), ("uk", "GB"), ("fr", "FR")])
def test_common_mistake_in_a_country_has_a_hint(code: str, hint: str) -> None:
    assert reason(Country(), code).endswith(f" Use {hint}.")


def test_countries_are_those_of_iso_3166_and_kosovo() -> None:
    assert len(countries()) == 250
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in countries())


# --- language tags -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("EN-gb", "en-GB"),
        ("en", "en"),
        ("ZH-HANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sl-Rozaj-BISKE-1994", "sl-rozaj-biske-1994"),
        ("de-ch-1901", "de-CH-1901"),
        ("zh-cmn-Hans-cn", "zh-cmn-Hans-CN"),
        ("EN-a-BBB-x-GB", "en-a-bbb-x-gb"),
        ("de-CH-x-phonebk", "de-CH-x-phonebk"),
        ("ar-u-NU-latn", "ar-u-nu-latn"),
        ("X-Whatever", "x-whatever"),
        ("x-a-b", "x-a-b"),
        ("I-Klingon", "i-klingon"),
        ("sgn-be-fr", "sgn-BE-FR"),
        ("en-gb-OED", "en-GB-oed"),
        ("art-lojban", "art-lojban"),
        ("zh-min-nan", "zh-min-nan"),
        ("mn-Cyrl-MN", "mn-Cyrl-MN"),
    ],
)
def test_language_tag_is_stored_in_canonical_case(sent: str, stored: str) -> None:
    assert Language().deserialize(sent) == stored
    assert Language().deserialize(stored) == stored


@pytest.mark.parametrize(
    "tag",
    [
        *("ab-c", "en-a-b", "fr-Latn-Latn", "a-DE", "ar-a-aaa-b-bbb-a-ccc", "de-419-DE", "x", "x-"),
        *(
            "en_GB",
            "en-",
            "-en",
            "en--GB",
            "e",
            "1-en",
            "de-DE-1901-1901",
            "en-GB-GB",
            "i-whatever",
        ),
        *("abcdefghi", "en-x", "en-u", "en-u-x-a", "zh-Hant-TW-Hant", "C.UTF-8", "ｅｎ", "en GB"),
    ],
)
def test_tag_that_is_not_well_formed_is_rejected(tag: str) -> None:
    assert reason(Language(), tag).startswith("locale: Must be a language tag, such as en-GB")


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25Z", datetime(2017, 1, 1, microsecond=250_000, tzinfo=UTC)),
        ("2015-06-30T23:59:60+00:00", datetime(2015, 7, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00-00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00+0200", datetime(2025, 12, 31, 22, tzinfo=UTC)),
        ("2026-01-01T00:00:00-0230", datetime(2026, 1, 1, 2, 30, tzinfo=UTC)),
        ("2026-01-01T00:00:00 0200", datetime(2025, 12, 31, 22, tzinfo=UTC)),
        ("2026-01-01 00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, tzinfo=UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000, tzinfo=UTC)),
    ],
)
def test_time_is_accepted(sent: str, moment: datetime) -> None:
    assert Moment().deserialize(sent) == moment


@pytest.mark.parametrize(
    "sent",
    [
        "2016-12-31T23:59:61Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T12:00:60Z",
        "2016-12-31T23:59:60+01:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+02:60",
        "9999-12-31T23:59:60Z",
    ],
)
def test_time_is_rejected(sent: str) -> None:
    assert reason(Moment(), sent).startswith("time: ")


def test_filters_accept_what_clients_send() -> None:
    """A client that does not encode `+` sends a space."""
    query = http_queries.load(
        queries.GetCustomers,
        {
            "email": ["a b@example.com"],
            "phone": [" 44 (0)20 7946 0000"],
            "created_after": ["2026-01-01T00:00:00 0200"],
        },
    )

    assert (query["email"], query["phone"]) == ("a+b@example.com", LONDON)


@pytest.mark.parametrize("load", [acceptance.load_customer, schemas.load_customer])
def test_fast_path_and_schemas_store_the_same(load: object) -> None:
    sent = ADA | {
        "phone": "+49 (0) 30 123456",
        "locale": "EN-gb",
        "addresses": [{"line1": "x", "country": "XK"}],
    }
    customer = load(sent)  # type: ignore[operator]

    assert (customer["phone"], customer["locale"]) == ("+4930123456", "en-GB")
    with pytest.raises(ValidationError):
        load(ADA | {"phone": "+12"})  # type: ignore[operator]
