"""Strict JSON, and merge patch by its RFC's own examples."""

import json

import pytest

from chalicelib.http.documents import merge_patch, parse
from chalicelib.http.problems import MalformedJSON


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7396, appendix A
        ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
        ('{"a":"b"}', '{"a":null}', "{}"),
        ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
        ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
        ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
        ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
        ('["a","b"]', '["c","d"]', '["c","d"]'),
        ('{"a":"b"}', '["c"]', '["c"]'),
        ('{"a":"foo"}', "null", "null"),
        ('{"a":"foo"}', '"bar"', '"bar"'),
        ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
        ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
        ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
    ],
)
def test_merge_patch_follows_the_rfc(target: str, patch: str, result: str) -> None:
    before = json.loads(target)

    assert json.loads(result) == merge_patch(before, json.loads(patch))
    assert json.loads(target) == before


@pytest.mark.parametrize(
    "raw", [b'{"a": [1, 2.5, "\\u00e9", null, true]}', b'"\xc3\xa9"', b" 1 ", b'"\\ud83d\\ude42"']
)
def test_json_is_parsed(raw: bytes) -> None:
    assert json.loads(raw) == parse(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a":\n 1 2}', "line 2, column 4"),
        (b'{"a": "\xff"}', "byte 7"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 1}', "two fields of the same name"),
        (b"[" * 17 + b"]" * 17, "16 levels"),
        (b"[" * 1_000_000, "more than 1000 values"),
        (b'"{' + b'\\",' * 1_000_000, "Unterminated string"),
        (b"[" + b"0," * 1_000 + b"0]", "more than 1000 values"),
        (b"9" * 4_301, "number that is too long"),
        (b'{"\\ud800": 1}', "unpaired surrogate"),
        (b'{"a": ["\\udc00\\ud800"]}', "unpaired surrogate"),
    ],
)
def test_error_explains_cause_and_place(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedJSON, match=message):
        parse(raw)


@pytest.mark.parametrize("piece", [",", "[{", '\\"', "\\\\"])
def test_texts_may_have_many_characters_that_separate_values(piece: str) -> None:
    raw = f'["{piece * 2_000}", "{piece * 2_000}"]'.encode()

    assert parse(raw) == json.loads(raw)


def test_values_are_counted_before_they_are_parsed() -> None:
    with pytest.raises(MalformedJSON, match="more than 1000 values"):
        parse(b"{" + b'"a":[],' * 2_000)  # never ends
    assert len(parse(b"[" + b"0," * 998 + b"0]")) == 999  # type: ignore[arg-type]


def test_depth_at_the_limit_is_accepted() -> None:
    assert parse(b"[" * 16 + b"]" * 16)
