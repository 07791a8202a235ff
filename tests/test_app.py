"""The response of each operation, through Chalice's local gateway and the real database."""

import base64
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

import pytest
from chalice.test import HTTPResponse

import app
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, StatementFailed
from chalicelib.http import routing
from chalicelib.http.requests import MAX_BODY_BYTES, Request
from chalicelib.http.routing import METHODS
from tests import tokens
from tests.api import ADA, Api, assert_problem

READ_ONLY = ("id", "version", "created_at", "updated_at", "deleted_at", "purge_at")
CONTEXT = {
    "httpMethod": "POST",
    "resourcePath": "/customers",
    "authorizer": {"principalId": "ada", "scopes": "customers:write", "expires": "4102444800"},
}
UNKNOWN = "0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"

FULL = {
    "status": "inactive",
    "email": "grace@example.com",
    "phone": "+442079460000",
    "given_name": "Grace",
    "family_name": "Hopper",
    "company_name": "Navy & Co",
    "external_id": "crm-1",
    "addresses": [
        {
            "type": "billing",
            "line1": "1 Main St",
            "line2": None,
            "city": "Arlington",
            "region": "VA",
            "postal_code": "22201",
            "country": "US",
        }
    ],
    "locale": "en-US",
    "time_zone": "America/New_York",
    "metadata": {"plan": "gold 🥇"},
}


def test_customer_lifecycle(api: Api) -> None:
    """A customer is created, read, listed, changed and deleted."""
    created = api.post("/customers", ADA)
    assert created.status_code == 201
    path = created.headers["Location"]
    assert path == f"/customers/{created.json_body['id']}"

    assert api.get(path).json_body == created.json_body
    assert api.get("/customers").json_body["items"] == [created.json_body]

    changed = api.patch(path, {"phone": "+442079460000"})
    assert changed.status_code == 200
    assert changed.json_body["phone"] == "+442079460000"
    assert api.get(path).json_body == changed.json_body

    deleted = api.delete(path)
    assert (deleted.status_code, deleted.body) == (204, b"")
    assert_problem(api.get(path), 404, "customer-not-found")
    assert api.get("/customers").json_body["items"] == []


def test_created_customer_has_every_field(api: Api) -> None:
    customer = api.post("/customers", ADA).json_body

    unset = dict.fromkeys(FULL) | {"status": "active", "addresses": [], "metadata": {}}
    assert {k: v for k, v in customer.items() if k not in READ_ONLY} == unset | ADA
    assert customer["version"] == 1
    assert UUID(customer["id"]).version == 7
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", customer["created_at"])
    assert customer["created_at"] == customer["updated_at"]


def test_full_customer_is_stored_unchanged(api: Api) -> None:
    created = api.post("/customers", FULL)

    stored = api.get(created.headers["Location"])
    assert {k: v for k, v in stored.json_body.items() if k not in READ_ONLY} == FULL
    assert stored.body == created.body


def test_json_contains_unescaped_unicode(api: Api) -> None:
    """Text is sent as UTF-8, not as escapes."""
    created = api.post("/customers", ADA | {"given_name": "Zoë 👩🏽‍🚀"})

    assert "Zoë 👩🏽‍🚀".encode() in created.body
    assert created.headers["Content-Type"] == "application/json"


# --- changing --------------------------------------------------------------------------------


def test_patch_changes_only_the_fields_it_contains(api: Api) -> None:
    before = api.post("/customers", FULL).json_body

    after = api.patch(
        f"/customers/{before['id']}",
        {"given_name": None, "metadata": {"plan": None, "tier": "1"}, "addresses": []},
    ).json_body

    assert after == before | {
        "version": 2,
        "updated_at": after["updated_at"],
        "given_name": None,
        "metadata": {"tier": "1"},
        "addresses": [],
    }
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
def test_patch_accepts_both_media_types(api: Api, media_type: str) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    answer = api.request("PATCH", path, b'{"locale": "en-GB"}', {"Content-Type": media_type})

    assert answer.status_code == 200
    assert answer.json_body["locale"] == "en-GB"


def test_patch_without_changes_creates_no_version(api: Api) -> None:
    before = api.post("/customers", FULL).json_body

    after = api.patch(f"/customers/{before['id']}", {"email": " grace@EXAMPLE.com", "version": 1})

    assert after.status_code == 200
    assert after.json_body == before


def test_patch_validates_the_merged_customer(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    answer = api.patch(path, {"given_name": None, "family_name": None})

    assert_problem(answer, 400, "validation-error", ("", "name-required"))


@pytest.mark.parametrize("field", READ_ONLY)
def test_read_only_field_cannot_be_changed(api: Api, field: str) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    error = ("/" + field, "read-only")

    assert_problem(api.patch(path, {field: "x"}), 400, "validation-error", error)
    assert_problem(api.post("/customers", FULL | {field: 1}), 400, "validation-error", error)


# --- unique fields ---------------------------------------------------------------------------


def test_email_is_unique_regardless_of_case(api: Api) -> None:
    api.post("/customers", ADA | {"email": "Ada@Example.com"})

    answer = api.post("/customers", ADA | {"email": "aDA@example.COM"})

    assert_problem(answer, 409, "email-taken", ("/email", "taken"))
    assert b"ada@" not in answer.body.lower()


def test_email_is_unique_after_lowercasing_composes_a_letter(api: Api) -> None:
    api.post("/customers", ADA | {"email": "J\u030cane@example.com"})

    answer = api.post("/customers", ADA | {"email": "\u01f0ane@example.com"})

    assert_problem(answer, 409, "email-taken")


def test_emails_that_differ_in_accents_are_distinct(api: Api) -> None:
    assert api.post("/customers", ADA | {"email": "jose@example.com"}).status_code == 201
    assert api.post("/customers", ADA | {"email": "josé@example.com"}).status_code == 201


def test_external_id_is_unique(api: Api) -> None:
    api.post("/customers", FULL)

    answer = api.post("/customers", ADA | {"external_id": "crm-1"})

    assert_problem(answer, 409, "external-id-taken", ("/external_id", "taken"))
    assert api.post("/customers", ADA | {"external_id": "CRM-1"}).status_code == 201


def test_change_to_external_id_in_use_returns_409(api: Api) -> None:
    api.post("/customers", FULL)
    path = api.post("/customers", ADA).headers["Location"]

    answer = api.patch(path, {"external_id": "crm-1"})

    assert_problem(answer, 409, "external-id-taken", ("/external_id", "taken"))


def test_change_to_email_in_use_returns_409(api: Api) -> None:
    api.post("/customers", ADA)
    path = api.post("/customers", FULL).headers["Location"]

    assert_problem(api.patch(path, {"email": ADA["email"]}), 409, "email-taken")
    assert api.get(path).json_body["email"] == FULL["email"]
    assert api.get(path).json_body["version"] == 1


def test_deleting_frees_email_and_external_id(api: Api) -> None:
    api.delete(api.post("/customers", FULL).headers["Location"])

    assert api.post("/customers", FULL).status_code == 201


# --- listing ---------------------------------------------------------------------------------


def test_list_is_newest_first(api: Api) -> None:
    created_ids = [api.post("/customers", numbered(n)).json_body["id"] for n in range(5)]

    listed = [item["id"] for item in api.get("/customers").json_body["items"]]

    assert listed == created_ids[::-1]


def test_pages_link_to_the_next_page(api: Api) -> None:
    created_ids = [api.post("/customers", numbered(n)).json_body["id"] for n in range(5)]

    listed, sizes, path = [], [], "/customers?limit=2"
    while path:
        page = api.get(path)
        listed += [item["id"] for item in page.json_body["items"]]
        sizes.append(len(page.json_body["items"]))
        path = page.json_body["next"]
        assert page.json_body["has_more"] == (path is not None)
        assert page.headers.get("Link") == (f'<{path}>; rel="next"' if path else None)
        assert path is None or path.startswith("/customers?limit=2&cursor=")

    assert listed == created_ids[::-1]
    assert sizes == [2, 2, 1]


def test_links_have_no_trailing_slash(api: Api) -> None:
    for n in range(2):
        created = api.request("POST", "/customers/", json.dumps(numbered(n)).encode())

    assert created.headers["Location"] == f"/customers/{created.json_body['id']}"
    assert api.get("/customers/?limit=1").json_body["next"].startswith("/customers?limit=1&")


def test_last_full_page_has_no_next(api: Api) -> None:
    for n in range(2):
        api.post("/customers", numbered(n))

    assert api.get("/customers?limit=2").json_body["next"] is None


def test_next_page_is_exact_if_its_cursor_customer_was_deleted(api: Api) -> None:
    created_ids = [api.post("/customers", numbered(n)).json_body["id"] for n in range(3)]
    first = api.get("/customers?limit=1").json_body
    api.delete(f"/customers/{created_ids[2]}")

    assert [item["id"] for item in api.get(first["next"]).json_body["items"]] == [created_ids[1]]


def test_empty_list(api: Api) -> None:
    assert api.get("/customers").json_body == {"items": [], "next": None, "has_more": False}


def test_default_limit_is_20(api: Api) -> None:
    for n in range(21):
        api.post("/customers", numbered(n))

    assert len(api.get("/customers").json_body["items"]) == 20
    assert len(api.get("/customers?limit=100").json_body["items"]) == 21


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("limit=0", "limit", "range"),
        ("limit=101", "limit", "range"),
        ("limit=-1", "limit", "type"),
        ("limit=ten", "limit", "type"),
        ("limit=", "limit", "type"),
        ("limit=%D9%A1", "limit", "type"),
        ("limit=1_0", "limit", "type"),
        ("limit=" + "9" * 5000, "limit", "type"),
        ("limit=1&limit=2", "limit", "repeated"),
        ("cursor=x", "cursor", "cursor"),
        ("cursor=", "cursor", "cursor"),
        ("cursor=%C3%A9", "cursor", "cursor"),
        ("cursor=AAAA!AAAAAAAAAAAAAAAAAA", "cursor", "cursor"),
        ("cursor=" + "A" * 44, "cursor", "cursor"),
        ("offset=10", "offset", "unknown"),
        ("sort=email", "sort", "choice"),
        ("sort=", "sort", "blank"),
        ("email=ada", "email", "email"),
        ("email=", "email", "blank"),
        ("phone=02079460000", "phone", "phone"),
        ("phone=++4420", "phone", "phone"),
        ("external_id=" + "x" * 101, "external_id", "too-long"),
        ("external_id=%00", "external_id", "control-character"),
        ("status=deleted", "status", "choice"),
        ("status=Active", "status", "choice"),
        ("created_after=2026-01-31", "created_after", "time"),
        ("created_after=2026-01-31T12:00:00", "created_after", "time"),
        ("created_before=2026-02-30T12:00:00Z", "created_before", "time"),
        ("created_before=2026-01-31T12:00:00.Z", "created_before", "time"),
        ("created_before=2026-01-31T12:00:00+25:00", "created_before", "time"),
        ("updated_after=2026-01-31T12:00Z", "updated_after", "time"),
        ("updated_after=0001-01-01T00:00:00%2B01:00", "updated_after", "time"),
        ("updated_after=1769860800", "updated_after", "time"),
        ("updated_after=2026-01-31T12:00:00Z&sort=-created_at", "sort", "combination"),
        ("q=ada&sort=updated_at", "sort", "combination"),
        ("q=ada&updated_after=2026-01-31T12:00:00Z", "q", "combination"),
        ("q=a", "q", "too-short"),
        ("q=+a+", "q", "too-short"),
        ("q=++", "q", "blank"),
        ("q=" + "x" * 101, "q", "too-long"),
        ("q=a%0Ab", "q", "control-character"),
        ("fields=", "fields", "blank"),
        ("fields=id,,email", "fields", "blank"),
        ("fields=id,email_key", "fields", "choice"),
        ("fields=*", "fields", "choice"),
        ("fields=" + "id," * 50 + "id", "fields", "too-many"),
        ("include_deleted=1", "include_deleted", "choice"),
        ("include_deleted=True", "include_deleted", "choice"),
    ],
)
def test_invalid_list_parameter_is_reported(
    api: Api, query: str, parameter: str, code: str
) -> None:
    answer = api.get(f"/customers?{query}")

    assert_problem(answer, 400, "validation-error")
    assert [(e["parameter"], e["code"]) for e in answer.json_body["errors"]] == [(parameter, code)]


@pytest.mark.parametrize(
    "query",
    [
        "q=ada+l&limit=1",
        "status=active&sort=created_at&limit=1&fields=email",
        "phone=%2B442079460000&limit=1",
        "phone=+442079460000&limit=1",
        "limit=1&created_before=2099-01-31T12:00:00%2B01:00&created_after=1999-01-31T12:00:00+01:00",
        "updated_after=1999-01-31T12:00:00.000000001-01:00&include_deleted=true&limit=1",
    ],
)
def test_next_link_repeats_the_parameters(api: Api, query: str) -> None:
    """Clients page through a filtered list by following the links unchanged."""
    created_ids = [
        api.post("/customers", numbered(n) | {"phone": "+442079460000"}).json_body["email"]
        for n in range(3)
    ]
    listed, path = [], f"/customers?{query}"
    while path:
        page = api.get(path)
        assert page.status_code == 200, page.body
        listed += [item["email"] for item in page.json_body["items"]]
        path = page.json_body["next"]
        assert page.headers.get("Link") == (f'<{path}>; rel="next"' if path else None)
        sent = parse_qs(query)
        assert path is None or parse_qs(urlsplit(path).query).items() > sent.items()

    assert sorted(listed) == created_ids


def test_plus_in_next_link_is_encoded(api: Api) -> None:
    for n in range(2):
        api.post("/customers", numbered(n) | {"phone": "+442079460000"})

    following = api.get("/customers?phone=%2B442079460000&limit=1").json_body["next"]

    assert following.startswith("/customers?phone=%2B442079460000&limit=1&cursor=")


def test_ampersand_in_next_link_is_encoded(api: Api) -> None:
    for n in range(2):
        api.post("/customers", numbered(n) | {"company_name": "Navy & Co"})

    following = api.get("/customers?q=navy+%26+co&limit=1").json_body["next"]

    assert following.startswith("/customers?q=navy+%26+co&limit=1&cursor=")


def test_next_link_replaces_the_cursor(api: Api) -> None:
    for n in range(3):
        api.post("/customers", numbered(n))

    path = api.get("/customers?limit=1").json_body["next"]
    following = api.get(path).json_body["next"]

    assert following != path
    assert following.count("cursor=") == 1


def test_cursor_with_other_filters_is_rejected(api: Api) -> None:
    for n in range(2):
        api.post("/customers", numbered(n))
    path = api.get("/customers?limit=1").json_body["next"]

    answer = api.get(f"{path}&status=active")

    assert_problem(answer, 400, "validation-error")
    assert [(e["parameter"], e["code"]) for e in answer.json_body["errors"]] == [
        ("cursor", "cursor")
    ]
    assert api.get(path.replace("limit=1", "limit=50") + "&fields=id").status_code == 200


def test_cursor_signed_with_another_key_is_rejected(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        api.post("/customers", numbered(n))
    path = api.get("/customers?limit=1").json_body["next"]
    monkeypatch.setenv("CURSOR_KEY", "another key, of 32 characters or more")
    routing.settings.cache_clear()

    assert_problem(api.get(path), 400, "validation-error")


def test_longest_link_header_fits_the_gateways_limit(api: Api) -> None:
    """API Gateway allows 10,240 bytes of headers; each parameter here has its maximum length."""
    customer = {"given_name": "😀" * 100, "phone": "+442079460000"}
    wanted = {
        "q": "😀" * 100,
        "phone": "+442079460000",
        "status": "active",
        "created_after": "1999-01-31T12:00:00.000000001+01:00",
        "created_before": "2099-01-31T12:00:00.000000001+01:00",
        "fields": ",".join(CUSTOMERS.names),
        "include_deleted": "true",
        "sort": "-created_at",
        "limit": "1",
    }
    for n in range(2):
        api.post("/customers", customer | {"email": f"{n}@example.com"})

    page = api.get(f"/customers?{urlencode(wanted)}")

    assert page.json_body["has_more"]
    assert len(page.headers["Link"]) < 3_000


def test_head_of_a_page_has_the_link_header(api: Api) -> None:
    for n in range(2):
        api.post("/customers", numbered(n))

    page = api.request("HEAD", "/customers?limit=1", headers={})

    assert (page.status_code, page.body) == (200, b"")
    assert page.headers["Link"] == api.get("/customers?limit=1").headers["Link"]


# --- invalid input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"email": }',
        b'{"email": "a@example.com",}',
        b"{'email': 1}",
        b'{"metadata": NaN}',
        b'{"metadata": -Infinity}',
        b'{"email": "a@example.com", "email": "b@example.com"}',
        b'{"metadata": {"a": "1", "a": "2"}}',
        b'{"email": "\xff\xfe"}',
        b'{"email": "\xed\xa0\x80"}',
        b"[" * 30_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"metadata": ' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"version": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_malformed_json_is_rejected(api: Api, body: bytes) -> None:
    assert_problem(api.request("POST", "/customers", body), 400, "malformed-json")


@pytest.mark.parametrize("document", [[], "text", 1, None, True, [ADA]])
def test_non_object_document_is_rejected(api: Api, document: Any) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    for answer in (api.post("/customers", document), api.patch(path, document)):
        assert_problem(answer, 400, "validation-error", ("", "type"))


def test_every_invalid_field_is_reported(api: Api) -> None:
    answer = api.post(
        "/customers",
        {
            "email": "no",
            "phone": 1,
            "addresses": [{"line1": "x"}, 7],
            "metadata": {"a/b~": 1},
            "x": 1,
        },
    )

    assert_problem(
        answer,
        400,
        "validation-error",
        ("/email", "email"),
        ("/phone", "type"),
        ("/addresses/0/country", "required"),
        ("/addresses/1", "type"),
        ("/metadata/a~1b~0", "type"),
        ("/x", "unknown"),
    )


def test_unexpected_query_parameter_is_rejected(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    for method, target in (("GET", path), ("DELETE", path), ("POST", "/customers")):
        answer = api.request(method, f"{target}?verbose=1", json.dumps(ADA).encode())
        assert_problem(answer, 400, "validation-error")
        assert answer.json_body["errors"][0]["parameter"] == "verbose"


@pytest.mark.parametrize(
    "text", ["not-a-uuid", "1", "%00", "é", UNKNOWN[:-1], UNKNOWN + "0", "{" + UNKNOWN + "}"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_malformed_id_returns_404(api: Api, method: str, text: str) -> None:
    answer = api.request(method, f"/customers/{text}", b"{}")

    assert_problem(answer, 404, "customer-not-found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_unknown_id_returns_404(api: Api, method: str) -> None:
    assert_problem(api.request(method, f"/customers/{UNKNOWN}", b"{}"), 404, "customer-not-found")


def test_id_is_case_insensitive(api: Api) -> None:
    customer = api.post("/customers", ADA).json_body

    assert api.get(f"/customers/{customer['id'].upper()}").json_body == customer


def test_deleted_customer_returns_404_for_every_method(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    api.delete(path)

    for method in ("GET", "PATCH", "DELETE"):
        assert_problem(api.request(method, path, b"{}"), 404, "customer-not-found")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "*/*", "", "application/jsonp", "multipart/x"]
)
def test_unsupported_media_type_is_rejected(api: Api, media_type: str) -> None:
    body = json.dumps(ADA).encode()

    answer = api.request("POST", "/customers", body, {"Content-Type": media_type})

    assert_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept-Post"] == "application/json"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_errors_are_reported_in_order_of_precedence(api: Api, method: str) -> None:
    """Authorization comes first; the body is validated before the customer is looked up."""
    reader = Api(tokens.token("customers:read"))
    path, wrong = "/customers/none", {"Accept": "text/html", "Content-Type": "text/plain"}
    text, json_ = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}

    for client, target, body, headers, status, problem in (
        (reader, f"{path}?verbose=1", b"{", wrong, 403, "insufficient-scope"),
        (api, f"{path}?verbose=1", b"{", wrong, 406, "not-acceptable"),
        (api, f"{path}?verbose=1", b"{", text, 400, "validation-error"),
        (api, path, b"{", text, 415, "unsupported-media-type"),
        (api, path, b"{", json_, 400, "malformed-json"),
        (api, path, b"{}", json_, 404, "customer-not-found"),
    ):
        assert_problem(client.request(method, target, body, headers), status, problem)


def test_unsupported_media_type_of_a_patch_is_rejected(api: Api) -> None:
    answer = api.request("PATCH", f"/customers/{UNKNOWN}", b"{}", {"Content-Type": "text/plain"})

    assert_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json, application/json"


@pytest.mark.parametrize(
    "media_type", ["Application/JSON; charset=utf-8", " application/json ;charset=utf-8"]
)
def test_media_type_is_case_insensitive_and_may_have_parameters(api: Api, media_type: str) -> None:
    body = json.dumps(ADA).encode()

    answer = api.request("POST", "/customers", body, {"Content-Type": media_type})

    assert answer.status_code == 201


def test_media_type_of_a_get_is_ignored(api: Api) -> None:
    answer = api.request("GET", "/customers", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 200


def test_too_large_body_is_rejected(api: Api) -> None:
    body = json.dumps(ADA).encode()
    at_limit = body + b" " * (MAX_BODY_BYTES - len(body))

    assert api.request("POST", "/customers", at_limit).status_code == 201
    assert_problem(api.request("POST", "/customers", at_limit + b" "), 413, "content-too-large")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/customers", {"GET", "HEAD", "OPTIONS", "PATCH", "POST"}),
        ("/customers/batch", {"OPTIONS", "POST"}),
        ("/customers/delete", {"OPTIONS", "POST"}),
        (
            "/customers/by-external-id/A-1",
            {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"},
        ),
        (f"/customers/{UNKNOWN}/history", {"GET", "HEAD", "OPTIONS"}),
        (f"/customers/{UNKNOWN}", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"}),
        (f"/customers/{UNKNOWN}/restore", {"OPTIONS", "POST"}),
        (f"/customers/{UNKNOWN}/erase", {"OPTIONS", "POST"}),
        ("/health", {"GET", "HEAD", "OPTIONS"}),
        ("/openapi.json", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_unsupported_method_returns_405(api: Api, path: str, allowed: set[str]) -> None:
    for method in METHODS - allowed:
        answer = api.request(method, f"{path}?x=1", b"{}")
        assert_problem(answer, 405, "method-not-allowed", head=method == "HEAD")
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.usefixtures("api")
def test_unsupported_method_returns_405_without_a_token() -> None:
    assert_problem(Api("").request("PUT", "/customers"), 405, "method-not-allowed")


def test_head_has_the_headers_of_get_and_no_body(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    for target, status in ((path, 200), ("/customers", 200), (f"/customers/{UNKNOWN}", 404)):
        head, get = api.request("HEAD", target), api.get(target)
        del head.headers["Request-Id"], get.headers["Request-Id"]
        assert (head.status_code, head.headers, head.body) == (status, get.headers, b"")


# --- failures and unusual events -------------------------------------------------------------


def test_health(api: Api) -> None:
    assert api.get("/health").json_body == {"status": "ok"}
    assert api.get("/health?deep=true").json_body == {"status": "ok", "database": "ok"}
    assert_problem(api.get("/health?deep=yes"), 400, "validation-error")


def test_unreachable_database_returns_503(broken_api: Api, log: pytest.LogCaptureFixture) -> None:
    """Every operation returns Retry-After; a shallow health check needs no database."""
    body = json.dumps(ADA).encode()
    for method, path in (
        ("GET", "/customers"),
        ("POST", "/customers"),
        ("GET", f"/customers/{UNKNOWN}"),
        ("PATCH", f"/customers/{UNKNOWN}"),
        ("DELETE", f"/customers/{UNKNOWN}"),
        ("GET", "/health?deep=true"),
    ):
        answer = broken_api.request(method, path, body)
        assert_problem(answer, 503, "service-unavailable")
        assert answer.headers["Retry-After"] == "2"
    assert "StatementNotBegun: the Data API at http://127.0.0.1" in log.text
    assert broken_api.get("/health").status_code == 200


@pytest.mark.parametrize(
    "error", [KeyError("ada@example.com"), StatementFailed("MySQL error 1146", 1146)]
)
def test_internal_error_is_logged_without_personal_data(
    api: Api, error: Exception, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app, "database", fail)

    answer = api.get("/customers")

    assert_problem(answer, 500, "internal-error")
    assert type(error).__name__ in log.text
    assert "test_app.py" in log.text
    assert "ada@" not in log.text + answer.body.decode()


@pytest.fixture
def event(database: Database, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return API Gateway's event for a POST, for tests to modify."""
    monkeypatch.setattr(app, "database", lambda: database)
    return {
        "requestContext": CONTEXT | {"path": "/prod/customers", "requestId": "gateway-1"},
        "headers": {"Content-Type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": json.dumps(ADA),
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(("milliseconds", "status"), [(100, 503), (9_000, 201)])
def test_request_ends_before_lambda_ends_it(
    event: dict[str, Any], milliseconds: int, status: int
) -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)

    assert app.app(event, context)["statusCode"] == status


def test_request_has_the_seconds_and_the_id_that_lambda_reports() -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1_500, aws_request_id="lambda-1")
    received: Any = SimpleNamespace(
        method="GET", path="/customers", lambda_context=context, context={}
    )
    request = Request(received, routing.settings)

    assert (request.seconds_left, request.gateway_id) == (1.5, "lambda-1")


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/prod/customers/a%2Fb/history", {"customer_id": "a/b"}),
        ("/customers/a%2Fb/history/", {"customer_id": "a/b"}),
        ("/orders/a%2Fb/history", {"customer_id": "given"}),
        ("/", {"customer_id": "given"}),
    ],
)
def test_parameters_come_from_a_path_that_is_of_the_route(
    path: str, parameters: dict[str, str]
) -> None:
    received: Any = SimpleNamespace(
        method="GET", path="/customers/{customer_id}/history", context={"path": path}
    )
    request = Request(received, routing.settings)

    assert request.path_parameters({"customer_id": "given"}) == parameters


def test_links_contain_the_stage(event: dict[str, Any]) -> None:
    answer = app.app(event, None)

    customer_id = json.loads(answer["body"])["id"]
    assert answer["headers"]["Location"] == f"/prod/customers/{customer_id}"


def test_links_lead_to_no_other_host(event: dict[str, Any]) -> None:
    """`//host/path` would be a reference to another host (RFC 3986, section 4.2)."""
    event["requestContext"]["path"] = "//evil.example/customers/"
    created = [
        app.app(event | {"body": json.dumps(ADA | {"email": f"{n}@example.com"})}, None)
        for n in range(2)
    ]
    reader = {"principalId": "ada", "scopes": "customers:read", "expires": "4102444800"}
    event["requestContext"] |= {"httpMethod": "GET", "authorizer": reader}
    listed = app.app(event | {"multiValueQueryStringParameters": {"limit": ["1"]}}, None)

    for answer in created:
        assert answer["headers"]["Location"].startswith("/evil.example/customers/")
    assert listed["headers"]["Link"].startswith("</evil.example/customers?")


def test_instance_and_request_id_come_from_the_gateway(event: dict[str, Any]) -> None:
    problem = json.loads(app.app(event | {"body": "{"}, None)["body"])

    assert (problem["instance"], problem["request_id"]) == ("/prod/customers", "gateway-1")


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/prod/customers/%41%2f", "/prod/customers/%41%2f"),
        ("/prod/a:@!$&'()*+,;=~-._", "/prod/a:@!$&'()*+,;=~-._"),
        ('/prod/<a "b">?#', "/prod/%3Ca%20%22b%22%3E%3F%23"),
        ("/prod/é", "/prod/%C3%A9"),
        ("/prod/\ud800", "/prod/%3F"),
    ],
)
def test_instance_is_a_uri_reference(event: dict[str, Any], path: str, instance: str) -> None:
    """The instance escapes any character that a URI doesn't allow, and no escape twice."""
    answer = app.app(event | {"body": "{", "requestContext": CONTEXT | {"path": path}}, None)

    assert json.loads(answer["body"])["instance"] == instance


def test_body_may_be_base64(event: dict[str, Any]) -> None:
    body = base64.b64encode(event["body"].encode()).decode()

    assert app.app(event | {"body": body, "isBase64Encoded": True}, None)["statusCode"] == 201


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"body": "not base64", "isBase64Encoded": True}, 400),
        ({"body": '{"email": "\ud800"}'}, 400),
        ({"body": None}, 400),
        ({"headers": None}, 415),
        ({"multiValueQueryStringParameters": {"limit": None}}, 400),
        ({"multiValueQueryStringParameters": {"limit": []}}, 400),
        ({"multiValueQueryStringParameters": {"\ud800": ["1"]}}, 400),
        ({"requestContext": CONTEXT}, 201),
    ],
)
def test_unusual_event_gets_a_response(
    event: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    answer = app.app(event | change, None)

    assert answer["statusCode"] == status
    assert json.loads(answer["body"].encode())


def test_missing_setting_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "customers-prod")
    app.database.cache_clear()

    answer = Api().get("/customers")

    assert_problem(answer, 500, "internal-error")
    assert "DATABASE_RESOURCE_ARN is not set" in log.text


def numbered(n: int) -> dict[str, Any]:
    return ADA | {"email": f"ada{n}@example.com"}


TRICKY = ADA | {
    "email": "o'hara+x/y@example.com",
    "given_name": 'Ada "/\\" 𝒜\u00e9',
    "company_name": "</script> & C:\\temp /",
    "addresses": [{"line1": '1 "High" St', "country": "GB", "city": "Zürich/West"}],
    "metadata": {"zz": '\\"/', "a": "✓", "key 2": "x"},
}


@pytest.mark.parametrize("customer", [ADA, TRICKY])
def test_customer_has_the_same_bytes_in_every_response(api: Api, customer: Any) -> None:
    """All responses have the same ETag, which is strong."""
    created = api.post("/customers", customer)
    path = created.headers["Location"]

    read = api.get(path)
    listed = api.get("/customers")
    unchanged = api.patch(path, {"given_name": customer["given_name"]})

    assert read.headers["ETag"] == created.headers["ETag"] == unchanged.headers["ETag"]
    assert read.body == created.body == unchanged.body
    assert b'{"items":[' + read.body + b"]," in listed.body


# --- inputs of real clients ----------------------------------------------------------------------

Send = Callable[[Api, str, dict[str, Any]], HTTPResponse]


def _send_in_batch(api: Api, _: str, document: dict[str, Any]) -> HTTPResponse:
    return api.post("/customers/batch", {"items": [document]})


ROUTES: dict[str, Send] = {
    "create": lambda api, _, document: api.post("/customers", document),
    "batch": _send_in_batch,
    "put": lambda api, path, document: api.put(path, document, if_match="*"),
    "patch": lambda api, path, document: api.patch(path, document),
    "minimal patch": lambda api, path, document: api.patch(
        path, document, if_match='"v1"', prefer="return=minimal"
    ),
}


@pytest.fixture
def grace(api: Api) -> str:
    """Create a customer, and return the path."""
    created = api.post("/customers", {"email": "grace@example.com", "given_name": "Grace"})
    return str(created.headers["Location"])


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"external_id": "x\u200b"}, ("/external_id", "invisible-character")),
        ({"external_id": "\u2800"}, ("/external_id", "blank")),
        ({"email": "ada@example.test"}, ("/email", "email")),
        ({"email": "a" * 65 + "@example.com"}, ("/email", "email")),
        ({"phone": "+420 (0)212 345 678"}, ("/phone", "phone")),
        ({"locale": "fr-Latn-Latn"}, ("/locale", "locale")),
    ],
)
def test_invalid_detail_is_rejected_on_every_route(
    api: Api, grace: str, route: str, fields: dict[str, Any], error: tuple[str, str]
) -> None:
    document = {"email": "ada@example.com"} | fields
    named = document if route == "minimal patch" else document | {"given_name": "Ada"}

    _assert_rejected(ROUTES[route](api, grace, named), route, error)
    assert len(api.get("/customers").json_body["items"]) == 1


@pytest.mark.parametrize("route", [*ROUTES][:-1])
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"given_name": "\u200b\u3164"}, ("/given_name", "blank")),
        ({"given_name": "Ada\u202e"}, ("/given_name", "invisible-character")),
        ({"company_name": "a\uffff"}, ("/company_name", "noncharacter")),
        ({"metadata": {"k": "\u2060"}}, ("/metadata/k", "blank")),
        ({"addresses": [{"line1": "1", "country": "UK"}]}, ("/addresses/0/country", "country")),
    ],
)
def test_invalid_value_is_rejected_on_every_route(
    api: Api, grace: str, route: str, fields: dict[str, Any], error: tuple[str, str]
) -> None:
    _assert_rejected(ROUTES[route](api, grace, ADA | fields), route, error)


def _assert_rejected(answer: HTTPResponse, route: str, error: tuple[str, str]) -> None:
    pointer, code = error
    place = f"/items/0{pointer}" if route == "batch" else pointer
    assert_problem(answer, 400, "validation-error", (place, code))


@pytest.mark.parametrize("route", ROUTES)
def test_pasted_values_are_normalized_on_every_route(api: Api, grace: str, route: str) -> None:
    sent = {
        "email": "ada@example.com\u200b",
        "phone": "\u202a+44\u00a0(0)20\u20117946 ００００\u202c",
        "locale": "EN-gb",
    }
    named = {} if route == "minimal patch" else {"given_name": "می\u200cخواهم 👨\u200d👩\u200d👧"}

    answer = ROUTES[route](api, grace, sent | named)

    assert answer.status_code in {200, 201, 204}
    for query in ("email=ada@example.com", "phone=+44 (0)20 7946 0000", "phone=+442079460000"):
        (found,) = api.get(f"/customers?{quote(query, safe='=')}").json_body["items"]
        stored = {name: found[name] for name in (*sent, *named)}
        assert stored == {
            **named,
            "email": "ada@example.com",
            "phone": "+442079460000",
            "locale": "en-GB",
        }


def test_emails_that_unicode_folds_to_the_same_text_are_one_address(api: Api) -> None:
    lower, upper = "νίκος.παππάς1@example.gr", "ΝΊΚΟΣ.ΠΑΠΠΆΣ1@example.gr"
    one, other = ({"email": email, "given_name": "Νίκος"} for email in (lower, upper))

    both = api.post("/customers/batch", {"items": [one, other]})
    assert_problem(both, 400, "validation-error", ("/items/1/email", "repeated"))
    assert api.post("/customers", one).status_code == 201
    assert_problem(api.post("/customers", other), 409, "email-taken", ("/email", "taken"))
    for email in (lower, upper):
        assert len(api.get(f"/customers?email={quote(email)}").json_body["items"]) == 1


def test_byte_order_mark_before_the_body_is_ignored(api: Api) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(ADA).encode()

    assert api.request("POST", "/customers", body).status_code == 201
    assert_problem(api.request("POST", "/customers", b"\xef\xbb\xbf" * 2), 400, "malformed-json")
