"""The feed of changes: what it shows, how it continues, and that it misses nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.customers import schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, connect, mysql
from chalicelib.http import creates, feed
from chalicelib.settings import Settings
from local import seed
from local.database_server import DatabaseServer
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded
from tests.test_listing import Explained

KEY = b"signs the cursors"
FEED = "/customers/changes"
LINES = "application/x-ndjson"


def age(database: Database, minutes: int = 2) -> None:
    """Make all changes older than the delay of the feed, in the same order."""
    database.execute(
        "UPDATE customers SET changed_at = changed_at - INTERVAL :minutes MINUTE", minutes=minutes
    )


def changes(api: Api, path: str = FEED, **headers: str) -> dict[str, Any]:
    answer = api.get(path, **headers)
    assert answer.status_code == 200
    return answer.json_body  # type: ignore[no-any-return]


def create(api: Api, name: str) -> str:
    answer = api.post("/customers", ADA | {"email": f"{name}@example.com"})
    return str(answer.headers["Location"])


@pytest.fixture
def three(api: Api, database: Database) -> list[str]:
    """Create a live customer, a deleted one and an erased one; return their paths."""
    paths = [create(api, name) for name in ("live", "deleted", "erased")]
    api.delete(paths[1])
    api.post(f"{paths[2]}/erase")
    age(database)
    return paths


def test_feed_shows_removed_customers_without_their_fields(api: Api, three: list[str]) -> None:
    live, deleted, erased = changes(api)["items"]

    assert live == api.get(three[0]).json_body
    assert deleted == {"id": three[1][-36:], "version": 2, "deleted_at": deleted["deleted_at"]}
    assert erased == {"id": three[2][-36:], "version": 2, "erased_at": erased["erased_at"]}
    assert deleted["deleted_at"] <= erased["erased_at"]


def test_feed_is_one_statement(api: Api, three: list[str], database: Recorded) -> None:
    assert three
    database.statements.clear()

    changes(api)

    assert len(database.statements) == 1


def test_changed_customer_appears_once_after_the_others(
    api: Api, three: list[str], database: Database
) -> None:
    api.patch(three[0], {"locale": "de"})
    api.patch(three[0], {"locale": "fr"})
    age(database, minutes=1)

    items = changes(api)["items"]

    assert [item["id"] for item in items] == [three[n][-36:] for n in (1, 2, 0)]
    assert items[-1]["locale"] == "fr"


def test_restored_customer_appears_again(api: Api, three: list[str], database: Database) -> None:
    following = changes(api)["next"]
    api.post(f"{three[1]}/restore")
    age(database)

    (item,) = changes(api, following)["items"]

    assert item == api.get(three[1]).json_body


def test_customer_without_a_change_does_not_appear_again(api: Api, three: list[str]) -> None:
    following = changes(api)["next"]
    api.patch(three[0], {"locale": None})
    api.post(f"{three[2]}/erase")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "DELAY_SECONDS", 0)
        assert changes(api, following)["items"] == []


def test_next_is_always_present(api: Api, database: Database) -> None:
    empty = changes(api, f"{FEED}?limit=1")
    assert empty == {"items": [], "next": f"{FEED}?limit=1", "has_more": False}
    create(api, "first")
    create(api, "second")
    age(database)

    first = api.get(empty["next"])
    second = api.get(first.json_body["next"])
    end = api.get(second.json_body["next"])

    pages = [answer.json_body for answer in (first, second, end)]
    assert [len(page["items"]) for page in pages] == [1, 1, 0]
    assert [page["has_more"] for page in pages] == [True, False, False]
    assert pages[2]["next"] == pages[1]["next"] != pages[0]["next"]
    assert [each.headers["Retry-After"] for each in (first, second, end)] == ["0", "10", "10"]
    assert [each.headers["Link"] for each in (first, second, end)] == [
        f'<{page["next"]}>; rel="next"' for page in pages
    ]


def test_pages_continue_within_changes_of_the_same_time(api: Api, database: Database) -> None:
    batch = {"items": [ADA | {"email": f"{n}@example.com"} for n in range(7)]}
    created = api.post("/customers/batch", batch).json_body["items"]
    age(database)

    items: list[Any] = []
    path = f"{FEED}?limit=2"
    for _ in range(4):
        page = changes(api, path)
        items, path = items + page["items"], page["next"]

    assert items == created


def test_change_is_shown_when_no_write_can_still_precede_it(api: Api, database: Database) -> None:
    create(api, "new")
    assert changes(api)["items"] == []

    for missing, shown in ((1, 0), (-1, 1)):
        database.execute(
            "UPDATE customers SET changed_at = NOW(3) - INTERVAL :age SECOND",
            age=feed.DELAY_SECONDS - missing * 30,
        )
        assert len(changes(api)["items"]) == shown


def test_lines_are_the_items(api: Api, three: list[str]) -> None:
    assert three
    answer = api.get(FEED, accept=LINES)

    page = changes(api)
    assert answer.headers["Content-Type"] == LINES
    assert answer.headers["Link"] == f'<{page["next"]}>; rel="next"'
    assert [json.loads(line) for line in answer.body.splitlines()] == page["items"]
    assert answer.body.endswith(b"\n")


def test_no_changes_are_no_lines(api: Api) -> None:
    answer = api.get(FEED, accept=LINES)

    assert (answer.status_code, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json, application/x-ndjson;q=0.9", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", LINES),
        ("application/x-ndjson, */*", "application/json"),
        ("application/x-ndjson, */*;q=0.1", LINES),
        ("text/*, application/*", "application/json"),
    ],
)
def test_accept_selects_the_media_type(api: Api, accept: str, media_type: str) -> None:
    assert api.get(FEED, accept=accept).headers["Content-Type"] == media_type


def test_other_media_types_return_406(api: Api) -> None:
    answer = api.get(FEED, accept="text/csv")

    assert_problem(answer, 406, "not-acceptable")
    assert "application/json and application/x-ndjson" in answer.json_body["detail"]


def test_fields_select_the_fields_of_live_customers(api: Api, three: list[str]) -> None:
    live, deleted, _ = changes(api, f"{FEED}?fields=email,id")["items"]

    assert live == {"id": three[0][-36:], "email": "live@example.com"}
    assert deleted.keys() == {"id", "version", "deleted_at"}


def test_head_has_the_headers_of_get(api: Api, three: list[str]) -> None:
    assert three
    head = api.request("HEAD", FEED)

    assert head.body == b""
    assert head.headers["Link"] == api.get(FEED).headers["Link"]


def test_cursor_continues_with_other_parameters(api: Api, three: list[str]) -> None:
    following = changes(api, f"{FEED}?limit=1")["next"]
    cursor = following.partition("cursor=")[2]

    (item,) = changes(api, f"{FEED}?limit=1&fields=version&cursor={cursor}")["items"]

    assert item["id"] == three[1][-36:]


@pytest.mark.parametrize("cursor", ["", "AAAA", "changed", "of a list"])
def test_other_cursor_is_rejected(api: Api, three: list[str], cursor: str) -> None:
    assert three
    valid = changes(api, f"{FEED}?limit=1")["next"].partition("cursor=")[2]
    if cursor == "changed":
        cursor = ("B" if valid[5] == "A" else "A").join((valid[:5], valid[6:]))
    elif cursor == "of a list":
        create(api, "another")
        path = "/customers?sort=updated_at&limit=1"
        cursor = api.get(path).json_body["next"].partition("cursor=")[2]

    answer = api.get(f"{FEED}?cursor={cursor}")

    assert_problem(answer, 400, "validation-error", ("cursor", "cursor"))


# --- cost ---------------------------------------------------------------------------------------


def test_page_reads_as_many_entries_as_it_has(database: Database) -> None:
    seed.load(database, 300)
    age(database)
    explained = Explained(database)
    cursor = None
    for _ in range(6):
        found = feed.page(explained, CUSTOMERS, KEY, limit=50, cursor=cursor)
        assert "ix_customers_changed" in str(explained.plan)
        assert explained.entries <= 52
        cursor = found.cursor
    assert not found.has_more


# --- delayed commits ----------------------------------------------------------------------------


class Write(NamedTuple):
    """A write of a customer that begins and commits at these seconds."""

    customer: int
    begin: int
    commit: int


START = datetime(2026, 5, 1, tzinfo=UTC)
WRITES = st.lists(
    st.builds(
        lambda customer, begin, lasts: Write(customer, begin, begin + lasts),
        st.integers(0, 5),
        st.integers(0, 200),
        st.integers(0, feed.DELAY_SECONDS - 1),
    ),
    min_size=2,
    max_size=8,
)


@pytest.fixture
def sessions(database_server: DatabaseServer, database: Database) -> Iterator[list[Any]]:
    """Open connections of which each has its own clock; customers 0 to 5 exist."""
    customers = [ADA | {"email": f"{n}@example.com"} for n in range(6)]
    batch = schemas.load_batch({"items": customers})
    creates.create_all(database, CUSTOMERS, batch, None)
    arguments = mysql.connection_arguments(database_server.url)
    made = [pymysql.connect(**arguments) for _ in range(6)]
    yield made
    for session in made:
        session.close()


def test_reader_misses_no_change_whose_commit_is_delayed(
    sessions: list[Any], database_server: DatabaseServer
) -> None:
    reader = connect(Settings(database_url=database_server.url))

    @settings(max_examples=40)
    @given(WRITES, st.lists(st.integers(0, 300), max_size=8))
    def check(writes: list[Write], reads: list[int]) -> None:
        assert follow(sessions, reader, without_conflicts(writes), reads) == states(sessions[0])

    check()


def without_conflicts(writes: list[Write]) -> list[Write]:
    """Return the writes without those that would wait for the lock of an earlier one."""
    free = dict.fromkeys(range(6), -1)
    kept = []
    for write in sorted(writes, key=lambda each: each.begin):
        if free[write.customer] < write.begin:
            free[write.customer] = write.commit
            kept.append(write)
    return kept


def follow(
    sessions: list[Any], reader: Database, writes: list[Write], reads: list[int]
) -> dict[str, int]:
    """Return the versions by id that a reader knows in the end, who reads at these seconds."""
    sessions[0].cursor().execute(
        "UPDATE customers SET version = 1, changed_at = %s", (START - timedelta(days=1),)
    )
    events = sorted(
        [
            *((write.begin, 1, write) for write in writes),
            *((write.commit, 2, write) for write in writes),
            *((second, 3, None) for second in (*reads, 400)),
        ],
        key=lambda event: event[:2],
    )
    known: dict[str, int] = {}
    cursor: str | None = None
    for second, kind, write in events:
        if write is None:
            reader.execute("SET timestamp = :now", now=(START.timestamp() + second))
            while True:
                found = feed.page(reader, CUSTOMERS, KEY, limit=2, cursor=cursor)
                items = [
                    json.loads(str(row["document"]).replace("\x7f", '"')) for row in found.rows
                ]
                known |= {item["id"]: item["version"] for item in items}
                cursor = found.cursor
                if not found.has_more:
                    break
        elif kind == 1:
            begin(sessions[write.customer], write.customer, second)
        else:
            sessions[write.customer].commit()
    return known


def begin(session: Any, customer: int, second: int) -> None:
    """Write the customer at this second, without committing."""
    cursor = session.cursor()
    cursor.execute("SET timestamp = %s", (START.timestamp() + second,))
    session.begin()
    cursor.execute(
        "UPDATE customers SET version = version + 1 WHERE email_live = %s",
        (f"{customer}@example.com",),
    )


def states(session: Any) -> dict[str, int]:
    cursor = session.cursor()
    cursor.execute("SELECT id, version FROM customers")
    return {str(UUID(bytes=row_id)): version for row_id, version in cursor.fetchall()}
