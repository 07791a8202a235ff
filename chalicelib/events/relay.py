"""Put an event on a bus for each version of a resource: at least once, and in order.

The relay's position is one row: all versions that were written until `sent_until` are on the bus. A
pass sends those that were written later, until `pass_until`, where no write was pending when the
pass began. It reads each row that may have one of them, and sends these lines of its history:

1. rows that have not changed after `pass_until`, in the order of their changes;
2. rows that have changed since, in the order of their ids, because they may change again.

A row that changes during the first part moves to the second, and never back. It may be read in
both. docs/decisions/0032 shows that no version is missed, even if a run is killed at any point, or
if two run at once.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, Self, cast
from uuid import UUID

from chalicelib.database import Database, Row
from chalicelib.events.cloudevents import Event
from chalicelib.http.feed import DELAY_SECONDS
from chalicelib.http.history import Version, parse
from chalicelib.http.resources import Resource
from chalicelib.http.values import format_time

PAGE = 100
"""Rows per statement. Their histories fit into a response of the Data API (1 MiB)."""
MAX_BATCH = 10
"""Events per call: PutEvents accepts 10, of 256 KB together. An event has 400 bytes."""
MAX_REJECTIONS = 3
"""Calls in a row that accept no event, before the run ends. The next run is the pause."""
DELAY = timedelta(seconds=DELAY_SECONDS)
FIRST_ID = bytes(16)


class EventsRejected(Exception):
    """The bus rejects events. The position stays, and the next run sends them again."""


class Bus(Protocol):
    """Where events go."""

    def put(self, events: Sequence[Event]) -> Sequence[bool]:
        """Return whether the bus accepted each of up to MAX_BATCH events."""


class Progress(NamedTuple):
    """The events that a step has sent, and the age of the oldest change that may not be sent."""

    events: int
    lag_seconds: float


class _Position(NamedTuple):
    """The position, at this revision. Without a pass, `pass_until` equals `sent_until`.

    The last row of the last page is (`page_time`, `page_id`). In the second part, `page_time` is
    None.
    """

    revision: int
    sent_until: datetime
    pass_until: datetime
    page_time: datetime | None
    page_id: bytes

    def begin(self, until: datetime) -> Self:
        """Return the beginning of a pass, unless one is in progress.

        A write that waits for a lock has an earlier time than the version before it. So a row's
        `changed_at` may be earlier than the time of a version, by less than a write may take.
        """
        if self.pass_until > self.sent_until:
            return self
        return self._replace(pass_until=until, page_time=self.sent_until - DELAY, page_id=FIRST_ID)

    def after(self, rows: Sequence[Row]) -> Self:
        """Return the position after a page: at its last row, or after its part of the pass."""
        following = self._replace(revision=self.revision + 1)
        if len(rows) == PAGE:
            last = rows[-1]
            moment = self.page_time and cast("datetime", last["changed_at"])
            return following._replace(page_time=moment, page_id=cast("bytes", last["id"]))
        if self.page_time:
            return following._replace(page_time=None, page_id=FIRST_ID)
        return following._replace(sent_until=self.pass_until)


def run(database: Database, resource: Resource, bus: Bus) -> Iterator[Progress]:
    """Send all events that are old enough. Yields before the first page, and after each.

    Ends early if another relay has moved the position. Raises EventsRejected, DatabaseError, and
    what the bus raises. Whatever it raises, the next run continues at the last completed page.
    """
    position, settled = _read(database, resource)
    yield _progress(0, position, settled)
    while position.sent_until < settled:
        position = position.begin(settled)
        rows = _page(database, resource, position)
        queues = [_events(resource, row, position) for row in rows]
        _send(bus, queues)
        following = position.after(rows)
        if not _move(database, resource, position, following):
            return
        position = following
        yield _progress(sum(map(len, queues)), position, settled)


def _progress(events: int, position: _Position, settled: datetime) -> Progress:
    return Progress(events, (settled - position.sent_until + DELAY).total_seconds())


# --- the position --------------------------------------------------------------------------------


def _read(database: Database, resource: Resource) -> tuple[_Position, datetime]:
    """Return the position, and the time until which all writes are visible."""
    sql = (
        "SELECT revision, sent_until, pass_until, page_time, page_id,"
        " CAST(NOW(3) - INTERVAL :delay SECOND AS DATETIME(3)) AS settled"
        " FROM relay_positions WHERE name = :name"
    )
    row = database.fetch_one(sql, name=resource.plural, delay=DELAY_SECONDS)
    if row is None:
        _create(database, resource)
        return _read(database, resource)
    settled = cast("datetime", row.pop("settled"))
    return _Position(**cast("dict[str, Any]", row)), settled


def _create(database: Database, resource: Resource) -> None:
    """Begin with the versions that are written from now on."""
    database.execute_guarded(
        "INSERT IGNORE INTO relay_positions"
        " (name, revision, sent_until, pass_until, page_time, page_id)"
        " SELECT :name, 1, moment, moment, moment, :id"
        " FROM (SELECT NOW(3) - INTERVAL :delay SECOND AS moment) AS start",
        name=resource.plural,
        id=FIRST_ID,
        delay=DELAY_SECONDS,
    )


def _move(database: Database, resource: Resource, old: _Position, new: _Position) -> bool:
    """Store the new position. Return whether it is stored: another relay may have been first."""
    sql = (
        "UPDATE relay_positions SET revision = :revision, sent_until = :sent_until,"
        " pass_until = :pass_until, page_time = :page_time, page_id = :page_id"
        " WHERE name = :name AND revision = :old"
    )
    parameters = {**new._asdict(), "name": resource.plural, "old": old.revision}
    return database.execute_guarded(sql, **parameters) > 0


# --- the versions of a pass ----------------------------------------------------------------------


def _page(database: Database, resource: Resource, position: _Position) -> list[Row]:
    """Return the rows after the position, in its part of the pass."""
    condition, order = (
        (" AND (changed_at > :after OR (changed_at = :after AND id > :id))", "changed_at, id")
        if position.page_time
        else (" AND id > :id", "id")
    )
    after = {"after": position.page_time} if position.page_time else {}
    return database.fetch_all(
        "SELECT id, changed_at, version, deleted_at, erased_at, history"
        f" FROM {resource.table} FORCE INDEX (ix_{resource.table}_changed)"
        f" WHERE changed_at {'<=' if position.page_time else '>'} :until{condition}"
        f" ORDER BY {order} LIMIT :rows",
        **after,
        id=position.page_id,
        until=position.pass_until,
        rows=PAGE,
    )


def _events(resource: Resource, row: Row, position: _Position) -> list[Event]:
    """Return the events of the row's versions that belong to the pass, the oldest first.

    A version's time counts as that of an earlier version that is later, so that times are in the
    order of versions.
    """
    begin, end = (format_time(time) or "" for time in (position.sent_until, position.pass_until))
    resource_id = str(UUID(bytes=cast("bytes", row["id"])))
    events, latest = [], ""
    for version in _versions(row):
        latest = max(latest, version.changed_at)
        if begin < latest <= end:
            events.append(
                Event(
                    resource.name,
                    version.operation,
                    resource_id,
                    version.version,
                    version.changed_at,
                )
            )
    return events


def _versions(row: Row) -> list[Version]:
    """Return the versions of a row, the oldest first.

    The history lacks versions that the previous code has written during a deployment. So the
    current one is added from the columns.
    """
    versions = parse(row["history"])[::-1]
    number = cast("int", row["version"])
    if not versions or versions[-1].version < number:
        moment = format_time(cast("datetime", row["changed_at"])) or ""
        versions.append(Version(number, _operation(row), moment, "", []))
    return versions


def _operation(row: Row) -> str:
    """Return what probably has led to the current version. A restore appears as an update."""
    if row["erased_at"]:
        return "erased"
    if row["deleted_at"]:
        return "deleted"
    return "created" if row["version"] == 1 else "updated"


# --- the bus -------------------------------------------------------------------------------------


def _send(bus: Bus, queues: Iterable[Sequence[Event]]) -> None:
    """Send the events; each queue has those of one resource, in order.

    A call has at most one event of a queue, because a bus may accept some events of a call and
    reject others: a version is sent when the bus has accepted the one before. Raises
    EventsRejected.
    """
    waiting = deque(deque(queue) for queue in queues if queue)
    rejections = 0
    while waiting:
        chosen = [waiting.popleft() for _ in range(min(MAX_BATCH, len(waiting)))]
        accepted = bus.put([queue[0] for queue in chosen])
        for queue, is_accepted in zip(chosen, accepted, strict=True):
            if is_accepted:
                queue.popleft()
            if queue:
                waiting.append(queue)
        rejections = 0 if any(accepted) else rejections + 1
        if rejections == MAX_REJECTIONS:
            raise EventsRejected(f"the bus accepted none of {len(chosen)} events")
