"""Search for requests: words that all must match."""

import re
from collections.abc import Iterable
from typing import Any

_DURATION = re.compile(r"([<>])=?(\d+(?:\.\d+)?)(ms|s)?", re.ASCII)
_STATUS = re.compile(r"[1-5](?:\d\d|xx)", re.ASCII)


class Search:
    """The words of a search.

    `>100` and `<2s` compare the duration, by default in milliseconds; `404` and `4xx` are the
    status. Every other word is part of a text, such as an operation, an id or a statement.
    """

    def __init__(self, text: str) -> None:
        self._words = text.lower().split()

    def matches(self, request: dict[str, Any], texts: Iterable[str]) -> bool:
        """Return whether every word matches the request; `texts` are in lower case."""
        known = [value.lower() for value in request.values() if isinstance(value, str)]
        known += texts
        return all(_matches(word, request, known) for word in self._words)


def _matches(word: str, request: dict[str, Any], texts: list[str]) -> bool:
    if duration := _DURATION.fullmatch(word):
        return _compares(request.get("duration_ms"), *duration.groups())
    if _STATUS.fullmatch(word):
        status = str(request.get("status"))
        return status.startswith(word.rstrip("x")) and len(status) == len(word)
    return any(word in text for text in texts)


def _compares(milliseconds: float | None, sign: str, number: str, unit: str | None) -> bool:
    if milliseconds is None:
        return False
    limit = float(number) * (1000 if unit == "s" else 1)
    return milliseconds >= limit if sign == ">" else milliseconds <= limit
