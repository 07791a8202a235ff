"""The lifecycle of customers from a client's point of view."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.e2e.conftest import Client

CLIENTS = 10  # the emulated AWS starts a process for each; tests/test_by_external_id.py has 50


def assert_problem(answer: requests.Response, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["type"].endswith(f"#{kind}")
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["Request-Id"]


def test_customer_lifecycle(api: Client, ada: dict[str, Any]) -> None:
    created = api.post("/customers", ada)
    assert created.status_code == 201
    assert created.headers["ETag"] == '"v1"'
    path = created.headers["Location"]
    assert api.get(path).json() == created.json()

    patched = api.patch(path, {"locale": "en-GB", "metadata": {"plan": "gold"}}, if_match='"v1"')
    assert (patched.status_code, patched.headers["ETag"]) == (200, '"v2"')
    replaced = api.put(path, patched.json() | {"company_name": "Engines"}, if_match='"v2"')
    assert (replaced.status_code, replaced.json()["version"]) == (200, 3)
    assert api.get(path).json() == replaced.json()

    assert api.delete(path, if_match='"v3"').status_code == 204
    assert_problem(api.get(path), 404, "customer-not-found")
    restored = api.post(path + "/restore")
    assert restored.status_code == 200
    assert restored.json()["company_name"] == "Engines"

    assert api.post(path + "/erase").status_code == 204
    assert_problem(api.get(path), 404, "customer-not-found")
    assert_problem(api.post(path + "/restore"), 404, "customer-not-found")


def test_history_export_and_proof_of_erasure(api: Client, ada: dict[str, Any]) -> None:
    path = api.post("/customers", ada).headers["Location"]
    api.patch(path, {"locale": "en-GB", "phone": "+44 20 7946 0000"})
    assert api.delete(path).status_code == 204

    history = api.get(f"{path}/history").json()["items"]
    assert [(item["version"], item["operation"]) for item in history] == [
        (3, "deleted"),
        (2, "updated"),
        (1, "created"),
    ]
    assert history[1]["changed_fields"] == ["phone", "locale"]
    exported = api.get(f"{path}/export").json()
    assert exported["customer"]["email"] == ada["email"]
    assert exported["history"] == history
    assert_problem(api.get(f"{path}/erasure"), 404, "customer-not-erased")

    assert api.post(f"{path}/erase").status_code == 204
    proof = api.get(f"{path}/erasure").json()
    assert proof["id"] == path.rpartition("/")[2]
    claims = proof["receipt"].split(".")[1]
    stated = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert (stated["sub"], stated["erased_at"]) == (proof["id"], proof["erased_at"])
    for end in ("history", "export"):
        assert_problem(api.get(f"{path}/{end}"), 404, "customer-not-found")


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("-crm", id="plain"),
        # every character that a path or a gateway could misread
        pytest.param("/../a%2Fb c+d?é;\u65e5", id="any", marks=pytest.mark.encoded),
    ],
)
def test_lifecycle_by_external_id(api: Client, ada: dict[str, Any], end: str) -> None:
    ada["external_id"] = external_id = f"{uuid.uuid4()}{end}"
    path = f"/customers/by-external-id/{quote(external_id, safe='')}"

    created = api.put(path, ada, if_none_match="*")
    assert (created.status_code, created.json()["external_id"]) == (201, external_id)
    own_path, tag = created.headers["Location"], created.headers["ETag"]
    assert api.get(own_path).json() == api.get(path).json() == created.json()
    assert_problem(
        api.put(path, ada | {"locale": "de"}, if_none_match="*"), 412, "precondition-failed"
    )

    replaced, repeated = (api.put(path, ada | {"locale": "en"}, if_match=tag) for _ in range(2))
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    assert replaced.json() == repeated.json()
    assert replaced.headers["Content-Location"] == own_path
    assert api.patch(path, {"locale": None}).json()["version"] == 3
    assert api.delete(path).status_code == 204
    assert_problem(api.get(path), 404, "customer-not-found")
    assert api.post(own_path + "/restore").json()["external_id"] == external_id


def test_parallel_puts_to_an_external_id_create_one_customer(
    api: Client, ada: dict[str, Any]
) -> None:
    path = f"/customers/by-external-id/{ada['external_id']}"

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda _: api.put(path, ada), range(CLIENTS)))

    assert sorted(answer.status_code for answer in answers) == [200] * (CLIENTS - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_several_customers_are_updated_and_deleted_together(
    api: Client, ada: dict[str, Any]
) -> None:
    names = [f"{n}-{ada['external_id']}" for n in range(3)]
    new = [ada | {"email": f"{name}@example.com", "external_id": name} for name in names]
    created = api.post("/customers/batch", {"items": new}).json()["items"]
    items = [{"id": each["id"], "version": 1, "locale": "en"} for each in created]
    json = {"content_type": "application/json"}

    stale = [*items[:2], items[2] | {"version": 2}]
    assert_problem(api.patch("/customers", {"items": stale}, **json), 409, "version-conflict")
    patched, again = (api.patch("/customers", {"items": items}, **json) for _ in range(2))
    assert patched.status_code == again.status_code == 200
    assert patched.json() == again.json()
    references = [
        {"id": each["id"], "version": each["version"]} for each in patched.json()["items"]
    ]
    deleted = [api.post("/customers/delete", {"items": references}) for _ in range(2)]
    assert [answer.status_code for answer in deleted] == [204, 204]
    assert_problem(api.get(f"/customers/{created[0]['id']}"), 404, "customer-not-found")


def test_conditional_get_of_current_version_returns_304(api: Client, ada: dict[str, Any]) -> None:
    path = api.post("/customers", ada).headers["Location"]

    fresh = api.get(path, if_none_match='W/"v1"')
    head = api.send("HEAD", path)

    assert (fresh.status_code, fresh.content, fresh.headers["ETag"]) == (304, b"", '"v1"')
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", '"v1"')
    api.patch(path, {"locale": "en"})
    assert api.get(path, if_none_match='"v1"').status_code == 200


def test_concurrent_updates_with_one_etag_succeed_once(api: Client, ada: dict[str, Any]) -> None:
    path = api.post("/customers", ada).headers["Location"]

    with ThreadPoolExecutor(8) as clients:
        answers = list(
            clients.map(
                lambda n: api.patch(path, {"metadata": {"by": str(n)}}, if_match='"v1"'), range(8)
            )
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert_problem(api.put(path, ada, if_match='"v1"'), 412, "precondition-failed")
    assert_problem(api.put(path, ada), 428, "precondition-required")


def test_parallel_creates_with_one_key_create_one_customer(
    api: Client, ada: dict[str, Any]
) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(20) as clients:
        answers = list(
            clients.map(lambda _: api.post("/customers", ada, idempotency_key=key), range(20))
        )

    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    assert len(api.get(f"/customers?external_id={ada['external_id']}").json()["items"]) == 1
    other = api.post("/customers", ada | {"locale": "en"}, idempotency_key=key)
    assert_problem(other, 422, "idempotency-key-reused")


def test_list_is_paged_through_next_links(api: Client, ada: dict[str, Any]) -> None:
    mark = ada["external_id"]
    batch = [ada | {"email": f"{n}.{ada['email']}", "external_id": f"{mark}-{n}"} for n in range(7)]
    created = api.post("/customers/batch", {"items": batch})
    assert created.status_code == 201
    ids = [customer["id"] for customer in created.json()["items"]]

    listed, path = [], f"/customers?q={ada['family_name']}&limit=3&sort=created_at"
    while path:
        page = api.get(path)
        listed += [customer["id"] for customer in page.json()["items"]]
        path = page.json()["next"]
        assert page.links.get("next", {}).get("url") == path

    assert listed == ids


def test_write_is_listed_immediately(api: Client, ada: dict[str, Any]) -> None:
    path = api.post("/customers", ada).headers["Location"]
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    for query in (
        {"email": ada["email"]},
        {"external_id": ada["external_id"]},
        {"q": ada["family_name"]},
        {"q": ada["email"], "status": "active", "created_after": long_ago},
        {"external_id": ada["external_id"], "updated_after": long_ago},
    ):
        found = api.send("GET", "/customers", params=query).json()["items"]
        assert [customer["id"] for customer in found] == [path.rpartition("/")[2]]
    api.delete(path)
    query = {"external_id": ada["external_id"]}
    assert api.send("GET", "/customers", params=query).json()["items"] == []
    deleted = api.send("GET", "/customers", params=query | {"include_deleted": "true"}).json()
    assert deleted["items"][0]["purge_at"] > deleted["items"][0]["deleted_at"]


@pytest.mark.parametrize(
    ("fields", "searches"),
    [
        ({"company_name": "Café☕ Wien"}, ["cafe", "CAFÉ☕ w"]),
        ({"company_name": "Café🍕 Wien"}, ["cafe", "cafe🍕"]),
        ({"company_name": "Party🎉"}, ["party", "party🎉"]),
        ({"company_name": "Pizza🍕"}, ["pizza", "pizza🍕"]),
        ({"given_name": "Łukasz"}, ["Lukasz"]),
        ({"given_name": "Ørjan"}, ["Orjan"]),
        ({"family_name": "Đặng"}, ["Dang"]),
        ({"family_name": "Groß"}, ["GROSS"]),
        ({"given_name": "Işık"}, ["ISIK", "isik"]),
        ({"given_name": "小明", "family_name": "王"}, ["王", "王小明", "小明 王"]),
        ({"given_name": "철수", "family_name": "김"}, ["김", "김철수", "철수 김"]),
        (
            {"given_name": "太郎", "family_name": "山田"},
            ["山田太郎", "山田 太郎", "太郎 山田", "太郎山田"],
        ),
    ],
)
def test_search_finds_names_in_all_alphabets(
    api: Client, ada: dict[str, Any], fields: dict[str, str], searches: list[str]
) -> None:
    customer = {"email": ada["email"], "external_id": ada["external_id"], **fields}
    customer_id = api.post("/customers", customer).json()["id"]

    for q in searches:
        query = {"q": q, "limit": "100"}
        found = api.send("GET", "/customers", params=query).json()["items"]
        assert customer_id in [item["id"] for item in found]


def test_batch_is_atomic(api: Client, ada: dict[str, Any]) -> None:
    api.post("/customers", ada)
    other = {"email": f"other.{ada['email']}", "given_name": "Grace"}

    answer = api.post("/customers/batch", {"items": [other, other | {"email": ada["email"]}]})

    assert_problem(answer, 409, "email-taken")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/1/email"]
    query = {"email": other["email"]}
    assert api.send("GET", "/customers", params=query).json()["items"] == []


JSON, TEXT = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
HTML = {"Accept": "text/html"}
INVALID_REQUESTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/customers", {"data": "{", "headers": JSON}, 400, "malformed-json"),
    ("POST", "/customers", {"json": {}}, 400, "validation-error"),
    ("GET", "/customers?limit=0", {}, 400, "validation-error"),
    ("GET", "/customers?cursor=x", {}, 400, "validation-error"),
    ("GET", "/customers/none", {}, 404, "customer-not-found"),
    ("PUT", "/customers", {"json": {}}, 405, "method-not-allowed"),
    ("GET", "/customers", {"headers": HTML}, 406, "not-acceptable"),
    ("POST", "/customers", {"json": {"x": "x" * 70_000}}, 413, "content-too-large"),
    ("POST", "/customers", {"data": "x", "headers": TEXT}, 415, "unsupported-media-type"),
]


@pytest.mark.parametrize(
    "invalid", INVALID_REQUESTS, ids=[f"{item[-1]} {item[1]}" for item in INVALID_REQUESTS]
)
def test_invalid_request_returns_its_problem(
    api: Client, invalid: tuple[str, str, dict[str, Any], int, str]
) -> None:
    method, path, more, status, kind = invalid

    assert_problem(api.send(method, path, **more), status, kind)


def test_health_and_document_need_no_token(api: Client) -> None:
    for path in ("/health", "/openapi.json"):
        assert requests.get(api.url(path), timeout=30).status_code == 200


# `chalice local` returns other bodies for these requests.
@pytest.mark.parametrize(
    ("authorization", "kind", "challenge"),
    [
        (None, "unauthenticated", 'Bearer realm="customers"'),
        ("Bearer a.b.c", "invalid-token", 'error="invalid_token"'),
        ("Basic YWRhOmFkYQ==", "invalid-token", 'error="invalid_token"'),
    ],
)
@pytest.mark.gateway
def test_gateway_rejects_missing_and_invalid_tokens(
    api: Client, authorization: str | None, kind: str, challenge: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    answer = requests.get(api.url("/customers"), headers=headers, timeout=30)

    assert_problem(answer, 401, kind)
    assert challenge in answer.headers["WWW-Authenticate"]


@pytest.mark.gateway
def test_gateway_returns_404_for_unknown_path(api: Client) -> None:
    assert_problem(api.get("/nothing"), 404, "not-found")
