"""The feed of changes: every resource that has changed, once, with its present state.

The feed is in the order of `changed_at`, which the database sets when a write begins. So it does
not depend on the clocks of functions. A write becomes visible when it commits, perhaps after a
later one. The feed therefore shows no change that is younger than `DELAY_SECONDS`, which no write
outlasts: whoever continues after the last change of a page misses none. docs/decisions/0028 gives
reasons.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from chalicelib.database import Database, Row
from chalicelib.http import pagination
from chalicelib.http.pagination import Position
from chalicelib.http.resources import Resource

if TYPE_CHECKING:
    from datetime import datetime

DELAY_SECONDS = 60
"""The age of a change when it appears. The Data API ends each call after 45 seconds:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api-timeouts.html
"""
POLL_SECONDS = 10
"""After how many seconds a client should ask for further changes."""
LIMIT = 100


class Changes(NamedTuple):
    """A page of the feed, for `read_texts`; `cursor` is None if nothing has ever changed."""

    rows: Sequence[Row]
    cursor: str | None
    has_more: bool


def page(  # noqa: PLR0913 (a page has many parameters)
    database: Database,
    resource: Resource,
    key: bytes,
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    fields: Collection[str] = (),
) -> Changes:
    """Return the changes after the cursor, which `key` signs. Raises ValidationError for it."""
    feed = {"changes": resource.plural}
    after = pagination.parse(key, feed, cursor)
    sql = _statement(resource, frozenset(fields), is_first=after is None)
    position = {"after": after.time, "after_id": after.id.bytes} if after else {}
    rows = database.fetch_all(sql, **position, delay=DELAY_SECONDS, rows=limit + 1)
    shown = rows[:limit]
    if shown:
        last = shown[-1]
        changed_at = cast("datetime", last["changed_at"])
        cursor = pagination.encode(key, feed, Position(UUID(str(last["hex_id"])), changed_at))
    return Changes(shown, cursor, has_more=len(rows) > limit)


@lru_cache(maxsize=64)
def _statement(resource: Resource, fields: frozenset[str], *, is_first: bool) -> str:
    # not (changed_at, id) > (...): MySQL can't use a range scan for that
    after = " AND (changed_at > :after OR (changed_at = :after AND id > :after_id))"
    return (
        f"SELECT changed_at, HEX(id) AS hex_id, {resource.select_change(fields)}"
        f" FROM {resource.table} FORCE INDEX (ix_{resource.table}_changed)"
        f" WHERE changed_at <= NOW(3) - INTERVAL :delay SECOND{'' if is_first else after}"
        " ORDER BY changed_at, id LIMIT :rows"
    )
