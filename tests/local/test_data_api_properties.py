"""Properties: any parameter and any SQL reaches the database and returns unchanged."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.data_api import DataApi, Field, connect, parameter

pytestmark = pytest.mark.exhaustive

STRING = "stringValue"


def _back(api: DataApi, **value: Any) -> Field:
    return api.value("SELECT :v", [parameter("v", **value)])


many = settings(max_examples=60)


@many
@given(text=st.text())
def test_any_text_is_returned_unchanged(data_api: str, text: str) -> None:
    """Any Unicode string is returned unchanged."""
    assert {STRING: text} == _back(connect(data_api), stringValue=text)


@many
@given(data=st.binary(max_size=2000))
def test_any_bytes_are_returned_unchanged(data_api: str, data: bytes) -> None:
    """Any bytes are returned unchanged."""
    assert {"blobValue": data} == _back(connect(data_api), blobValue=data)


@many
@given(number=st.integers(-(2**63), 2**63 - 1))
def test_any_integer_is_returned_unchanged(data_api: str, number: int) -> None:
    """Any 64-bit integer is returned unchanged."""
    assert {"longValue": number} == _back(connect(data_api), longValue=number)


@many
@given(number=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_any_double_is_returned_unchanged(data_api: str, number: float) -> None:
    """Any double is returned unchanged, to the last bit."""
    assert {"doubleValue": number} == _back(connect(data_api), doubleValue=number)


@many
@given(number=st.decimals(-(10**30), 10**30, places=8))
def test_any_decimal_is_returned_unchanged(data_api: str, number: Decimal) -> None:
    """Any decimal is returned unchanged, including its scale."""
    value = parameter("v", "DECIMAL", stringValue=str(number))
    field = connect(data_api).value("SELECT :v", [value])
    assert Decimal(field[STRING]).as_tuple().exponent == number.as_tuple().exponent
    assert number == Decimal(field[STRING])


def _hinted(url: str, hint: str, text: str) -> str:
    value = parameter("v", hint, stringValue=text)
    return str(connect(url).value("SELECT :v", [value])[STRING])


# MySQL's dates begin with the year 1000, and a typed literal has as many digits as it shows.
@many
@given(date=st.dates(dt.date(1000, 1, 1)))
def test_any_date_is_returned_unchanged(data_api: str, date: dt.date) -> None:
    """Any date is returned unchanged."""
    assert date.isoformat() == _hinted(data_api, "DATE", date.isoformat())


@many
@given(time=st.times(), precision=st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_any_time_is_returned_unchanged(data_api: str, time: dt.time, precision: str) -> None:
    """Any time of day is returned unchanged, with the same number of digits."""
    text = time.isoformat(precision)
    assert text == _hinted(data_api, "TIME", text)


@many
@given(
    moment=st.datetimes(dt.datetime(1000, 1, 1)),  # noqa: DTZ001
    precision=st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_any_timestamp_is_returned_unchanged(
    data_api: str, moment: dt.datetime, precision: str
) -> None:
    """Any timestamp is returned unchanged, with the same number of digits."""
    text = moment.isoformat(" ", precision)
    assert text == _hinted(data_api, "TIMESTAMP", text)


@many
@given(values=st.lists(st.text(max_size=5) | st.integers(-5, 5) | st.none(), max_size=8))
def test_parameters_of_one_statement_are_not_mixed_up(
    data_api: str, values: list[str | int | None]
) -> None:
    """Each value belongs to its name, even if names and values are similar."""

    def value(content: str | int | None) -> Field:
        if content is None:
            return {"isNull": True}
        return {STRING: content} if isinstance(content, str) else {"longValue": content}

    named = {f"v{'_' * number}": value(item) for number, item in enumerate(values)}
    sql = ", ".join(["1", *(f":{name}" for name in named)])
    parameters = [parameter(name, **element) for name, element in named.items()]
    _, *back = connect(data_api).row(f"SELECT {sql}", parameters)
    assert list(named.values()) == back


# Parts of SQL that a tokenizer may misinterpret.
_odd = st.lists(st.sampled_from([":v", *":v'\"`\\", *"%s(-#/*;@ "])).map("".join) | st.text()
_quoted = st.tuples(_odd, st.sampled_from("'\""), st.sampled_from(["double", "backslash"]))
# Outside of literals, MariaDB ends a statement at a NUL.
_remarks = _odd.map(lambda text: re.sub(r"[\0\n]|\*/", "", text))
_comments = st.one_of(
    _remarks.map("/* {} */".format),
    _remarks.map("-- {}\n".format),
    _remarks.map("#{}\n".format),
    st.sampled_from([" ", "\n", "\t"]),
)


def _literal(text: str, quote: str, escape: str) -> str:
    """Write `text` as an SQL string, with its quotes doubled or escaped."""
    escaped = text.replace("\\", "\\\\")
    return quote + escaped.replace(quote, quote * 2 if escape == "double" else f"\\{quote}") + quote


@settings(max_examples=200)
@given(pieces=st.lists(st.tuples(_quoted, _comments, _comments), min_size=1, max_size=4))
def test_any_sql_is_passed_on_unchanged(
    data_api: str, pieces: list[tuple[tuple[str, str, str], str, str]]
) -> None:
    """Literals and comments reach the database unchanged, and placeholders are found."""
    columns = [
        f"{before}{_literal(*quoted)} AS `c:v{number}`{after},"
        for number, (quoted, before, after) in enumerate(pieces)
    ]
    sql = f"SELECT {' '.join(columns)} :v, 7 % 4"
    fields = connect(data_api).row(sql, [parameter("v", stringValue=":v")])
    texts = [text for (text, _, _), _, _ in pieces]
    assert [{STRING: text} for text in [*texts, ":v"]] + [{"longValue": 3}] == fields
