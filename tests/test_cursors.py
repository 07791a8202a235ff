"""Cursors contain a position and are signed; any other cursor is rejected."""

import string
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chalicelib.customers.lists import combine
from chalicelib.http import pagination
from chalicelib.http.pagination import Position, decode, encode

KEY = b"signs the cursors"
LISTED = {"status": "active", "sort": "-created_at"}
BY_CREATION = Position(UUID("01a2043a-b5d2-7386-b484-33764a732a70"))
BY_UPDATE = Position(BY_CREATION.id, datetime(2026, 1, 31, 12, 0, 0, 123_000, UTC))
POSITIONS = [BY_CREATION, BY_UPDATE]
LETTERS = string.ascii_letters + string.digits + "-_"


def is_rejected(cursor: str, key: bytes = KEY, listed: dict[str, str] = LISTED) -> bool:
    try:
        decode(key, listed, cursor)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("position", POSITIONS)
def test_cursor_decodes_to_its_position(position: Position) -> None:
    assert decode(KEY, LISTED, encode(KEY, LISTED, position)) == position
    assert decode(KEY, dict(reversed(LISTED.items())), encode(KEY, LISTED, position)) == position


@pytest.mark.parametrize(
    ("query", "position", "cursor"),
    [
        (
            {"q": "ada", "status": "active"},
            BY_CREATION,
            "AQGiBDq10nOGtIQzdkpzKnD2XS1vIeGJkK-Brx_8g1hn",
        ),
        (
            {
                "email": "ada@example.com",
                "updated_after": datetime(2026, 1, 31, tzinfo=UTC),
                "include_deleted": True,
            },
            BY_UPDATE,
            "AQGiBDq10nOGtIQzdkpzKnABnBPsnns57-N-LJtxx5oXG6URrYbN",
        ),
    ],
)
def test_cursor_of_an_earlier_release_is_accepted(
    query: dict[str, Any], position: Position, cursor: str
) -> None:
    """Clients have cursors when a release is deployed. These are recorded."""
    assert decode(KEY, combine(**query).listed, cursor) == position


def test_cursor_contains_only_the_position_and_is_short() -> None:
    """URLs, Link headers and logs contain cursors."""
    listed = {"email": "ada@example.com", "q": "x" * 100}

    assert [len(encode(KEY, listed, position)) for position in POSITIONS] == [44, 52]
    assert set(encode(KEY, listed, BY_UPDATE)) <= set(LETTERS)
    assert urlsafe_b64decode(encode(KEY, listed, BY_CREATION))[:17] == (
        bytes([pagination.FORMAT]) + BY_CREATION.id.bytes
    )


@pytest.mark.parametrize("position", POSITIONS)
def test_cursor_with_any_other_character_is_rejected(position: Position) -> None:
    """Two different cursors never mean the same."""
    cursor = encode(KEY, LISTED, position)

    for place in range(len(cursor)):
        for letter in LETTERS.replace(cursor[place], ""):
            assert is_rejected(cursor[:place] + letter + cursor[place + 1 :])


@pytest.mark.parametrize("position", POSITIONS)
def test_cursor_of_any_other_length_is_rejected(position: Position) -> None:
    cursor = encode(KEY, LISTED, position)

    for end in range(len(cursor)):
        assert is_rejected(cursor[:end])
    for more in ("=", "==", "A", "AAAA", " ", "\n", "!", "\ud800", "é"):
        assert is_rejected(cursor + more)
        assert is_rejected(more + cursor)


@pytest.mark.parametrize(
    "listed",
    [
        {},
        {"status": "inactive", "sort": "-created_at"},
        {"status": "active", "sort": "created_at"},
        {"status": "active", "sort": "-created_at", "q": "ada"},
        {"statu": "sactive", "sort": "-created_at"},
    ],
)
def test_cursor_from_other_query_is_rejected(listed: dict[str, str]) -> None:
    assert is_rejected(encode(KEY, listed, BY_CREATION))


def test_cursor_signed_with_another_key_is_rejected() -> None:
    assert is_rejected(encode(b"another", LISTED, BY_CREATION))


def test_cursor_of_another_format_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "FORMAT", pagination.FORMAT + 1)
    newer = encode(KEY, LISTED, BY_CREATION)
    monkeypatch.undo()

    assert is_rejected(newer)
