"""Faults of the API and the relay, which prove that the checker detects each kind of violation.

`python -m load.chaos --broken duplicated,lost` runs them with faults of these kinds.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from chalicelib.customers import erasure
from chalicelib.database import Database, tables
from chalicelib.events import relay
from chalicelib.events.cloudevents import Event
from chalicelib.http import bulk, creates, feed, lenient, reads, unique
from chalicelib.http.idempotency import Key, Stored
from chalicelib.http.items import Item
from chalicelib.http.preconditions import Intent
from chalicelib.http.requests import Request
from chalicelib.http.resources import Document, Resource

# The unique keys alone would prevent duplicates.
ALLOW_DUPLICATES = (
    "ALTER TABLE customers DROP KEY uq_customers_email_live, DROP KEY uq_customers_external_id_live"
)
EVERY = 3
"""Of so many calls, the first one goes wrong."""


def duplicate_creates() -> None:
    """Ignore idempotency keys. Neither retry nor verify an INSERT with an unknown outcome."""

    def no_key(self: Request, operation: str) -> Key | None:  # noqa: ARG001
        return None

    def insert(
        database: Database, resource: Resource, new: Sequence[Document], stored: Stored, caller: str
    ) -> None:
        sql, parameters = creates.insertion(resource, new, stored, caller)
        database.execute(sql, **parameters)

    Request.idempotency_key = no_key  # type: ignore[method-assign]
    creates.insert = insert


def lose_creates() -> None:
    """Acknowledge some creates without an INSERT."""
    creates.insert = _sometimes(creates.insert, lambda *_: None)


def lose_lenient_creates() -> None:
    """Acknowledge the last customer of some lenient batches without storing it."""

    def all_but_last(
        database: Database, resource: Resource, new: Sequence[Document], *more: Any
    ) -> None:
        creates.insert(database, resource, new[:-1], *more)

    insert = _sometimes(creates.insert, all_but_last)
    vars(lenient)["creates"] = SimpleNamespace(insert=insert)


def put_twice() -> None:
    """Let some PUTs by external id overlook the customer that has it."""
    find_at = _sometimes(reads.find_at, lambda *_: None)
    vars(unique)["reads"] = SimpleNamespace(find_at=find_at, fetch=reads.fetch)


def tear_updates() -> None:
    """Update only the first of several customers, and acknowledge all."""
    update = bulk._update  # noqa: SLF001

    def first_only(
        database: Database,
        resource: Resource,
        items: Sequence[Item],
        documents: Sequence[Document],
        *changes_and_intent: Any,
    ) -> Any:
        changes, intent = changes_and_intent
        n = min(changes)
        return update(database, resource, [items[n]], [documents[n]], {0: changes[n]}, intent)

    bulk._update = _sometimes(update, first_only)  # noqa: SLF001


def tear_deletions() -> None:
    """Leave the last of several customers, and acknowledge the deletion of all."""
    delete_all = bulk.delete_all

    def all_but_last(
        database: Database, resource: Resource, items: Sequence[Item], *more: Any
    ) -> None:
        delete_all(database, resource, items[:-1], *more)

    bulk.delete_all = _sometimes(delete_all, all_but_last)


def fail_reads() -> None:
    """Let some reads fail."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("planted")

    reads.get = _sometimes(reads.get, fail)


def cache_reads() -> None:
    """Return customers as they were when they were read first."""
    reads.get = lru_cache(maxsize=None)(reads.get)  # type: ignore[assignment]


def overwrite_updates() -> None:
    """Do not check the version that an update is based on."""
    checked = tables.update_sql

    def unchecked(*arguments: Any) -> str:
        return checked(*arguments).replace(" AND version = :version - 1", "")

    tables.update_sql = unchecked  # type: ignore[assignment]


def ignore_erasures() -> None:
    """Acknowledge some erasures without an UPDATE."""

    def ignore(database: Database, customer_id: UUID, intent: Intent) -> None:
        pass

    erasure.erase = _sometimes(erasure.erase, ignore)


def keep_phones() -> None:
    """Keep the phone number of an erased customer."""
    erasure._ERASURE = erasure._ERASURE.replace("phone = NULL", "phone = phone")  # noqa: SLF001


def skip_changes() -> None:
    """Let the feed skip a change at the beginning of each further page."""
    page = feed.page

    def skip(*arguments: Any, **query: Any) -> feed.Changes:
        found = page(*arguments, **query)
        return found._replace(rows=found.rows[1:]) if query.get("cursor") else found

    feed.page = skip


def hide_erasures() -> None:
    """Leave erasures out of the feed."""
    statement = feed._statement  # noqa: SLF001

    def without_erasures(*arguments: Any, **query: Any) -> str:
        sql = statement(*arguments, **query)
        return sql.replace(" ORDER BY", " AND erased_at IS NULL ORDER BY")

    feed._statement = without_erasures  # type: ignore[assignment]  # noqa: SLF001


def drop_events() -> None:
    """Send no events of some customers."""
    relay._events = _sometimes(relay._events, lambda *_: [])  # noqa: SLF001


def swap_events() -> None:
    """Send the events of a customer in the wrong order."""
    events = relay._events  # noqa: SLF001
    relay._events = lambda *row: events(*row)[::-1]  # noqa: SLF001


def misspell_events() -> None:
    """Send events of types that do not exist."""
    Event.type = property(lambda event: f"{event.resource}.{event.operation}!")  # type: ignore[assignment]


def _sometimes(function: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that sometimes does something else."""
    calls = count(1)

    def sometimes(*arguments: Any, **named: Any) -> Any:
        chosen = instead if next(calls) % EVERY == 1 else function
        return chosen(*arguments, **named)

    return sometimes


FAULTS: Mapping[str, Callable[[], None]] = {
    "duplicated": duplicate_creates,
    "lost": lose_creates,
    "put-twice": put_twice,
    "lost-lenient": lose_lenient_creates,
    "torn": tear_updates,
    "torn-deletions": tear_deletions,
    "unexpected": fail_reads,
    "stale": cache_reads,
    "lost-updates": overwrite_updates,
    "resurrected": ignore_erasures,
    "half-erased": keep_phones,
    "skipped": skip_changes,
    "hidden": hide_erasures,
    "unsent": drop_events,
    "disordered": swap_events,
    "misspelled": misspell_events,
}
"""The faults, by the violation that they cause."""
DUPLICATES = {"duplicated", "put-twice"}
"""Those that need a database without unique keys."""
FOLLOWED = {"skipped", "hidden", "unsent", "disordered", "misspelled"}
"""Those of the feed and the events. With them, both show changes at once."""
NAMES = "CHAOS_FAULTS"


def plant(environ: Mapping[str, str]) -> None:
    """Let this process have the faults that CHAOS_FAULTS names, separated by commas."""
    names = [*filter(None, environ[NAMES].split(","))]
    for name in names:
        FAULTS[name]()
    if not FOLLOWED.isdisjoint(names):
        feed.DELAY_SECONDS = relay.DELAY_SECONDS = 0  # type: ignore[attr-defined]
        relay.DELAY = timedelta()
