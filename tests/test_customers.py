"""The operations on customers: their number of statements, concurrent updates, and ids."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from chalicelib.customers import lists, schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.lists import Query
from chalicelib.customers.problems import CustomerNotFound, EmailTaken
from chalicelib.database import Database, Row, Value
from chalicelib.http import creates, reads, updates, values
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import ServiceUnavailable
from chalicelib.http.resources import Document as Customer
from tests.api import ADA, largest_customers
from tests.recorded import Recorded

KEY = b"signs cursors"
RETENTION = timedelta(days=30)
ANY = Intent(None, b"")


def new(**fields: Any) -> dict[str, Any]:
    return schemas.load_customer(ADA | fields)


def create(database: Database, **fields: Any) -> Customer:
    (customer,) = creates.create(database, CUSTOMERS, new(**fields)).items
    return customer


def delete(database: Database, customer_id: UUID) -> None:
    updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)


def read(database: Database, customer_id: UUID) -> Customer:
    customer: Customer = json.loads(reads.get(database, CUSTOMERS, customer_id).text)
    return customer


def rename(name: str) -> Callable[[Customer], Customer]:
    return lambda current: schemas.load_customer(current | {"given_name": name}, current)


class Interrupted(Recorded):
    """A database that runs a concurrent action once, before the first statement with a text."""

    def __init__(self, database: Database, text: str, action: Callable[[], object]) -> None:
        super().__init__(database)
        self._text = text
        self._actions = iter([action])

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        if self._text in sql:
            for action in self._actions:
                action()
        return super()._run(sql, parameters)


def test_operation_runs_the_minimum_of_statements(database: Recorded) -> None:
    """Each Data API call costs milliseconds, so the number of statements determines the cost."""

    def statements(operation: Callable[[], object]) -> int:
        database.statements.clear()
        operation()
        return len(database.statements)

    customer_id = UUID(create(database)["id"])
    email = "grace@example.com"

    assert statements(lambda: creates.create(database, CUSTOMERS, new(email=email))) == 1
    assert statements(lambda: reads.get(database, CUSTOMERS, customer_id)) == 1
    assert statements(lambda: lists.page(database, Query(), KEY)) == 1
    assert (
        statements(lambda: updates.change(database, CUSTOMERS, customer_id, rename("Augusta"), ANY))
        == 2
    )
    assert (
        statements(lambda: updates.change(database, CUSTOMERS, customer_id, rename("Augusta"), ANY))
        == 1
    )
    assert statements(partial(change_email, database, customer_id, email)) == 3
    assert statements(lambda: updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)) == 1


def change_email(database: Database, customer_id: UUID, email: str) -> None:
    with pytest.raises(EmailTaken):
        updates.change(database, CUSTOMERS, customer_id, lambda old: {**old, "email": email}, ANY)


def test_change_is_applied_on_top_of_a_concurrent_one(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    overtake = iter(["once"])

    def edit(current: Customer) -> Customer:
        if next(overtake, None):
            updates.change(database, CUSTOMERS, customer_id, rename("Augusta"), ANY)
        return schemas.load_customer(current | {"phone": "+442079460000"}, current)

    changed = updates.change(database, CUSTOMERS, customer_id, edit, ANY)

    assert changed == read(database, customer_id)
    assert (changed["given_name"], changed["phone"]) == ("Augusta", "+442079460000")
    assert changed["version"] == 3


def test_change_with_permanent_conflicts_returns_503(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    times = iter(range(100))

    def edit(current: Customer) -> Customer:
        updates.change(database, CUSTOMERS, customer_id, rename(f"Ada {next(times)}"), ANY)
        return rename("Augusta")(current)

    with pytest.raises(ServiceUnavailable) as caught:
        updates.change(database, CUSTOMERS, customer_id, edit, ANY)

    assert caught.value.headers == {"Retry-After": "1"}
    assert next(times) == 5


def test_change_of_a_customer_deleted_concurrently_returns_404(database: Database) -> None:
    customer_id = UUID(create(database)["id"])

    def edit(current: Customer) -> Customer:
        updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)
        return rename("Augusta")(current)

    with pytest.raises(CustomerNotFound):
        updates.change(database, CUSTOMERS, customer_id, edit, ANY)


def test_concurrent_changes_are_all_applied(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    done: list[int] = []

    def add(key: str) -> None:
        def edit(current: Customer) -> Customer:
            metadata = current["metadata"] | {key: "x"}
            return schemas.load_customer(current | {"metadata": metadata}, current)

        while True:
            try:
                done.append(updates.change(database, CUSTOMERS, customer_id, edit, ANY)["version"])
            except ServiceUnavailable:
                continue
            return

    threads = [threading.Thread(target=add, args=(f"k{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read(database, customer_id)["metadata"] == {f"k{n}": "x" for n in range(8)}
    assert sorted(done) == list(range(2, 10))


def test_create_succeeds_when_conflicting_email_is_freed(
    database: Database,
) -> None:
    """The other customer is deleted between the duplicate-key error and the search for it."""
    first = UUID(create(database)["id"])

    class Freeing(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            if "is_earlier" in sql:
                updates.delete(database, CUSTOMERS, first, RETENTION, ANY)
            return super()._run(sql, parameters)

    second = create(Freeing(database))

    assert json.loads(lists.page(database, Query(), KEY).items) == [second]


def test_change_succeeds_when_conflicting_email_is_freed(database: Database) -> None:
    first = UUID(create(database)["id"])
    second = UUID(create(database, email="grace@example.com")["id"])
    freeing = Interrupted(database, "is_earlier", partial(delete, database, first))

    changed = updates.change(
        freeing, CUSTOMERS, second, lambda current: current | {"email": ADA["email"]}, ANY
    )

    assert changed == read(database, second)
    assert (changed["email"], changed["version"]) == (ADA["email"], 2)


def test_restore_succeeds_when_conflicting_email_is_freed(database: Database) -> None:
    first = UUID(create(database)["id"])
    updates.delete(database, CUSTOMERS, first, RETENTION, ANY)
    second = UUID(create(database)["id"])
    freeing = Interrupted(database, "is_earlier", partial(delete, database, second))

    assert updates.restore(freeing, CUSTOMERS, first, ANY) == read(database, first)


def test_restore_keeps_concurrent_changes(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)

    def overtake() -> None:
        updates.restore(database, CUSTOMERS, customer_id, ANY)
        updates.change(database, CUSTOMERS, customer_id, rename("Augusta"), ANY)

    restored = updates.restore(
        Interrupted(database, "UPDATE", overtake), CUSTOMERS, customer_id, ANY
    )

    assert restored == read(database, customer_id)
    assert (restored["given_name"], restored["version"]) == ("Augusta", 4)


def test_create_with_permanent_conflicts_returns_503(database: Database) -> None:
    """Each INSERT reports a duplicate email address, and each search finds no such customer."""
    create(database)

    class Elusive(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            found, matched = super()._run(sql, parameters)
            return ([] if "is_earlier" in sql else found), matched

    elusive = Elusive(database)
    with pytest.raises(ServiceUnavailable):
        creates.create(elusive, CUSTOMERS, new())

    assert len(elusive.statements) == 10


def test_concurrent_creates_with_one_email_succeed_once(database: Database) -> None:
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            outcomes.append(create(database)["email"])
        except EmailTaken:
            outcomes.append("taken")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["ada@example.com"] + ["taken"] * 7


def test_deleted_customer_keeps_its_row(database: Database) -> None:
    """The row allows restoring; email address and external id are free for other customers."""
    customer_id = UUID(create(database, external_id="crm-1")["id"])

    updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)

    row = database.fetch_one(
        "SELECT email, email_live, external_id_live, deleted_at, version FROM customers"
        " WHERE id = :id",
        id=customer_id.bytes,
    )
    assert row
    assert isinstance(row.pop("deleted_at"), datetime)
    assert row == {
        "email": "ada@example.com",
        "email_live": None,
        "external_id_live": None,
        "version": 2,
    }


def test_page_of_the_largest_customers_fits_the_data_apis_limit(
    database: Database,
) -> None:
    """The Data API fails beyond 1 MiB; large customers must not break the list."""
    for customer in largest_customers(100):
        creates.create(database, CUSTOMERS, new(**customer))

    assert len(json.loads(lists.page(database, Query(limit=100), KEY).items)) == 100


def test_ids_are_version_7_uuids_in_order_of_time() -> None:
    before = datetime.now(UTC).timestamp()
    new = [values.new_id() for _ in range(1000)]
    after = datetime.now(UTC).timestamp()

    assert {(customer_id.version, customer_id.variant) for customer_id in new} == {
        (7, "specified in RFC 4122")
    }
    assert len(set(new)) == 1000
    assert int(before * 1000) <= new[0].int >> 80 <= new[-1].int >> 80 <= after * 1000
    ticks = [customer_id.int >> 64 for customer_id in new]
    assert ticks == sorted(ticks)


def test_id_contains_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_500_000)

    customer_id = values.new_id()

    assert customer_id.int >> 80 == 1_700_000_000_123
    assert customer_id.int >> 64 & 0xFFF == 2048
