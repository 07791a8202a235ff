"""Create, read, replace, update and delete customers by their external ids."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from chalice.test import Client, HTTPResponse

import app
from app import SCOPES
from chalicelib.database import DatabaseUnavailable
from tests import tokens
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

PATH = "/customers/by-external-id/crm-1"
PARALLEL = 50
UNUSUAL = [
    "a/b",
    "/",
    "//",
    "a%2Fb",
    "%",
    "%25",
    "100%",
    "...",
    "a.b",
    ".",
    "..",
    "../x",
    "a b",
    "a+b",
    "a?b#c",
    "a;b=c",
    "é",
    "日本語",
    "👩‍👩‍👧",
    "restore",
    "by-external-id",
    '"\\',
    "{x}",
    "x" * 100,
    "AX",
]


def path_of(external_id: str) -> str:
    return f"/customers/by-external-id/{quote(external_id, safe='')}"


@pytest.fixture
def created(api: Api) -> HTTPResponse:
    return api.put(PATH, ADA)


def test_put_creates_the_customer(api: Api, created: HTTPResponse) -> None:
    customer = created.json_body
    own_path = f"/customers/{customer['id']}"

    assert created.status_code == 201
    assert customer["external_id"] == "crm-1"
    assert created.headers["Location"] == created.headers["Content-Location"] == own_path
    assert created.headers["ETag"] == f'"v1-{customer["id"]}"'
    assert api.get(own_path).json_body == customer


def test_put_replaces_the_customer(api: Api, created: HTTPResponse) -> None:
    api.patch(PATH, {"company_name": "Engines"})

    replaced = api.put(PATH, ADA | {"family_name": "King"})

    assert replaced.status_code == 200
    assert replaced.headers["Content-Location"] == created.headers["Location"]
    assert "Location" not in replaced.headers
    customer = replaced.json_body
    assert (customer["version"], customer["company_name"]) == (3, None)
    assert api.get(created.headers["Location"]).json_body == customer


def test_repeated_put_changes_nothing(api: Api, created: HTTPResponse) -> None:
    again = api.put(PATH, ADA)

    assert (again.status_code, again.json_body) == (200, created.json_body)


def test_get_and_head_find_the_customer(api: Api, created: HTTPResponse) -> None:
    found = api.get(PATH)
    head = api.request("HEAD", PATH)

    assert (found.status_code, found.json_body) == (200, created.json_body)
    assert (head.status_code, head.body) == (200, b"")
    for name in ("ETag", "Content-Location"):
        assert found.headers[name] == head.headers[name] == created.headers[name]
    assert api.get(PATH + "?fields=email").json_body == {"email": ADA["email"]}


def test_read_is_conditional(api: Api, created: HTTPResponse) -> None:
    tag = created.headers["ETag"]
    partial = api.get(PATH + "?fields=email").headers["ETag"]

    assert api.get(PATH, if_none_match=tag).status_code == 304
    assert api.get(PATH + "?fields=email", if_none_match=partial).status_code == 304
    assert api.get(PATH, if_none_match='"v1"').status_code == 200
    assert api.get(PATH, if_match=tag).status_code == 200
    assert_problem(api.get(PATH, if_match='"v1"'), 412, "precondition-failed")


@pytest.mark.exhaustive
@pytest.mark.parametrize("external_id", UNUSUAL)
def test_every_external_id_has_a_path(api: Api, external_id: str) -> None:
    path = path_of(external_id)

    assert api.put(path, ADA).status_code == 201
    assert api.get(path).json_body["external_id"] == external_id
    assert api.patch(path, {"locale": "en"}).status_code == 200
    listed = api.get(f"/customers?external_id={quote(external_id, safe='')}").json_body["items"]
    assert [item["locale"] for item in listed] == ["en"]
    assert api.delete(path).status_code == 204


@pytest.mark.parametrize("external_id", UNUSUAL)
def test_every_external_id_has_a_path_in_chalice_local(api: Api, external_id: str) -> None:
    """Chalice's own gateway serves `chalice local`, and its tests."""
    del api
    client = Client(app.app, stage_name="local")
    headers = {"Authorization": f"Bearer {tokens.token(*SCOPES)}"}
    body = b'{"email": "ada@example.com", "given_name": "Ada"}'

    sent = {**headers, "Content-Type": "application/json"}
    created = client.http.put(path_of(external_id), headers=sent, body=body)

    assert (created.status_code, created.json_body["external_id"]) == (201, external_id)


@pytest.mark.parametrize("parameter", ["a%2Fb%2520c", "a/b%20c"])
@pytest.mark.parametrize("prefix", ["/customers", "/prod/customers", "/base/path/customers"])
def test_external_id_comes_from_the_path_of_the_event(
    api: Api, prefix: str, parameter: str
) -> None:
    """Recorded events of REST APIs have encoded pathParameters, and others are said to decode."""
    created = api.put("/customers/by-external-id/a%2Fb%2520c", ADA).json_body
    route = "/customers/by-external-id/{external_id}"
    event = {
        "resource": route,
        "path": "/customers/by-external-id/a%2Fb%2520c",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {"external_id": parameter},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route,
            "httpMethod": "GET",
            "path": f"{prefix}/by-external-id/a%2Fb%2520c",
            "authorizer": {"principalId": "ada", "scopes": "customers:read", "expires": "9" * 10},
        },
        "body": None,
        "isBase64Encoded": False,
    }

    answer = app.app(event, None)

    assert answer["statusCode"] == 200
    assert created["external_id"] == "a/b%20c"
    assert f'"id":"{created["id"]}"' in answer["body"]
    assert answer["headers"]["Content-Location"] == f"{prefix}/{created['id']}"


def test_external_id_is_normalized_as_in_a_body(api: Api) -> None:
    created = api.put(path_of("  e\u0301 "), ADA).json_body

    assert created["external_id"] == "\u00e9"
    assert api.get(path_of("\u00e9")).json_body == created


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("%20", "blank"),
        ("%00", "control-character"),
        ("%FF", "control-character"),
        ("x" * 101, "too-long"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_invalid_external_id_is_rejected(api: Api, method: str, path: str, code: str) -> None:
    body = b'{"email": "ada@example.com", "given_name": "Ada"}' if method == "PUT" else b""

    answer = api.request(method, f"/customers/by-external-id/{path}", body)

    assert_problem(answer, 400, "validation-error", ("external_id", code))


@pytest.mark.parametrize("other", ["crm-2", None])
def test_body_must_not_have_another_external_id(api: Api, other: str | None) -> None:
    answer = api.put(PATH, ADA | {"external_id": other})

    assert_problem(answer, 400, "validation-error", ("/external_id", "mismatch"))
    assert api.put(PATH, ADA | {"external_id": " crm-1 "}).status_code == 201


def test_customer_that_was_read_can_be_put(api: Api, created: HTTPResponse) -> None:
    assert api.put(PATH, api.get(PATH).json_body).json_body == created.json_body


def test_if_none_match_only_creates(api: Api) -> None:
    created = api.put(PATH, ADA, if_none_match="*")

    assert created.status_code == 201
    other = api.put(PATH, ADA | {"given_name": "Augusta"}, if_none_match="*")
    assert_problem(other, 412, "precondition-failed")
    assert api.get(PATH).json_body == created.json_body


def test_repeated_creation_gets_the_first_response(api: Api) -> None:
    first, again = (api.put(PATH, ADA, if_none_match="*") for _ in range(2))

    assert again.status_code == first.status_code == 201
    assert again.json_body == first.json_body
    assert again.headers["ETag"] == first.headers["ETag"]
    api.patch(PATH, {"locale": "en"})
    assert_problem(api.put(PATH, ADA, if_none_match="*"), 412, "precondition-failed")


def test_creation_by_another_request_is_not_a_retry(api: Api, created: HTTPResponse) -> None:
    del created

    assert_problem(api.put(PATH, ADA, if_none_match="*"), 412, "precondition-failed")


def test_if_match_only_replaces(api: Api) -> None:
    for tag in ("*", '"v1"'):
        assert_problem(api.put(PATH, ADA, if_match=tag), 412, "precondition-failed")
    tag = api.put(PATH, ADA).headers["ETag"]
    change = ADA | {"given_name": "Augusta"}

    first, retry = (api.put(PATH, change, if_match=tag) for _ in range(2))

    assert first.status_code == retry.status_code == 200
    assert first.json_body == retry.json_body
    assert_problem(api.put(PATH, ADA, if_match=tag), 412, "precondition-failed")
    assert api.put(PATH, ADA, if_match="*").status_code == 200


@pytest.mark.parametrize("tag", ["*", '"v1"'])
def test_preconditions_that_exclude_each_other_fail(api: Api, tag: str) -> None:
    answer = api.put(PATH, ADA, if_none_match="*", if_match=tag)

    assert_problem(answer, 412, "precondition-failed")


def test_put_with_another_if_none_match_is_rejected(api: Api) -> None:
    answer = api.put(PATH, ADA, if_none_match='"v1"')

    assert_problem(answer, 400, "validation-error", ("If-None-Match", "method"))


def test_tag_of_the_customer_that_had_the_external_id_before_never_matches(
    api: Api, created: HTTPResponse
) -> None:
    """Both customers have version 1."""
    api.delete(PATH)
    api.put(PATH, ADA)
    tag = created.headers["ETag"]

    assert api.get(PATH, if_none_match=tag).status_code == 200
    assert_problem(api.put(PATH, ADA, if_match=tag), 412, "precondition-failed")
    assert_problem(api.patch(PATH, {"locale": "en"}, if_match=tag), 412, "precondition-failed")
    assert_problem(api.delete(PATH, if_match=tag), 412, "precondition-failed")
    assert api.get(PATH).json_body["version"] == 1


def test_tag_also_identifies_the_version_by_id(api: Api, created: HTTPResponse) -> None:
    path, tag = created.headers["Location"], created.headers["ETag"]

    assert api.patch(path, {"locale": "en"}, if_match=tag).status_code == 200


def test_patch_updates_and_renames(api: Api, created: HTTPResponse) -> None:
    tag = created.headers["ETag"]

    renamed, retry = (api.patch(PATH, {"external_id": "crm-2"}, if_match=tag) for _ in range(2))

    assert renamed.status_code == retry.status_code == 200
    assert renamed.json_body == retry.json_body
    assert renamed.headers["Content-Location"] == created.headers["Location"]
    assert_problem(api.patch(PATH, {"locale": "en"}), 404, "customer-not-found")
    assert api.get(path_of("crm-2")).json_body == renamed.json_body


def test_delete_frees_the_external_id(api: Api, created: HTTPResponse) -> None:
    tag = created.headers["ETag"]

    assert [api.delete(PATH, if_match=tag).status_code for _ in range(2)] == [204, 204]

    assert_problem(api.delete(PATH), 404, "customer-not-found")
    assert_problem(api.get(PATH), 404, "customer-not-found")
    assert api.put(PATH, ADA).status_code == 201
    restored = api.post(f"{created.headers['Location']}/restore")
    assert_problem(restored, 409, "email-taken", ("/email", "taken"), ("/external_id", "taken"))


def test_minimal_response(api: Api, created: HTTPResponse) -> None:
    answer = api.put(PATH, ADA | {"locale": "en"}, prefer="return=minimal")

    assert (answer.status_code, answer.body) == (204, b"")
    assert answer.headers["Content-Location"] == created.headers["Location"]
    assert answer.headers["Preference-Applied"] == "return=minimal"


def test_email_of_another_customer_is_a_conflict(api: Api) -> None:
    api.post("/customers", ADA)
    answer = api.put(PATH, ADA)

    assert_problem(answer, 409, "email-taken", ("/email", "taken"))


@pytest.mark.parametrize("statement", ["INSERT", "UPDATE"])
def test_put_can_be_repeated_if_its_outcome_is_unknown(
    api: Api, database: Recorded, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """The database applies the statement, and then becomes unavailable."""
    if statement == "UPDATE":
        api.put(PATH, ADA)
    body = ADA | {"locale": "en"}
    run = database._database._run
    lost: list[str] = []

    def lose(sql: str, parameters: Any) -> Any:
        result = None if lost else run(sql, parameters)
        if lost or sql.startswith(statement):
            lost.append(sql)
            raise DatabaseUnavailable("lost")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(database, "_run", lose)
        assert_problem(api.put(PATH, body), 503, "service-unavailable")

    repeated = api.put(PATH, body)

    assert repeated.status_code == 200
    assert repeated.json_body["version"] == 1 + (statement == "UPDATE")


@pytest.mark.parametrize("is_same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("exists", [True, False], ids=["existing", "new"])
@pytest.mark.usefixtures("parallel")
def test_parallel_puts_make_one_customer(
    api: Api, database: Recorded, *, is_same: bool, exists: bool
) -> None:
    if exists:
        api.put(PATH, ADA)

    def put(n: int) -> int:
        return Api().put(PATH, ADA | {"given_name": "Ada" if is_same else f"Ada {n}"}).status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = sorted(pool.map(put, range(PARALLEL)))

    assert statuses == [200] * (PARALLEL - 1) + [200 if exists else 201]
    (row,) = database.fetch_all("SELECT external_id, version FROM customers")
    assert row["external_id"] == "crm-1"
    assert is_same is (row["version"] == 1)


@pytest.mark.usefixtures("api", "parallel")
def test_parallel_creations_make_one_customer(database: Recorded) -> None:
    def put(n: int) -> int:
        body = ADA | {"given_name": f"Ada {n}"}
        return Api().put(PATH, body, if_none_match="*").status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = sorted(pool.map(put, range(PARALLEL)))

    assert statuses == [201] + [412] * (PARALLEL - 1)
    assert len(database.fetch_all("SELECT id FROM customers")) == 1
