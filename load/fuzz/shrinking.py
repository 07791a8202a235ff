"""The smallest case that still breaks what a case broke."""

from collections.abc import Callable, Iterator

from load.fuzz.cases import Case, JSONValue, written

MOST_TRIES = 3_000


def shrunk(case: Case, still_breaks: Callable[[Case], bool]) -> Case:
    """Return the case without what can be left out, each member and each half of a text tried."""
    tries = 0
    found = True
    while found:
        found = False
        for event in _smaller(case.event):
            tries += 1
            smaller = Case(case.function, event)
            if len(written(smaller)) < len(written(case)) and still_breaks(smaller):
                case, found = smaller, True
                break
            if tries >= MOST_TRIES:
                return case
    return case


def _smaller(value: JSONValue) -> Iterator[JSONValue]:
    """Yield what is left of the value without one thing in it, the largest first."""
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
