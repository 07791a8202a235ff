import json
import random
from collections import Counter
from typing import Any

import pytest

from chalicelib.customers.schemas import load_customer
from load.traffic.customers import Customers
from load.traffic.mix import Mix, Request, Response

NOBODY = {
    "id": "0",
    "version": 1,
    "updated_at": "2026-01-01T00:00:00Z",
    "email": "a@example.com",
    "external_id": "a",
    "family_name": "Abc",
}


@pytest.fixture
def customers() -> Customers:
    made = Customers("load-test", random.Random(7))
    for number in range(5):
        add(made, number, settled=True)
    return made


@pytest.fixture
def mix(customers: Customers) -> Mix:
    return Mix(customers, random.Random(7))


def add(customers: Customers, number: int, *, settled: bool) -> None:
    own = {"id": f"{number}", "version": 1, "updated_at": "2026-01-01T00:00:00Z"}
    customers.add(customers.new() | own, settled=settled)


def response(version: int, document: dict[str, Any] | None = None, status: int = 200) -> Response:
    return Response(status, {"etag": f'"v{version}"'}, json.dumps(document).encode())


def test_mix_contains_all_operations_and_half_are_reads(mix: Mix) -> None:
    drawn: Counter[str] = Counter()
    for _ in range(2_000):
        request = mix.draw()
        drawn[request.operation] += 1
        if request.operation in {"patch", "put"}:
            request.check(response(int(request.headers["If-Match"][2:-1]) + 1, NOBODY))
        elif request.operation == "create":
            request.check(response(1, NOBODY, status=201))

    assert {name: round(100 * times / 2_000) for name, times in drawn.items()} == pytest.approx(
        {
            "get": 42,
            "get, known": 8,
            "list": 20,
            "create": 10,
            "patch": 8,
            "put": 4,
            "delete": 4,
            "wrong input": 4,
        },
        abs=3,
    )


def test_new_customers_are_valid(mix: Mix) -> None:
    emails = set()
    for _ in range(50):
        body = json.loads(mix.create().body or b"")
        emails.add(load_customer(body)["email"])

    assert len(emails) == 50
    assert all(email.startswith("load-test-") for email in emails)
    assert all(email.endswith("@example.com") for email in emails)


def test_created_customer_is_deleted_once_and_never_read(mix: Mix, customers: Customers) -> None:
    request = mix.create()
    document = json.loads(request.body or b"") | {"id": "new", "version": 1}

    assert request.check(response(1, document, status=201))
    assert mix.delete().path == "/customers/new"
    assert mix.delete().operation == "create"
    assert "new" not in {known.id for known in customers.settled}


def test_response_with_other_customer_is_a_fault(mix: Mix) -> None:
    request = mix.create()

    assert not request.check(response(1, {"id": "new", "version": 1, "email": "other@example.com"}))


def test_response_with_older_version_is_a_fault(mix: Mix, customers: Customers) -> None:
    for known in customers.settled:
        known.version = 5

    for request in (mix.get(), mix.get_if_changed()):
        assert request.check(response(5))
        assert request.check(response(6))
        assert not request.check(response(4))


@pytest.mark.parametrize("operation", ["patch", "put"])
def test_change_expects_the_next_version(mix: Mix, customers: Customers, operation: str) -> None:
    def change() -> Request:
        made: Request = getattr(mix, operation)()
        assert made.headers["If-Match"] == '"v1"'
        return made

    assert change().check(response(2, {}))
    customers.settled[:] = [known for known in customers.settled if known.version == 1]
    assert not change().check(response(3, {}))
    customers.settled[:] = [known for known in customers.settled if known.version == 1]
    assert not change().check(response(1, {}))


def test_customer_is_changed_by_one_request_at_a_time(mix: Mix, customers: Customers) -> None:
    busy = {mix.patch().path for _ in range(30)} - {mix.get().path}

    assert len(busy) <= len(customers.settled)
    assert mix.patch().operation == "get"


def test_customer_with_unknown_version_is_not_changed_again(mix: Mix, customers: Customers) -> None:
    del customers.settled[1:]

    mix.patch().check(None)

    assert mix.patch().operation == "get"


def test_next_page_follows_the_link(mix: Mix) -> None:
    following = "/customers?limit=20&cursor=abc"
    for _ in range(20):
        mix.list().check(Response(200, {}, json.dumps({"next": following}).encode()))

    assert following in {mix.list().path for _ in range(20)}
