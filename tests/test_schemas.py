"""The validation rules of every field: accepted values, their stored form, and rejected values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.customers import lists, queries, schemas
from chalicelib.http import queries as http_queries
from chalicelib.http.problems import ValidationError
from tests.api import ADA

ADDRESS = {"line1": "1 Main St", "country": "GB"}
LONGEST_EMAIL = "a" * 64 + "@" + ("b" * 61 + ".") * 3 + "com"
CONTROLS = "\x01\x1b\x1f\x7f\x80\x85\x9f\u2028\u2029\ud800\udfff"  # each range from end to end


def load(**fields: Any) -> dict[str, Any]:
    return schemas.load_customer(ADA | fields)


def errors(document: object, current: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        schemas.load_customer(document, current)
    return [(error["pointer"], error["code"]) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("email", " Ada@EXAMPLE.com ", "Ada@example.com"),
        ("email", "zoe\u0308@example.com", "zoë@example.com"),
        ("email", "ada@bücher.example.com", "ada@bücher.example.com"),
        ("email", "ada+tag@example.com", "ada+tag@example.com"),
        ("email", LONGEST_EMAIL, LONGEST_EMAIL),
        ("phone", "+44 (20) 7946-0000", "+442079460000"),
        ("phone", "+1.202.555.0143", "+12025550143"),
        ("phone", "+1202555" + " " * 28 + "0143", "+12025550143"),
        ("given_name", "  Zoe\u0308 ", "Zoë"),
        ("given_name", "x" * 300, "x" * 300),
        ("given_name", "\u03b1\u0313\u0300\u0345" * 300, "\u1f82" * 300),
        ("given_name", "a\xa0\u2027b", "a\xa0\u2027b"),
        ("given_name", "👩🏽‍🚀 שָׁלוֹם", "👩🏽‍🚀 שָׁלוֹם"),
        ("company_name", 'O\'Neil & Søns \\ "Ltd"', 'O\'Neil & Søns \\ "Ltd"'),
        ("external_id", "A-1", "A-1"),
        ("locale", "zh-Hant-TW", "zh-Hant-TW"),
        ("time_zone", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("time_zone", "UTC", "UTC"),
        ("status", "inactive", "inactive"),
        ("metadata", {"key": " value "}, {"key": "value"}),
        ("metadata", {f"k{n}": "v" for n in range(50)}, {f"k{n}": "v" for n in range(50)}),
        ("addresses", [ADDRESS] * 5, None),
    ],
)
def test_value_is_accepted_and_normalized(field: str, sent: Any, stored: Any) -> None:
    loaded = load(**{field: sent})[field]

    if field == "addresses":
        address = dict.fromkeys(("line2", "city", "region", "postal_code")) | {"type": "other"}
        stored = [address | ADDRESS] * 5
    assert loaded == stored


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("email", None, "null"),
        ("email", "", "blank"),
        ("email", "ada", "email"),
        ("email", "ada@", "email"),
        ("email", "ada@example", "email"),
        ("email", "ada @example.com", "email"),
        ("email", "ada@example..com", "email"),
        ("email", "Ada <ada@example.com>", "email"),
        ("email", "ada@example.com\n", None),
        ("email", "ada\n@example.com", "control-character"),
        ("email", LONGEST_EMAIL + "m", "too-long"),
        ("email", 7, "type"),
        ("phone", "020 7946 0000", "phone"),
        ("phone", "+0123", "phone"),
        ("phone", "+1234567890123456", "phone"),
        ("phone", "+44٢٠", "phone"),
        ("phone", "+1202555" + " " * 29 + "0143", "too-long"),
        ("given_name", "", "blank"),
        ("given_name", " \t ", "blank"),
        ("given_name", "x" * 301, "too-long"),
        ("given_name", "a\u0000b", "control-character"),
        *[("given_name", f"a{item}b", "control-character") for item in CONTROLS],
        ("given_name", "a" + "\u0316" * 30, None),
        ("given_name", "a" + "\u0316" * 31, "marks"),
        ("given_name", ["Ada"], "type"),
        ("given_name", True, "type"),
        ("family_name", "x" * 301, "too-long"),
        ("company_name", "x" * 501, "too-long"),
        ("external_id", "x" * 101, "too-long"),
        ("locale", "english please", "locale"),
        ("locale", "e", "locale"),
        ("time_zone", "Europe/Atlantis", "time-zone"),
        ("time_zone", "europe/london", "time-zone"),
        ("time_zone", "../../etc/passwd", "time-zone"),
        ("time_zone", "localtime", "time-zone"),
        ("time_zone", "Factory", "time-zone"),
        ("status", "deleted", "choice"),
        ("status", None, "null"),
        ("metadata", None, "null"),
        ("metadata", [], "type"),
        ("metadata", {f"k{n}": "v" for n in range(51)}, "too-many"),
        ("metadata", {f"{n:03}": "é" * 240 for n in range(9)}, "too-large"),
        ("addresses", None, "null"),
        ("addresses", {}, "type"),
        ("addresses", [ADDRESS] * 6, "too-many"),
    ],
)
def test_value_is_rejected(field: str, sent: Any, code: str | None) -> None:
    if code is None:
        assert load(**{field: sent})[field] == sent.strip()
    else:
        assert errors(ADA | {field: sent}) == [(f"/{field}", code)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"given_name": "Ada"}, [("/email", "required")]),
        ({"email": "ada@example.com"}, [("", "name-required")]),
        (
            ADA | {"addresses": [ADDRESS, {"country": "gb"}]},
            [("/addresses/1/line1", "required"), ("/addresses/1/country", "country")],
        ),
        (ADA | {"addresses": [ADDRESS | {"type": "secret"}]}, [("/addresses/0/type", "choice")]),
        (ADA | {"addresses": [ADDRESS | {"zip": "1"}]}, [("/addresses/0/zip", "unknown")]),
        (ADA | {"addresses": [None]}, [("/addresses/0", "null")]),
        (ADA | {"addresses": [[]]}, [("/addresses/0", "type")]),
        (ADA | {"metadata": {"": "x"}}, [("/metadata/", "blank")]),
        (ADA | {"metadata": {" a ": "x"}}, [("/metadata/ a ", "name")]),
        (ADA | {"metadata": {"e\u0301": "x"}}, [("/metadata/e\u0301", "name")]),
        (ADA | {"metadata": {"_schema": 1}}, [("/metadata/_schema", "type")]),
        (ADA | {"metadata": {"k" * 41: "x"}}, [("/metadata/" + "k" * 41, "too-long")]),
        (ADA | {"metadata": {"k": "v" * 501}}, [("/metadata/k", "too-long")]),
        (ADA | {"metadata": {"k": None}}, [("/metadata/k", "null")]),
        (ADA | {"metadata": {"k": {"a": "b"}}}, [("/metadata/k", "type")]),
        (ADA | {"_schema": 1}, [("", "unknown")]),
        ([ADA], [("", "type")]),
        (None, [("", "type")]),
    ],
)
def test_document_is_rejected(document: object, expected: list[tuple[str, str]]) -> None:
    assert sorted(errors(document)) == sorted(expected)


def test_optional_fields_may_be_null() -> None:
    optional = ("phone", "family_name", "company_name", "external_id", "locale", "time_zone")

    assert schemas.load_customer(ADA | dict.fromkeys(optional)) == schemas.load_customer(
        {"email": "ada@example.com", "given_name": "Ada"}
    )


def test_read_only_fields_may_be_sent_back_unchanged() -> None:
    current = {"id": "1", "version": 1, "created_at": "a", "updated_at": "b"}

    assert schemas.load_customer(ADA | current, current) == schemas.load_customer(ADA)
    assert errors(ADA | current | {"version": 2}, current) == [("/version", "read-only")]
    assert errors(ADA | {"id": "1"}) == [("/id", "read-only")]


@pytest.mark.parametrize("field", ["id", "version", "created_at", "updated_at"])
def test_read_only_fields_must_not_be_null(field: str) -> None:
    assert errors(ADA | {field: None}) == [(f"/{field}", "read-only")]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"phone": None}, {"phone": None}),
        ({"addresses": None, "metadata": None}, {"addresses": [], "metadata": {}}),
        ({"metadata": {"plan": None, "x": "y"}}, {"metadata": {"x": "y"}}),
        ({}, {}),
    ],
)
def test_patch_is_merged(patch: dict[str, Any], expected: dict[str, Any]) -> None:
    current = load(phone="+442079460000", addresses=[ADDRESS], metadata={"plan": "gold"})
    whole = current | dict.fromkeys(("id", "version", "created_at", "updated_at"), "set")

    assert schemas.load_patch(patch, whole) == current | expected


@pytest.mark.parametrize(
    ("patch", "pointer", "code"),
    [
        ({"status": None}, "/status", "null"),
        ({"email": None}, "/email", "null"),
        ({"id": None}, "/id", "read-only"),
        ({"nonsense": None}, "/nonsense", "unknown"),
        ({"nonsense": 1}, "/nonsense", "unknown"),
        ({"metadata": {"a": {"b": "c"}}}, "/metadata/a", "type"),
        ([], "", "type"),
        (None, "", "type"),
    ],
)
def test_invalid_patch_is_rejected(patch: object, pointer: str, code: str) -> None:
    current = load() | dict.fromkeys(("id", "version", "created_at", "updated_at"), "set")

    with pytest.raises(ValidationError) as caught:
        schemas.load_patch(patch, current)

    assert [(e["pointer"], e["code"]) for e in caught.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    ("sent", "microsecond"),
    [
        ("2026-01-31T12:00:00Z", 0),
        ("2026-01-31t12:00:00z", 0),
        ("2026-01-31T13:30:00+01:30", 0),
        ("2026-01-31T13:30:00 01:30", 0),
        ("2026-01-31T04:00:00-08:00", 0),
        ("2026-01-31T12:00:00.1Z", 100_000),
        ("2026-01-31T12:00:00.000001Z", 1),
        ("2026-01-31T12:00:00.0000010000Z", 1),
        ("2026-01-31T12:00:00.0000001Z", 1),
        ("2026-01-31T12:00:00.1230000000Z", 123_000),
        ("2026-01-31T12:00:00.0000000001Z", 1),
        ("2026-01-31T12:00:00.123000000001Z", 123_001),
        ("2026-01-31T12:00:00.123999999999Z", 123_999),
    ],
)
def test_time_is_rounded_to_microseconds(sent: str, microsecond: int) -> None:
    """Rounding finer digits never moves a time to another millisecond."""
    query = http_queries.load(queries.GetCustomers, {"created_after": [sent]})

    assert query["created_after"] == datetime(2026, 1, 31, 12, 0, 0, microsecond, UTC)


def test_default_order_depends_on_the_filters() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)

    assert lists.combine(limit=7).sort == "-created_at"
    assert lists.combine(updated_after=moment).sort == "updated_at"
    assert lists.combine(created_after=moment).sort == "-created_at"


def test_every_parameter_is_described() -> None:
    """The documentation is generated from the descriptions."""
    fields = queries.GetCustomers().fields.values()

    assert [field for field in fields if not field.metadata["description"].endswith(".")] == []


def test_size_of_a_customer_is_limited() -> None:
    """The limit counts bytes as the Data API sends them: quotes in JSON columns count twice."""
    # an address of the maximum size
    line = '"' * 200
    address = {"line1": line, "line2": line, "city": line, "region": line, "country": "GB"}

    assert load(addresses=[address])["addresses"][0]["line1"] == line
    assert errors(ADA | {"addresses": [address] * 3}) == [("", "too-large")]
    plain = json.loads(json.dumps([address] * 3).replace('\\"', "x"))
    assert len(load(addresses=plain)["addresses"]) == 3


def test_errors_do_not_repeat_the_value() -> None:
    secret = "ada-lovelace-secret"
    document = {
        "email": secret,
        "phone": secret,
        "status": secret,
        "locale": secret + " ",
        "time_zone": secret,
        "given_name": secret * 20,
        "addresses": [{"line1": "x", "country": secret, "type": secret}],
        "metadata": {"k": [secret]},
    }

    with pytest.raises(ValidationError) as caught:
        schemas.load_customer(document)

    assert len(caught.value.errors) >= 7
    assert secret not in repr(caught.value.errors) + caught.value.detail


def test_every_message_has_a_code_and_a_sentence() -> None:
    """Each message is ours, and none is marshmallow's."""
    document = {
        "email": 1, "phone": [], "status": None, "addresses": [1, {"line1": None}], "metadata": 1,
        "id": 1, "x": 1,
    }  # fmt: skip

    with pytest.raises(ValidationError) as caught:
        schemas.load_customer(document)

    for error in caught.value.errors:
        assert error["code"].replace("-", "").islower()
        assert error["detail"].startswith(("Must", "This", "Unknown", "Duplicates"))
        assert error["detail"].endswith(".")


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": "x\x7fy"}},
        {"metadata": {"a\x7f": "x"}},
        {"external_id": "a\x7fb"},
        {"given_name": "\x7fa"},
        {"email": "a\x7fb@example.com"},
        {"locale": "en\x7f"},
        {"addresses": [ADDRESS | {"line1": "a\x7fb"}]},
    ],
)
def test_text_with_a_delete_character_is_rejected(fields: dict[str, Any]) -> None:
    """`resources.read_texts` uses the delete character as a placeholder for quotes."""
    with pytest.raises(ValidationError):
        schemas.load_customer({"email": "ada@example.com", "given_name": "Ada", **fields})
