"""The Python client with the real API, over HTTP, with faults between them."""

import asyncio
import inspect
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from customers_client import (
    AsyncCustomers,
    Conflict,
    ConnectionLost,
    Customer,
    CustomerCreation,
    CustomerPatch,
    CustomerReplacement,
    Customers,
    CustomersError,
    InvalidRequest,
    InvalidResponse,
    MetadataPatch,
    NotFound,
    PreconditionFailed,
    ProblemError,
    Unauthenticated,
    Unavailable,
    sending,
    shared,
)

from chalicelib.database import Database
from openapi import SHOWN
from tests.clients.server import CUT, LOST, Fault, Server, problem
from tests.test_changes import age

UNKNOWN_ID = uuid.UUID("01900000-0000-7000-8000-000000000000")


def new(name: str = "ada") -> CustomerCreation:
    return CustomerCreation(email=f"{name}@example.com", given_name="Ada")


def add_visit(customer: Customer) -> CustomerPatch:
    visits = int(customer.metadata.additional_properties.get("visits", "0"))
    return CustomerPatch(metadata=MetadataPatch.from_dict({"visits": str(visits + 1)}))


def keys(server: Server) -> list[str]:
    return [sent.headers["Idempotency-Key"] for sent in server.sent]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "fault", [LOST, CUT, problem(429), problem(503), problem(504), Fault(503)], ids=str
)
def test_create_is_retried_with_its_key(client: Customers, server: Server, fault: Fault) -> None:
    server.faults += [fault, fault]

    ada = client.create(new())

    assert len(set(keys(server))) == 1
    assert len(server.sent) == 3
    assert [customer.id for customer in client.list()] == [ada.id]


def test_each_create_has_its_own_key(client: Customers, server: Server) -> None:
    client.create(new("ada"))
    client.create(new("grace"))
    client.create_all([new("joan"), new("mary")])
    assert len(set(keys(server))) == 3


def test_stored_key_creates_once(client: Customers) -> None:
    first, second = (client.create(new(), key="form-7") for _ in range(2))
    assert first == second
    batches = [client.create_all([new("grace")], key="form-8") for _ in range(2)]
    assert batches[0] == batches[1]


def test_retry_waits_as_long_as_the_service_says(
    client: Customers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("customers_client.sending.time.sleep", waits.append)
    server.faults += [problem(429, retry_after=7), LOST]

    client.create(new())

    assert waits[0] == pytest.approx(7, abs=0.001)
    assert waits[1] <= 0.001


def test_retries_end_before_a_wait_that_is_too_long(client: Customers, server: Server) -> None:
    server.faults += [problem(503, retry_after=3600, outcome="not-applied")]

    with pytest.raises(Unavailable) as caught:
        client.create(new())

    assert caught.value.outcome == "not-applied"
    assert len(server.sent) == 1


def test_random_wait_grows_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customers_client.sending.random.uniform", lambda _, longest: longest)
    request = httpx.Request("GET", "http://127.0.0.1")
    attempts = sending.Attempts(request, retry_seconds=60)
    waits = [attempts.after_loss(httpx.ReadError("reset")) for _ in range(9)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20]


@pytest.mark.parametrize(
    "fault", [LOST, problem(503), problem(504), problem(503, outcome="unknown")]
)
def test_write_that_could_apply_twice_is_not_retried(
    client: Customers, server: Server, fault: Fault
) -> None:
    ada = client.create(new())
    server.faults += [fault]

    with pytest.raises(CustomersError) as caught:
        client.delete(ada.id)

    assert caught.value.outcome == "unknown"
    assert [sent.method for sent in server.sent] == ["POST", "DELETE"]


@pytest.mark.parametrize("fault", [problem(429), problem(503, outcome="not-applied")])
def test_write_that_had_no_effect_is_retried(
    client: Customers, server: Server, fault: Fault
) -> None:
    ada = client.create(new())
    server.faults += [fault]
    client.delete(ada.id)
    assert [sent.method for sent in server.sent] == ["POST", "DELETE", "DELETE"]


@pytest.mark.parametrize("operation", [Customers.delete, Customers.erase])
def test_removal_of_a_version_is_retried(
    client: Customers, server: Server, operation: Callable[..., None]
) -> None:
    ada = client.create(new())
    server.faults += [LOST, LOST]
    operation(client, ada.id, version=ada.version)
    with pytest.raises(NotFound):
        client.get(ada.id)


def test_restore_and_replace_are_retried(client: Customers, server: Server) -> None:
    ada = client.create(new())
    client.delete(ada.id)
    server.faults += [LOST]
    restored = client.restore(ada.id, version=2)
    server.faults += [LOST]
    replaced = client.replace(
        ada.id, CustomerReplacement("a@example.com", family_name="L"), version=3
    )
    assert (restored.version, replaced.version, replaced.given_name) == (3, 4, None)
    with pytest.raises(PreconditionFailed):
        client.replace(ada.id, CustomerReplacement("b@example.com", family_name="L"), version=3)


def test_update_is_repeated_for_a_newer_version(client: Customers, server: Server) -> None:
    ada = client.create(new())

    def overtake() -> None:
        server.api.patch(
            f"/customers/{ada.id}",
            {"metadata": {"visits": "5"}},
            authorization=server.sent[0].headers["Authorization"],
        )

    server.faults += [None, Fault(before=overtake), None, LOST]

    updated = client.update(ada.id, add_visit)

    assert updated.metadata["visits"] == "6"
    assert [sent.status for sent in server.sent] == [201, 200, 412, 200, 200, 200]


def test_update_without_a_change_writes_nothing(client: Customers, server: Server) -> None:
    ada = client.create(new())
    assert client.update(ada.id, lambda _: None) == ada
    assert [sent.method for sent in server.sent] == ["POST", "GET"]


def test_update_gives_up_after_many_conflicts(
    client: Customers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customers_client.sync.MAX_CONFLICTS", 3)
    monkeypatch.setattr(shared, "pause", lambda _: 0)
    ada = client.create(new())
    server.faults += [None, problem(412)] * 3

    with pytest.raises(PreconditionFailed):
        client.update(ada.id, add_visit)

    assert len(server.sent) == 7


def test_parallel_updates_with_one_token_all_count(client: Customers) -> None:
    """Equal changes of one version are different requests, although the token is the same."""
    ada = client.create(new())
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            list(pool.map(lambda _: client.update(ada.id, add_visit), range(4)))
    assert client.get(ada.id).metadata["visits"] == "8"


def test_list_follows_all_pages(client: Customers, server: Server) -> None:
    names = [f"page{number}" for number in range(5)]
    client.create_all([new(name) for name in names])
    server.prefix = "/prod"
    with Customers(f"{server.url}/prod", server.sent[0].headers["Authorization"][7:]) as staged:
        found = [customer.email for customer in staged.list(limit=2, q="page")]
    assert sorted(found) == [f"{name}@example.com" for name in names]
    assert len([sent for sent in server.sent if "cursor=" in sent.path]) == 2


def test_link_leads_to_the_service_only() -> None:
    operation = shared.next_page(httpx.URL("https://api.example.com/prod/"), "//evil.example/x?a=b")
    assert httpx.URL(operation.url).host == "api.example.com"


def test_filters_are_those_of_the_document() -> None:
    (query,) = [
        {item["name"] for item in operation["parameters"] if item.get("in") == "query"}
        for operation in [json.loads(SHOWN.read_text())["paths"]["/customers"]["get"]]
    ]
    assert set(shared.Filters.__annotations__) == query - {"cursor", "fields"}


def test_changes_continue_at_a_stored_cursor(client: Customers, database: Database) -> None:
    first = client.create(new("first"))
    age(database, minutes=3)
    (page,) = client.changes()
    assert [item.id for item in page.items] == [first.id]
    client.erase(first.id)
    second = client.create(new("second"))
    age(database)

    (later,) = client.changes(page.next_)

    assert [(item.id, item.email or None) for item in later.items] == [
        (first.id, None),
        (second.id, "second@example.com"),
    ]
    assert later.items[0].erased_at


def test_changes_have_pages(client: Customers, database: Database) -> None:
    for batch in range(3):
        client.create_all([new(f"c{batch}.{number}") for number in range(70)])
    age(database)
    pages = list(client.changes())
    assert [(len(page.items), page.has_more) for page in pages] == [
        *((100, True), (100, True), (10, False)),
    ]


def test_follower_waits_for_changes(
    client: Customers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(seconds: float) -> None:
        assert seconds == 10
        client.create(new())
        age(database)

    feed = client.changes(follow=True)
    assert next(feed).items == []
    monkeypatch.setattr("customers_client.sync.time.sleep", wait)
    assert [item.email for item in next(feed).items] == ["ada@example.com"]


def test_error_has_the_fields_of_the_problem(client: Customers) -> None:
    client.create(new())

    with pytest.raises(Conflict) as caught:
        client.create_all([new("grace"), new("ADA")])

    error = caught.value
    assert (error.status, error.outcome, error.problem.title) == (
        *(409, "not-applied"),
        "Email address already in use",
    )
    assert [(item.pointer, item.code) for item in error.errors] == [("/items/1/email", "taken")]
    assert error.request_id in str(error)
    assert "/items/1/email: Already used by another customer." in str(error)


def test_each_status_has_its_class(client: Customers) -> None:
    with pytest.raises(InvalidRequest):
        client.create(CustomerCreation(email="nobody"))
    with pytest.raises(NotFound):
        client.get(UNKNOWN_ID)


def test_response_that_is_no_problem_is_an_error(client: Customers, server: Server) -> None:
    server.faults += [Fault(502)]
    with pytest.raises(ProblemError, match="502 Bad Gateway") as caught:
        client.get(UNKNOWN_ID)
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b"\xff"])
def test_malformed_success_is_an_error(client: Customers, server: Server, body: bytes) -> None:
    server.faults += [Fault(200, body=body)]
    with pytest.raises(InvalidResponse, match=r"GET /customers/\S+: the response is not"):
        client.get(UNKNOWN_ID)


def test_unreachable_service_did_not_apply_the_request() -> None:
    client = Customers("http://127.0.0.1:1", "t0ken", retry_seconds=0)
    with client, pytest.raises(ConnectionLost, match="no response") as caught:
        client.delete(UNKNOWN_ID)
    assert caught.value.outcome == "not-applied"
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_read_that_is_lost_again_and_again_is_an_error(server: Server, token: str) -> None:
    server.faults += [LOST]
    client = Customers(server.url, token, retry_seconds=0)
    with client, pytest.raises(ConnectionLost) as caught:
        client.get(UNKNOWN_ID)
    assert caught.value.outcome == "unknown"


def test_token_function_is_called_again_after_401(server: Server, token: str) -> None:
    calls = iter(["expired", token])
    with Customers(server.url, lambda: next(calls)) as client:
        client.create(new())
        client.create(new("grace"))
    assert [sent.status for sent in server.sent] == [401, 201, 201]


def test_rejected_token_is_an_error(server: Server) -> None:
    calls = iter(["first", "second"])
    with Customers(server.url, lambda: next(calls)) as client, pytest.raises(Unauthenticated):
        client.get(UNKNOWN_ID)
    with Customers(server.url, "constant") as client, pytest.raises(Unauthenticated):
        client.get(UNKNOWN_ID)
    assert len(server.sent) == 3


def test_token_may_end_with_a_newline(server: Server, token: str) -> None:
    with Customers(server.url, f"{token}\n") as client:
        client.create(new())


@pytest.mark.parametrize("token", ["", "secret\nx", "secret secret", "sécret"])
def test_invalid_token_is_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="characters") as caught:
        Customers("http://127.0.0.1:1", token)
    assert "cret" not in str(caught.value)


def test_representation_has_no_secret(server: Server, token: str) -> None:
    for client in (Customers(server.url, token), AsyncCustomers(server.url, token)):
        shown = f"{client!r} {client.http!r} {client.http.auth!r} {vars(client)}"
        assert token not in shown
        assert server.url in repr(client)


def test_every_attempt_has_a_timeout(client: Customers) -> None:
    assert client.http.timeout == httpx.Timeout(30)


def test_both_clients_have_the_same_methods() -> None:
    names = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}
    both = [
        {
            names.get(name, name): str(inspect.signature(method)).partition(" -> ")[0]
            for name, method in vars(kind).items()
            if inspect.isfunction(method)
        }
        for kind in (Customers, AsyncCustomers)
    ]
    assert both[0] == both[1]


def test_async_client_survives_the_same_faults(
    server: Server, token: str, database: Database
) -> None:
    async def run() -> list[Any]:
        async with AsyncCustomers(server.url, token) as client:
            server.faults += [LOST, problem(429), problem(503), None]
            ada = await client.create(new())
            server.faults += [None, LOST]
            updated = await client.update(ada.id, add_visit)
            batch = await client.create_all([new(f"c{number}") for number in range(5)])
            async with asyncio.TaskGroup() as tasks:
                for _ in range(4):
                    tasks.create_task(client.update(ada.id, add_visit))
            deleted = await client.get(batch[0].id)
            await client.delete(deleted.id, version=deleted.version)
            restored = await client.restore(deleted.id, version=2)
            await client.erase(restored.id)
            replacement = CustomerReplacement("other@example.com", family_name="Other")
            await client.replace(batch[1].id, replacement, version=1)
            listed = [customer async for customer in client.list(limit=2)]
            age(database)
            changed = [item async for page in client.changes() for item in page.items]
            with pytest.raises(NotFound):
                await client.get(restored.id)
            server.faults += [CUT]
            with pytest.raises(ConnectionLost):
                await client.erase(ada.id)
            visits = (await client.get(ada.id)).metadata["visits"]
            return [updated.version, len(listed), len(changed), visits]

    assert asyncio.run(run()) == [2, 5, 6, "5"]
