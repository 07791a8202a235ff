"""The operations: how many statements each takes, races between them, and their ids."""

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
from chalicelib.customers.fields import CUSTOMERS, MAX_SIZE, size
from chalicelib.customers.lists import Query
from chalicelib.customers.problems import CustomerNotFound, EmailTaken
from chalicelib.database import Database, Row, Value
from chalicelib.http import creates, reads, updates, values
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import ServiceUnavailable
from chalicelib.http.resources import Document as Customer
from tests.api import ADA
from tests.recorded import Recorded

KEY = b"signs cursors"
RETENTION = timedelta(days=30)
ANY = Intent(None, b"")


def new(**members: Any) -> dict[str, Any]:
    return schemas.load_customer(ADA | members)


def create(database: Database, **members: Any) -> Customer:
    (customer,) = creates.create(database, CUSTOMERS, new(**members)).items
    return customer


def delete(database: Database, customer_id: UUID) -> None:
    updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)


def read(database: Database, customer_id: UUID) -> Customer:
    customer: Customer = json.loads(reads.get(database, CUSTOMERS, customer_id).text)
    return customer


def rename(name: str) -> Callable[[Customer], Customer]:
    return lambda current: schemas.load_customer(current | {"given_name": name}, current)


class Meddled(Recorded):
    """A database in which something else happens, once, before a statement that has a text."""

    def __init__(self, database: Database, text: str, meddle: Callable[[], object]) -> None:
        super().__init__(database)
        self._text = text
        self._meddling = iter([meddle])

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        if self._text in sql:
            for meddle in self._meddling:
                meddle()
        return super()._run(sql, parameters)


def test_each_operation_takes_as_few_statements_as_it_can(database: Recorded) -> None:
    """Decision 3: a Data API call costs milliseconds, so their number is the cost."""

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
    assert statements(partial(take, database, customer_id, email)) == 3
    assert statements(lambda: updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)) == 1


def take(database: Database, customer_id: UUID, email: str) -> None:
    with pytest.raises(EmailTaken):
        updates.change(database, CUSTOMERS, customer_id, lambda old: {**old, "email": email}, ANY)


def test_change_that_was_overtaken_is_made_on_what_the_other_left(database: Database) -> None:
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


def test_change_that_is_overtaken_each_time_gives_up(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    times = iter(range(100))

    def edit(current: Customer) -> Customer:
        updates.change(database, CUSTOMERS, customer_id, rename(f"Ada {next(times)}"), ANY)
        return rename("Augusta")(current)

    with pytest.raises(ServiceUnavailable) as caught:
        updates.change(database, CUSTOMERS, customer_id, edit, ANY)

    assert caught.value.headers == {"Retry-After": "1"}
    assert next(times) == 5


def test_change_of_a_customer_deleted_meanwhile(database: Database) -> None:
    customer_id = UUID(create(database)["id"])

    def edit(current: Customer) -> Customer:
        updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)
        return rename("Augusta")(current)

    with pytest.raises(CustomerNotFound):
        updates.change(database, CUSTOMERS, customer_id, edit, ANY)


def test_no_change_is_lost_when_many_are_made_at_once(database: Database) -> None:
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


def test_email_that_is_freed_while_it_is_looked_for_is_taken_after_all(
    database: Database,
) -> None:
    """Between the duplicate key and the search for who has it, that customer is deleted."""
    first = UUID(create(database)["id"])

    class Freeing(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            if "is_earlier" in sql:
                updates.delete(database, CUSTOMERS, first, RETENTION, ANY)
            return super()._run(sql, parameters)

    second = create(Freeing(database))

    assert json.loads(lists.page(database, Query(), KEY).items) == [second]


def test_change_to_an_email_that_is_freed_while_it_is_looked_for(database: Database) -> None:
    first = UUID(create(database)["id"])
    second = UUID(create(database, email="grace@example.com")["id"])
    freeing = Meddled(database, "is_earlier", partial(delete, database, first))

    changed = updates.change(
        freeing, CUSTOMERS, second, lambda current: current | {"email": ADA["email"]}, ANY
    )

    assert changed == read(database, second)
    assert (changed["email"], changed["version"]) == (ADA["email"], 2)


def test_restore_of_an_email_that_is_freed_while_it_is_looked_for(database: Database) -> None:
    first = UUID(create(database)["id"])
    updates.delete(database, CUSTOMERS, first, RETENTION, ANY)
    second = UUID(create(database)["id"])
    freeing = Meddled(database, "is_earlier", partial(delete, database, second))

    assert updates.restore(freeing, CUSTOMERS, first, ANY) == read(database, first)


def test_restore_that_was_overtaken_undoes_nothing(database: Database) -> None:
    customer_id = UUID(create(database)["id"])
    updates.delete(database, CUSTOMERS, customer_id, RETENTION, ANY)

    def overtake() -> None:
        updates.restore(database, CUSTOMERS, customer_id, ANY)
        updates.change(database, CUSTOMERS, customer_id, rename("Augusta"), ANY)

    restored = updates.restore(Meddled(database, "UPDATE", overtake), CUSTOMERS, customer_id, ANY)

    assert restored == read(database, customer_id)
    assert (restored["given_name"], restored["version"]) == ("Augusta", 4)


def test_create_that_is_overtaken_each_time_gives_up(database: Database) -> None:
    """The email address is taken whenever it is stored, and free whenever it is looked for."""
    create(database)

    class Elusive(Recorded):
        def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            found, matched = super()._run(sql, parameters)
            return ([] if "is_earlier" in sql else found), matched

    elusive = Elusive(database)
    with pytest.raises(ServiceUnavailable):
        creates.create(elusive, CUSTOMERS, new())

    assert len(elusive.statements) == 10


def test_one_of_many_creates_with_one_email_wins(database: Database) -> None:
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
    """It is hidden, to be restored or purged; what it was unique by is free."""
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


def test_hundred_of_the_largest_customers_fit_one_answer_of_the_data_api(
    database: Database,
) -> None:
    """1 MiB ends the call: a client must not be able to make the list impossible."""
    quotes = '"' * 200
    details = {"phone": "+442079460000", "time_zone": "America/Argentina/ComodRivadavia"}
    address = {"line1": quotes, "line2": quotes, "city": quotes, "region": quotes, "country": "GB"}
    second = {"line1": "x", "country": "GB"}
    unused = MAX_SIZE - size(new(addresses=[address, second]))
    for member in ("line1", "line2", "city", "region", "postal_code"):
        second[member] = '"' * max(1, min(200, unused // 4 - 2))
        unused = MAX_SIZE - size(new(addresses=[address, second]))
    largest = new(addresses=[address, second])
    assert unused < 500
    for n in range(100):
        details["email"] = f"{'a' * 60}{n}@{'example.' * 23}com"
        details["external_id"] = f"{n:02}{quotes[:98]}"
        creates.create(database, CUSTOMERS, largest | details)

    assert len(json.loads(lists.page(database, Query(limit=100), KEY).items)) == 100


def test_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
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


def test_id_of_a_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_500_000)

    customer_id = values.new_id()

    assert customer_id.int >> 80 == 1_700_000_000_123
    assert customer_id.int >> 64 & 0xFFF == 2048
