"""No read returns less than was known before it began."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence

from load.chaos.facts import Facts
from load.chaos.history import CREATES, PAGE, REMOVALS, Operation


def stale(facts: Facts) -> Iterator[str]:
    """Yield reads that return less than was known before they began."""
    for operation in facts.operations:
        if operation.is_write:
            continue
        for seen in operation.seen:
            if seen.version < (known := facts.known_before(seen.id, operation.began)):
                yield f"{operation.label} returned {seen}, when version {known} was known"
    yield from _missing_from_pages(facts)


def _missing_from_pages(facts: Facts) -> Iterator[str]:
    """Yield customers that existed before a list began, and are missing there.

    A list shows the last ids. A customer with a lower id than all of a full page is not missing.
    """
    created = deque(
        sorted((create.ended, seen.id) for create in facts.done(CREATES) for seen in create.seen)
    )
    ids: list[str] = []
    for page in sorted(facts.done(("list",)), key=lambda page: page.began):
        while created and created[0][0] < page.began:
            insort(ids, created.popleft()[1])
        yield from _missing(facts, page, ids)


def _missing(facts: Facts, page: Operation, ids: Sequence[str]) -> Iterator[str]:
    shown = {seen.id for seen in page.seen}
    first = min(shown) if len(shown) == PAGE else ""
    for customer in ids[bisect_left(ids, first) :]:
        if customer not in shown and not facts.may_be_removed(
            customer, REMOVALS, page.began, page.ended
        ):
            yield f"{page.label} omitted {customer}, which was created before"
