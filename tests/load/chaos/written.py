"""Handwritten histories: each operation is one line, times are in seconds."""

from dataclasses import replace
from typing import Any

from chalicelib.events.cloudevents import Event
from load.chaos.facts import Final
from load.chaos.history import REMOVALS, SUCCESS, Attempt, Operation, Seen

ONE, TWO = "01a20630-0000-7000-8000-000000000001", "01a20630-0000-7000-8000-000000000002"
EARLY = 1_795_400_700.0
"""Seconds since 1970, later than the ids were created."""


EMAILS = {ONE: "a@example.com", TWO: "b@example.com"}


def version(number: int, key: str, customer: str = ONE) -> Seen:
    return Seen(customer, number, EMAILS[customer], key)


def deleted(seen: Seen) -> Seen:
    """Return the version as stored after a deletion."""
    return replace(seen, version=seen.version + 1, state="deleted")


def erased(seen: Seen) -> Seen:
    """Return the version as stored after an erasure."""
    return Seen(seen.id, seen.version + 1, state="erased")


def removed(seen: Seen) -> Seen:
    """Return the version as the feed shows it after a deletion."""
    return Seen(seen.id, seen.version + 1, state="deleted")


def event(customer: str, number: int, operation: str) -> dict[str, Any]:
    """Return the event of a version, as a consumer receives it."""
    moment = "2026-11-29T00:00:00.000Z"
    return Event("customer", operation, customer, number, moment).document()


def attempt(began: float, ended: float, status: int) -> Attempt:
    retry_after = "2" if status == 503 else None
    return Attempt(EARLY + began, EARLY + ended, status, retry_after)


def create(key: str, at: float, *shown: Seen, before: tuple[int, ...] = ()) -> Operation:
    """Return a create that succeeds after attempts with the given statuses."""
    attempts = [*(attempt(at, at, status) for status in before), attempt(at, at + 1, 201)]
    kind = "create" if len(shown) == 1 else "batch"
    emails = [seen.email for seen in shown]
    return Operation(0, kind, key, None, None, emails, attempts, list(shown))


def unknown_create(key: str, at: float, *emails: str) -> Operation:
    kind = "create" if len(emails) == 1 else "batch"
    return Operation(0, kind, key, emails=list(emails), attempts=[attempt(at, at + 1, 0)])


def change(
    key: str, at: float, base: int | None, *statuses: int, kind: str = "patch", customer: str = ONE
) -> Operation:
    """Return a change with these response statuses; a success shows the version after `base`."""
    statuses = statuses or (*SUCCESS[kind],)
    attempts = [attempt(at + n, at + n + 1, status) for n, status in enumerate(statuses)]
    shown = []
    if base is not None and statuses[-1] in SUCCESS[kind]:
        shown = [version(base + 1, key, customer)]
        if kind in REMOVALS:
            state = "deleted" if kind == "delete" else "erased"
            shown = [Seen(customer, base + 1, state=state)]
    return Operation(0, kind, key, customer, base, [EMAILS[customer]], attempts, shown)


def bulk(key: str, at: float, *statuses: int, kind: str = "patch all") -> Operation:
    """Return a write of version 1 of both customers, with these response statuses."""
    statuses = statuses or (*SUCCESS[kind],)
    attempts = [attempt(at + n, at + n + 1, status) for n, status in enumerate(statuses)]
    shown = []
    if statuses[-1] in SUCCESS[kind]:
        shown = [version(2, key, customer) for customer in (ONE, TWO)]
        if kind == "delete all":
            shown = [Seen(customer, 2, state="deleted") for customer in (ONE, TWO)]
    return Operation(0, kind, key, attempts=attempts, seen=shown, items=[(ONE, 1), (TWO, 1)])


def put(key: str, at: float, *statuses: int, seen: Seen, kind: str = "put") -> Operation:
    """Return a PUT by external id; a success shows the version."""
    statuses = statuses or (200,)
    attempts = [attempt(at + n, at + n + 1, status) for n, status in enumerate(statuses)]
    shown = [seen] if statuses[-1] in SUCCESS[kind] else []
    return Operation(0, kind, key, emails=[seen.email], attempts=attempts, seen=shown)


def restore(key: str, at: float, base: int, seen: Seen) -> Operation:
    """Return a restore that returns the version after `base`, with the content of `seen`."""
    operation = change(key, at, base, kind="restore", customer=seen.id)
    operation.seen = [replace(seen, version=base + 1)]
    return operation


def page(at: float, *shown: Seen) -> Operation:
    """Return a page of the feed of changes."""
    attempts = [attempt(at, at + 1, 200)]
    return Operation(-1, "changes", f"page at {at}", attempts=attempts, seen=list(shown))


def read(at: float, seen: Seen | None, *, status: int = 200, customer: str = ONE) -> Operation:
    shown = [seen] if seen else []
    attempts = [attempt(at, at + 1, status)]
    return Operation(1, "read", f"read at {at}", customer, attempts=attempts, seen=shown)


def listing(at: float, *shown: Seen) -> Operation:
    attempts = [attempt(at, at + 1, 200)]
    return Operation(1, "list", f"list at {at}", attempts=attempts, seen=list(shown))


def final(*stored: Seen) -> Final:
    """Return final data in which the list, the reads and the database agree."""
    listed = [seen for seen in stored if seen.state != "erased"]
    return Final(listed, {seen.id: seen if seen.is_live else None for seen in stored}, stored)
