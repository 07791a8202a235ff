"""The relay of events: none is lost, and the first delivery of each is in order, in any failure."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from uuid import UUID

import pytest

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, DatabaseUnavailable, Row, Value, tables
from chalicelib.events import relay
from chalicelib.events.cloudevents import Event
from chalicelib.events.relay import EventsRejected
from chalicelib.http.feed import DELAY_SECONDS
from chalicelib.http.values import format_time
from tests.api import ADA, Api
from tests.recorded import Recorded

UNTIL = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""The end of the first pass in tests that set times. `settled` is later."""
Accept = Callable[[Sequence[Event]], Sequence[bool]]


class Bus:
    """A bus that records accepted events. `accept` decides about each call."""

    def __init__(self, accept: Accept = lambda events: [True] * len(events)) -> None:
        self.accept = accept
        self.calls: list[list[str]] = []
        self.events: list[Event] = []

    def put(self, events: Sequence[Event]) -> Sequence[bool]:
        self.calls.append([event.id for event in events])
        accepted = self.accept(events)
        self.events += [event for event, ok in zip(events, accepted, strict=True) if ok]
        return accepted

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]

    @property
    def first_ids(self) -> list[str]:
        """The ids that a consumer keeps if it removes duplicates."""
        return list(dict.fromkeys(self.ids))


class Killed(BaseException):
    """The run ends here, as with SIGKILL: nothing can catch it."""


@pytest.fixture
def database(database: Database) -> Database:
    database.execute("DELETE FROM relay_positions")
    return database


@pytest.fixture
def without_delay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin now, and send every version at once."""
    monkeypatch.setattr(relay, "DELAY_SECONDS", 0)
    assert run(database, Bus()) == 0


def run(database: Database, bus: relay.Bus) -> int:
    """Run the relay to the end; return the number of events."""
    return sum(progress.events for progress in relay.run(database, CUSTOMERS, bus))


def begin(database: Database, sent_until: datetime, pass_until: datetime = UNTIL) -> None:
    """Set the position to the beginning of a pass."""
    database.execute("DELETE FROM relay_positions")
    database.execute(
        "INSERT INTO relay_positions VALUES ('customers', 1, :sent_until, :pass_until, :page, :id)",
        sent_until=sent_until,
        pass_until=pass_until,
        page=sent_until - relay.DELAY,
        id=bytes(16),
    )


def seconds(offset: float) -> datetime:
    return UNTIL + timedelta(seconds=offset)


def line(version: int, moment: datetime, operation: str = "updated") -> str:
    text = moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return f"{version} {text} {operation} 0123456789abcdef"


class Writer:
    """Writes customers with times of the test's choice, as writes that wait for locks do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines: dict[int, list[str]] = {}

    @property
    def ids(self) -> list[str]:
        """The ids of the events of all versions, sorted."""
        versions = [(n, v) for n, lines in self._lines.items() for v in range(1, len(lines) + 1)]
        return sorted(ids(*versions))

    def write(self, number: int, offset: float) -> None:
        """Write the next version of a customer, by a statement that began at this offset."""
        lines = self._lines.setdefault(number, [])
        lines.append(line(len(lines) + 1, seconds(offset), "updated" if lines else "created"))
        parameters: dict[str, Value] = {
            "id": UUID(int=number).bytes,
            "version": len(lines),
            "changed_at": seconds(offset),
            "history": "\n".join(lines[-tables.MAX_VERSIONS :]),
        }
        self._database.execute(
            "INSERT INTO customers (id, version, status, addresses, metadata, updated_at,"
            " changed_at, history) VALUES (:id, :version, 'active', '[]', '{}', :changed_at,"
            " :changed_at, :history) ON DUPLICATE KEY UPDATE version = :version,"
            " changed_at = :changed_at, history = :history",
            **parameters,
        )


@pytest.fixture
def writer(database: Database) -> Writer:
    return Writer(database)


def ids(*versions: tuple[int, int]) -> list[str]:
    return [f"{UUID(int=number)}/{version}" for number, version in versions]


def assert_in_order(events: Sequence[str]) -> None:
    """Assert that each customer's versions ascend by one."""
    versions: dict[str, list[int]] = {}
    for event in events:
        customer, _, version = event.rpartition("/")
        versions.setdefault(customer, []).append(int(version))
    for numbers in versions.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_delay")
def test_every_operation_has_its_event(api: Api, database: Database) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    other = api.post("/customers", ADA | {"email": "b@example.com"}).headers["Location"]
    api.patch(path, {"locale": "fr"})
    api.delete(path)
    api.post(f"{path}/restore")
    bus = Bus()

    assert run(database, bus) == 5
    api.post(f"{other}/erase")
    assert run(database, bus) == 1
    assert run(database, bus) == 0

    found = {(event.resource_id, event.version): event.type for event in bus.events}
    assert found == {
        (path[-36:], 1): "customer.created",
        (path[-36:], 2): "customer.updated",
        (path[-36:], 3): "customer.deleted",
        (path[-36:], 4): "customer.restored",
        (other[-36:], 1): "customer.created",
        (other[-36:], 2): "customer.erased",
    }


@pytest.mark.usefixtures("without_delay")
def test_event_has_the_databases_time_and_no_personal_data(api: Api, database: Database) -> None:
    created = api.post("/customers", ADA).json_body
    bus = Bus()
    run(database, bus)
    (row,) = database.fetch_all("SELECT changed_at FROM customers")

    (event,) = bus.events
    time = format_time(row["changed_at"])  # type: ignore[arg-type]
    assert json.loads(event.to_json()) == {
        "specversion": "1.0",
        "id": f"{created['id']}/1",
        "source": "customers",
        "type": "customer.created",
        "subject": created["id"],
        "time": time,
        "datacontenttype": "application/json",
        "data": {"id": created["id"], "version": 1, "time": time},
    }


def test_first_run_sends_nothing_and_the_second_what_followed(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The customers before it are in the feed of changes."""
    monkeypatch.setattr(relay, "DELAY_SECONDS", 0)
    api.post("/customers", ADA)
    database.execute("UPDATE customers SET changed_at = changed_at - INTERVAL 1 SECOND")
    database.execute(
        "UPDATE customers SET history = :history", history=line(1, seconds(0), "created")
    )
    bus = Bus()

    assert run(database, bus) == 0
    created = api.post("/customers", ADA | {"email": "b@example.com"}).json_body
    assert run(database, bus) == 1
    assert bus.ids == [f"{created['id']}/1"]


def test_version_is_sent_when_no_earlier_one_can_be_pending(api: Api, database: Database) -> None:
    begin(database, datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC))
    database.execute("UPDATE relay_positions SET pass_until = sent_until")
    api.post("/customers", ADA)
    bus = Bus()

    assert run(database, bus) == 0

    database.execute(
        "UPDATE customers SET history = :line, changed_at = NOW(3) - INTERVAL :age SECOND",
        line=line(1, datetime.now(UTC) - timedelta(seconds=65), "created"),
        age=DELAY_SECONDS + 5,
    )
    database.execute("UPDATE relay_positions SET sent_until = sent_until - INTERVAL 1 MINUTE")
    database.execute("UPDATE relay_positions SET pass_until = sent_until")
    assert run(database, bus) == 1


def test_idle_run_is_five_statements(database: Database) -> None:
    begin(database, seconds(-60), seconds(-60))
    recorded = Recorded(database)

    run(recorded, Bus())

    assert len(recorded.statements) == 5


def test_page_needs_no_sort_of_the_table(database: Database, writer: Writer) -> None:
    """Both parts of a pass scan a range of the index of changes."""
    for number in range(1, 30):
        writer.write(number, number - 15)
    explained: list[Row] = []

    class Explaining(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            if "ix_customers_changed" in sql:
                explained.extend(super()._run(f"EXPLAIN {sql}", parameters)[0])
            return super()._run(sql, parameters)

    begin(database, seconds(-60))
    run(Explaining(database), Bus())

    assert len(explained) >= 2
    for plan in explained:
        assert (plan["key"], plan["type"]) == ("ix_customers_changed", "range")


def test_versions_that_have_left_the_history_are_skipped(
    database: Database, writer: Writer
) -> None:
    for n in range(25):
        writer.write(1, n - 40)
    begin(database, seconds(-60))
    bus = Bus()

    run(database, bus)

    assert bus.ids == ids(*((1, version) for version in range(6, 26)))


@pytest.mark.parametrize(
    ("columns", "operation"),
    [
        ("version = 4", "updated"),
        ("version = 4, deleted_at = changed_at", "deleted"),
        ("version = 4, deleted_at = changed_at, erased_at = changed_at", "erased"),
        ("version = 1, history = NULL", "created"),
        ("version = 4, history = NULL", "updated"),
    ],
)
def test_current_version_without_a_line_has_an_event(
    database: Database, writer: Writer, columns: str, operation: str
) -> None:
    """The previous code writes no lines during a deployment."""
    writer.write(1, -30)
    database.execute(f"UPDATE customers SET {columns}, changed_at = :at", at=seconds(-10))
    begin(database, seconds(-20))
    bus = Bus()

    run(database, bus)

    (event,) = bus.events
    assert (event.operation, event.time) == (operation, "2026-01-31T11:59:50.000Z")


def test_clock_that_goes_back_sends_nothing_twice(database: Database, writer: Writer) -> None:
    """As after a failover to a server whose clock is behind."""
    ahead = datetime.now(UTC) + timedelta(minutes=10)
    begin(database, ahead, ahead)
    writer.write(1, 0)

    assert run(database, Bus()) == 0


# --- the order of changes ------------------------------------------------------------------------


def test_version_that_waited_for_a_lock_is_sent_after_the_one_before(
    database: Database, writer: Writer
) -> None:
    """Its statement began earlier, so its row's `changed_at` is before the pass."""
    writer.write(1, 0.2)
    writer.write(1, -0.2)
    begin(database, seconds(-60), UNTIL)
    bus = Bus()

    run(database, bus)

    assert bus.ids == ids((1, 1), (1, 2))


@pytest.mark.parametrize("offset", [0.001, 30, 59])
def test_customer_that_moves_back_within_the_second_part_is_not_missed(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch, offset: float
) -> None:
    """A statement that began before the page's last change ends after the page was read."""
    monkeypatch.setattr(relay, "PAGE", 1)
    for number in (1, 2, 3):
        writer.write(number, -30)
        writer.write(number, 60 + number)
    begin(database, seconds(-60))
    bus = Bus()
    moved: list[int] = []

    def accept(events: Sequence[Event]) -> list[bool]:
        if not moved:
            moved.append(3)
            writer.write(3, offset)
        return [True] * len(events)

    bus.accept = accept
    run(database, bus)

    assert sorted(bus.ids) == ids((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3))
    assert_in_order(bus.ids)


def test_customer_that_changes_during_a_pass_is_not_missed(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moves from the first part of the pass to the second, so events may be sent twice."""
    monkeypatch.setattr(relay, "PAGE", 2)
    for number in range(1, 8):
        writer.write(number, number - 20)
    begin(database, seconds(-60))
    bus = Bus()

    def accept(events: Sequence[Event]) -> list[bool]:
        if len(bus.calls) < 6:
            writer.write(2, len(bus.calls))
            writer.write(7, len(bus.calls))
        return [True] * len(events)

    bus.accept = accept
    run(database, bus)

    assert sorted(bus.first_ids) == writer.ids
    assert_in_order(bus.first_ids)


# --- failures ------------------------------------------------------------------------------------


@pytest.fixture
def written(writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write six customers with one to three versions, on both sides of the first pass's end."""
    monkeypatch.setattr(relay, "PAGE", 3)
    for n, number in enumerate((1, 2, 3, 4, 5, 6, 2, 3, 5, 6, 3, 6)):
        writer.write(number, n - 8)
    begin(database, seconds(-60))
    return writer.ids


def test_all_versions_are_sent_once_in_order(database: Database, written: list[str]) -> None:
    bus = Bus()

    assert run(database, bus) == len(written)

    assert sorted(bus.ids) == written
    assert_in_order(bus.ids)


def test_call_has_at_most_ten_events_and_one_of_each_customer(
    database: Database, writer: Writer
) -> None:
    for n in range(24):
        writer.write(n % 12 + 1, n - 30)
    begin(database, seconds(-60))
    bus = Bus()

    run(database, bus)

    assert sorted(bus.ids) == writer.ids
    for call in bus.calls:
        assert len(call) <= 10
        customers = [event.rpartition("/")[0] for event in call]
        assert len(customers) == len(set(customers))
    assert max(map(len, bus.calls)) == 10


@pytest.mark.parametrize("rejected", range(9))
def test_exactly_the_rejected_events_are_sent_again(
    database: Database, written: list[str], rejected: int
) -> None:
    """Later versions of the customer wait, and the others don't."""
    numbers = count()

    def accept(events: Sequence[Event]) -> list[bool]:
        return [next(numbers) not in {rejected, rejected + 3} for _ in events]

    bus = Bus(accept)
    run(database, bus)

    assert sorted(bus.ids) == written
    assert_in_order(bus.ids)
    assert sum(map(len, bus.calls)) == len(written) + 2


def test_run_ends_if_the_bus_accepts_nothing_and_the_next_one_sends_everything(
    database: Database, written: list[str]
) -> None:
    before = database.fetch_all("SELECT * FROM relay_positions")
    refusing = Bus(lambda events: [False] * len(events))

    with pytest.raises(EventsRejected, match="accepted none of 3 events"):
        run(database, refusing)

    assert len(refusing.calls) == relay.MAX_REJECTIONS
    assert database.fetch_all("SELECT * FROM relay_positions") == before
    bus = Bus()
    run(database, bus)
    assert sorted(bus.ids) == written


def test_one_event_that_is_always_rejected_stops_the_position(
    database: Database, written: list[str]
) -> None:
    """Nothing after it is skipped: its own later versions are not even sent."""
    poison = ids((3, 1))[0]
    bus = Bus(lambda events: [event.id != poison for event in events])
    with pytest.raises(EventsRejected):
        run(database, bus)
    assert not set(bus.ids) & set(ids((3, 1), (3, 2), (3, 3), (3, 4)))

    bus.accept = lambda events: [True] * len(events)
    run(database, bus)

    assert sorted(bus.first_ids) == written
    assert_in_order(bus.first_ids)


class Death:
    """Kills the run after its n-th call of the database or the bus."""

    def __init__(self, last: int) -> None:
        self._left = last
        self.has_come = False

    def approach(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.has_come = True
            raise Killed


class DyingDatabase(Recorded):
    def __init__(self, database: Database, death: Death) -> None:
        super().__init__(database)
        self._death = death

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        result = super()._run(sql, parameters)
        self._death.approach()
        return result


class DyingBus(Bus):
    def __init__(self, death: Death) -> None:
        super().__init__()
        self._death = death

    def put(self, events: Sequence[Event]) -> Sequence[bool]:
        result = super().put(events)
        self._death.approach()
        return result


def test_run_may_be_killed_at_any_point(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each statement, and after each call of the bus."""
    monkeypatch.setattr(relay, "PAGE", 2)
    for n, number in enumerate((1, 2, 3, 2)):
        writer.write(number, n - 2)
    for last in count(1):
        begin(database, seconds(-60))
        death = Death(last)
        bus = DyingBus(death)
        with suppress(Killed):
            run(DyingDatabase(database, death), bus)
        run(database, bus)

        assert sorted(bus.first_ids) == writer.ids, last
        assert_in_order(bus.first_ids)
        if not death.has_come:
            break
    assert last > 15


def test_lost_response_of_the_bus_sends_events_again(
    database: Database, written: list[str]
) -> None:
    """The bus has accepted the call's events, and the relay doesn't know."""
    bus = Bus()

    def lose(events: Sequence[Event]) -> list[bool]:
        if len(bus.calls) == 3:
            bus.events += events
            raise ConnectionError
        return [True] * len(events)

    bus.accept = lose
    with pytest.raises(ConnectionError):
        run(database, bus)
    run(database, bus)

    assert len(bus.ids) > len(written)
    assert sorted(bus.first_ids) == written
    assert_in_order(bus.first_ids)


@pytest.mark.usefixtures("one_attempt")
def test_lost_response_of_the_position_sends_events_again(
    database: Database, written: list[str]
) -> None:
    class Losing(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            result = super()._run(sql, parameters)
            if sql.startswith("UPDATE"):
                raise DatabaseUnavailable("cut")
            return result

    bus = Bus()
    with pytest.raises(DatabaseUnavailable):
        run(Losing(database), bus)
    run(database, bus)

    assert sorted(bus.first_ids) == written
    assert_in_order(bus.first_ids)


def test_two_relays_at_once_do_no_harm(database: Database, written: list[str]) -> None:
    """While one relay waits for the bus, another runs to the end. Whatever the moment."""
    for moment in count():
        begin(database, seconds(-60))
        bus = Bus()
        calls = count()

        def accept(events: Sequence[Event]) -> list[bool]:
            if next(calls) == moment:  # noqa: B023
                run(database, bus)  # noqa: B023
            return [True] * len(events)

        bus.accept = accept
        run(database, bus)

        assert sorted(bus.first_ids) == written
        assert_in_order(bus.first_ids)
        (position,) = database.fetch_all("SELECT sent_until FROM relay_positions")
        assert position["sent_until"] > UNTIL  # type: ignore[operator]
        if len(bus.calls) <= moment:
            break
    assert moment > 3


def test_relay_that_was_overtaken_stops(database: Database, written: list[str]) -> None:
    bus = Bus()
    steps = relay.run(database, CUSTOMERS, bus)
    next(steps)

    def overtake(events: Sequence[Event]) -> list[bool]:
        database.execute("UPDATE relay_positions SET revision = revision + 1")
        return [True] * len(events)

    bus.accept = overtake
    assert list(steps) == []
    assert 0 < len(bus.ids) < len(written)


# --- lag -----------------------------------------------------------------------------------------


def test_lag_is_that_of_the_position(database: Database, written: list[str]) -> None:
    before = datetime.now(UTC)
    lags = [progress.lag_seconds for progress in relay.run(database, CUSTOMERS, Bus())]
    least, most = (moment - seconds(-60) for moment in (before, datetime.now(UTC)))

    assert written
    assert least.total_seconds() - 1 <= lags[0] <= most.total_seconds() + 1
    assert lags[-1] == DELAY_SECONDS
    assert all(later <= earlier for earlier, later in pairwise(lags))
