"""The hashes in the table need the service's key; those of earlier versions still work.

Without a key, the owner of a dump could try out callers, keys and bodies: an erased customer's
mark would reveal who erased it.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.customers import schemas
from chalicelib.http import idempotency, routing
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

SUBJECT = "local-developer"
HASHES = ("last_write", "idempotency_key", "idempotency_fingerprint")
SELECT = f"SELECT {', '.join(HASHES)} FROM customers"
KEY = "order-1"
BATCH = {"items": [ADA]}
WRITES: dict[str, Callable[[Api, str], Any]] = {
    "PUT": lambda api, path: api.put(path, ADA | {"locale": "en"}, if_match='"v1"'),
    "PATCH": lambda api, path: api.patch(path, {"locale": "en"}, if_match='"v1"'),
    "DELETE": lambda api, path: api.delete(path, if_match='"v1"'),
    "erase": lambda api, path: api.post(f"{path}/erase", if_match='"v1"'),
}
BODIES = {
    "PUT": json.dumps(ADA | {"locale": "en"}),
    "PATCH": json.dumps({"locale": "en"}),
    "DELETE": "",
    "erase": "null",
}
CREATES = [("create_customer", "/customers", ADA), ("create_customers", "/customers/batch", BATCH)]


def test_hash_of_a_key_stays_the_same() -> None:
    """A retry must find the row that an earlier version of the service has created."""
    unkeyed = hashlib.sha256(json.dumps([SUBJECT, "create_customer", KEY]).encode()).digest()

    derived = idempotency.derive(KEY, SUBJECT, "create_customer", b"service key")

    assert derived == (hmac.digest(b"service key", b"create:" + unkeyed, "sha256"), unkeyed)


@pytest.mark.parametrize(
    ("kind", "wanted"), [(b"create:", {"if_none_match": "*"}), (b"write:", {})]
)
def test_mark_of_a_put_stays_the_same(
    api: Api, database: Recorded, kind: bytes, wanted: dict[str, str]
) -> None:
    path = "/customers/by-external-id/crm-1"
    parts = json.dumps([SUBJECT, "PUT", path, None])
    unkeyed = hashlib.sha256((parts + json.dumps(ADA)).encode()).digest()

    api.put(path, ADA, **wanted)

    (stored,) = database.fetch_all(SELECT)
    key = routing.settings().cursor_key
    assert stored["last_write"] == hmac.digest(key, kind + unkeyed, "sha256")


def unkeyed_mark(method: str, path: str) -> bytes:
    """Return what versions without a key stored for one of WRITES."""
    path, verb = (f"{path}/erase", "POST") if method == "erase" else (path, method)
    parts = json.dumps([SUBJECT, verb, path, '"v1"'])
    return hashlib.sha256((parts + BODIES[method]).encode()).digest()


def unkeyed_key(operation: str) -> tuple[bytes, bytes]:
    """Return the hash and the fingerprint that versions without a key stored for KEY and ADA."""
    secret = hashlib.sha256(json.dumps([SUBJECT, operation, KEY]).encode()).digest()
    canonical = json.dumps([schemas.load_customer(ADA)], sort_keys=True)
    return hashlib.sha256(secret).digest(), hmac.digest(secret, canonical.encode(), "sha256")


def write_all(api: Api, method: str) -> str:
    path = api.post("/customers", ADA, idempotency_key=KEY).headers["Location"]
    assert WRITES[method](api, path).status_code in {200, 204}
    return path


@pytest.mark.parametrize("method", WRITES)
def test_no_hash_can_be_computed_without_the_key(
    api: Api, database: Recorded, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    path = write_all(api, method)
    (stored,) = database.fetch_all(SELECT)
    assert stored["last_write"] != unkeyed_mark(method, path)
    assert stored["idempotency_key"] != unkeyed_key("create_customer")[0]

    database.execute("DELETE FROM customers")
    monkeypatch.setenv("CURSOR_KEY", "another key of more than 32 characters")
    routing.settings.cache_clear()
    write_all(api, method)

    (other,) = database.fetch_all(SELECT)
    for name in HASHES:
        assert stored[name] is None or stored[name] != other[name], name


@pytest.mark.parametrize("method", WRITES)
def test_write_before_the_upgrade_can_be_retried(api: Api, database: Recorded, method: str) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    first = WRITES[method](api, path)
    database.execute("UPDATE customers SET last_write = :mark", mark=unkeyed_mark(method, path))

    again = WRITES[method](api, path)

    assert (again.status_code, again.body) == (first.status_code, first.body)


def test_other_mark_before_the_upgrade_is_not_a_retry(api: Api, database: Recorded) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    WRITES["PATCH"](api, path)
    database.execute("UPDATE customers SET last_write = :mark", mark=unkeyed_mark("PUT", path))

    assert_problem(WRITES["PATCH"](api, path), 412, "precondition-failed")


@pytest.mark.parametrize(("operation", "path", "body"), CREATES)
def test_create_before_the_upgrade_is_replayed(
    api: Api, database: Recorded, operation: str, path: str, body: Any
) -> None:
    first = api.post(path, body, idempotency_key=KEY)
    key, fingerprint = unkeyed_key(operation)
    database.execute(
        "UPDATE customers"
        " SET idempotency_key = :stored_key, idempotency_fingerprint = :fingerprint",
        stored_key=key,
        fingerprint=fingerprint,
    )

    again = api.post(path, body, idempotency_key=KEY)
    changed = json.loads(json.dumps(body).replace("Lovelace", "Byron"))

    assert (again.status_code, again.body) == (201, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert_problem(api.post(path, changed, idempotency_key=KEY), 422, "idempotency-key-reused")
