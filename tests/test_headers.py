"""Response headers, content negotiation and CORS."""

import re

import pytest

from chalicelib.http import headers, routing
from tests.api import ADA, Api, assert_problem

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
ORIGIN = "https://shop.example.com"
EVERYWHERE = [
    ("GET", "/health", 200),
    ("GET", "/customers", 200),
    ("POST", "/customers", 400),
    ("GET", UNKNOWN, 404),
    ("DELETE", "/customers", 405),
    ("OPTIONS", "/customers", 204),
    ("GET", "/customers?x=1", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_every_response_has_security_headers(api: Api, method: str, path: str, status: int) -> None:
    answer = api.request(method, path, b"{")

    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert {"Authorization", "Origin"} <= set(answer.headers["Vary"].split(", "))


def test_cache_control_of_customers_and_errors(api: Api) -> None:
    """Only clients may cache a customer, and must revalidate it. Other responses aren't cached."""
    path = api.post("/customers", ADA).headers["Location"]

    kept = [api.get(target).headers["Cache-Control"] for target in (path, "/customers", UNKNOWN)]

    assert kept == ["private, no-cache", "no-store", "no-store"]
    assert api.get("/health").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/openapi.json", "/problems"])
def test_public_pages_may_be_cached_by_anyone(api: Api, path: str) -> None:
    assert api.get(path).headers["Cache-Control"] == "public, max-age=300"


# --- request ids -----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_every_response_has_a_request_id(api: Api, method: str, path: str, status: int) -> None:
    first, second = (api.request(method, path, b"{") for _ in range(2))

    assert first.status_code == status
    assert first.headers["Request-Id"] != second.headers["Request-Id"]
    assert re.fullmatch("[0-9a-f-]{36}", first.headers["Request-Id"])
    if status >= 400:
        assert first.json_body["request_id"] == first.headers["Request-Id"]


def test_valid_request_id_of_the_client_is_echoed(api: Api) -> None:
    for valid in ("order-17", "8e03978e-40d5-43dd-bc93-6894a57f9324", "a.b:c_d", "x" * 64):
        answer = api.get(UNKNOWN, request_id=valid)
        assert answer.headers["Request-Id"] == answer.json_body["request_id"] == valid


@pytest.mark.parametrize(
    "invalid", ["", "x" * 65, "a b", "a\nb", "ada@example.com", "<b>", "é", "a,b"]
)
def test_invalid_request_id_of_the_client_is_replaced(api: Api, invalid: str) -> None:
    assert re.fullmatch(
        "[0-9a-f-]{36}", api.get("/health", request_id=invalid).headers["Request-Id"]
    )


# --- negotiation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "Application/JSON",
        "application/*",
        "",
        " ",
        "text/html, application/json;q=0.1",
        "TEXT/HTML,*/*;q=0.8",
        "application/json; charset=utf-8",
        "application/json;q=nonsense",
        "application/json;q=1.2.3",
        "text/*;q=0, */*",
    ],
)
def test_accept_header_that_allows_json_succeeds(api: Api, accept: str) -> None:
    assert api.get("/health", accept=accept).status_code == 200


def test_media_type_without_a_quality_has_quality_1() -> None:
    offered = ("application/json", "text/html")

    assert headers.preferred("text/html, application/json;q=1", offered) == "application/json"


@pytest.mark.parametrize(("others", "expected"), [(49, "text/html"), (50, None)])
def test_only_the_first_media_ranges_count(others: int, expected: str | None) -> None:
    accept = "a/b, " * others + "text/html"

    assert headers.preferred(accept, ("text/html",)) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml, text/*",
        "application/json;q=0",
        "application/json;q=0, */*",
        "*/*;q=0.000",
        "application/*;q=0, */*",
        "nonsense",
        ";;;,,,",
    ],
)
def test_accept_header_that_excludes_json_returns_406(api: Api, accept: str) -> None:
    assert_problem(api.get("/health", accept=accept), 406, "not-acceptable")


@pytest.mark.parametrize("accept", ["application/problem+json", "text/plain", "application/json"])
def test_accept_does_not_matter_for_a_response_without_a_body(api: Api, accept: str) -> None:
    """Generated clients send the only media type of the operation, which is that of problems."""
    path = api.post("/customers", ADA).headers["Location"]
    minimal = {"accept": accept, "prefer": "return=minimal"}

    assert api.patch(path, {"status": "inactive"}, **minimal).status_code == 204
    assert api.put(path, ADA, if_match="*", **minimal).status_code == 204
    assert api.delete(path, accept=accept).status_code == 204
    restored = api.post(f"{path}/restore", **minimal)
    assert restored.status_code == 204
    erase = api.request("POST", f"{path}/erase", headers={"Accept": accept})
    assert erase.status_code == 204


def test_accept_still_matters_for_a_response_with_a_body(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]

    answer = api.patch(path, {"status": "inactive"}, accept="text/plain")

    assert_problem(answer, 406, "not-acceptable")
    assert api.get(path).json_body["version"] == 1


# --- CORS ------------------------------------------------------------------------------------


@pytest.fixture
def origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow two origins."""
    monkeypatch.setenv("CORS_ORIGINS", f"https://admin.example.com {ORIGIN}")
    routing.settings.cache_clear()


@pytest.mark.usefixtures("origins")
@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_allowed_origin_gets_cors_headers(api: Api, method: str, path: str, status: int) -> None:
    for origin in (ORIGIN, "https://admin.example.com"):
        answer = api.request(method, path, b"{", {"Origin": origin})
        assert answer.status_code in {status, 415}
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert {
            *("Allow", "ETag", "Idempotency-Replayed", "Link", "Location", "Preference-Applied"),
            *("Request-Id", "Retry-After", "WWW-Authenticate"),
            "x-amzn-Remapped-WWW-Authenticate",
        } <= exposed
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.usefixtures("origins")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "null",
        "http://shop.example.com",
        ORIGIN[:-1],
        ORIGIN + ".evil.com",
        "*",
    ],
)
def test_unlisted_origin_gets_no_cors_header(api: Api, origin: str) -> None:
    for method, path, _ in EVERYWHERE:
        answer = api.request(method, path, b"{", {"Origin": origin})
        assert not {"Access-Control-Allow-Origin"} & answer.headers.keys()


def test_no_origin_is_allowed_by_default(api: Api) -> None:
    answer = api.get("/health", origin=ORIGIN)

    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.usefixtures("origins")
def test_preflight_request_needs_no_token() -> None:
    answer = Api(token="").request(
        "OPTIONS",
        UNKNOWN,
        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"},
    )

    assert (answer.status_code, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    methods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"}
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
    assert set(answer.headers["Allow"].split(", ")) == methods
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert {
        *("Authorization", "Content-Type", "If-Match", "If-None-Match"),
        *("Idempotency-Key", "Prefer", "Request-Id"),
        *("baggage", "traceparent", "tracestate", "X-Amzn-Trace-Id"),
    } <= allowed


def test_problems_page_is_html(api: Api) -> None:
    page = api.get("/problems", accept="text/html")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'<h2 id="email-taken">' in page.body
    assert_problem(api.get("/problems", accept="application/json"), 406, "not-acceptable")


def test_encoded_body_is_rejected(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = api.request("POST", "/customers", b"{}", headers)

    assert_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept-Encoding"] == "identity"
    headers["Content-Encoding"] = "identity"
    assert api.request("POST", "/customers", b"{}", headers).status_code == 400


@pytest.mark.parametrize(
    ("method", "header", "accepted"),
    [
        ("POST", "Accept-Post", "application/json"),
        ("PATCH", "Accept-Patch", "application/merge-patch+json, application/json"),
        ("PUT", None, None),
    ],
)
def test_rejected_media_type_names_the_accepted_ones(
    api: Api, method: str, header: str | None, accepted: str | None
) -> None:
    path = "/customers" if method == "POST" else UNKNOWN

    answer = api.request(method, path, b"x", {"Content-Type": "text/plain", "If-Match": "*"})

    assert_problem(answer, 415, "unsupported-media-type")
    offered = {name: value for name, value in answer.headers.items() if name.startswith("Accept-")}
    assert offered == ({header: accepted} if header else {})
