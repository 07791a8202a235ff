"""Generated customers: reproducible, normalized, and independent of stored data."""

import json

import pytest

from chalicelib.customers import schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.lists import Query, page
from chalicelib.database import Database, DatabaseError
from chalicelib.http import creates
from local import seed
from tests.api import ADA

KEY = b"signs cursors"


@pytest.mark.exhaustive
def test_generated_customers_are_normalized() -> None:
    """The loader skips the schema, which would take most of the time."""
    for number in range(2_000):
        customer = seed.generate(number)
        assert schemas.load_customer(customer) == customer
        assert list(schemas.load_customer(customer)) == list(customer)


@pytest.mark.exhaustive
def test_customer_of_a_number_is_always_the_same() -> None:
    first = [seed.generate(number) for number in range(20)]
    seed.vocabulary.cache_clear()

    assert [seed.generate(number) for number in range(20)] == first
    assert len({customer["email"] for customer in first}) == 20


@pytest.mark.parametrize("how_many", [1, seed.BATCH, seed.BATCH + 3])
def test_load_stores_the_requested_number(database: Database, how_many: int) -> None:
    seed.load(database, how_many)

    assert seed.count(database) == how_many
    newest = json.loads(page(database, Query(limit=1), KEY).items)[0]
    assert newest.items() >= seed.generate(how_many).items()


def test_load_skips_existing_customers(database: Database) -> None:
    taken = seed.generate(2)["email"].upper()
    creates.create(database, CUSTOMERS, schemas.load_customer(ADA | {"email": taken}))

    seed.load(database, 5)

    assert seed.count(database) == 6
    emails = [load["email"] for load in json.loads(page(database, Query(), KEY).items)]
    assert seed.generate(6)["email"] in emails
    assert emails.count(seed.generate(2)["email"]) == 0


@pytest.mark.parametrize("code", sorted(seed.FULL))
def test_full_disk_is_explained(code: int) -> None:
    error = DatabaseError(f"MySQL error {code}", code)

    assert seed.explain(error).startswith("the database's disk is full: free some space")
    assert "disk" not in seed.explain(DatabaseError("MySQL error 1064", 1064))
