"""Minimize a case that violates an invariant."""

from collections.abc import Callable, Iterator

from load.fuzz.cases import Case, JSONValue, serialize

MAX_TRIES = 3_000


def shrink(case: Case, still_breaks: Callable[[Case], bool]) -> Case:
    """Return the smallest case that still fails.

    Tries to drop each field and each half of a text.
    """
    tries = 0
    found = True
    while found:
        found = False
        for event in _smaller(case.event):
            tries += 1
            smaller = Case(case.function, event)
            if len(serialize(smaller)) < len(serialize(case)) and still_breaks(smaller):
                case, found = smaller, True
                break
            if tries >= MAX_TRIES:
                return case
    return case


def _smaller(value: JSONValue) -> Iterator[JSONValue]:
    """Yield copies of the value with one part removed, the largest part first."""
    if isinstance(value, dict):
        for name in value:
            yield {other: value[other] for other in value if other != name}
        for name in value:
            yield from ({**value, name: smaller} for smaller in _smaller(value[name]))
    elif isinstance(value, list):
        for n in range(len(value)):
            yield [*value[:n], *value[n + 1 :]]
        for n, item in enumerate(value):
            yield from ([*value[:n], smaller, *value[n + 1 :]] for smaller in _smaller(item))
    elif isinstance(value, str):
        size = len(value) // 2
        while size:
            yield from (value[:n] + value[n + size :] for n in range(0, len(value), size))
            size //= 2
