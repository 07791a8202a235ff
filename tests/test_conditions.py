"""Conditional requests: 304 for cached versions, 412 for outdated ones, and retried writes."""

import json
from typing import Any

import pytest

from chalicelib.http import preconditions
from tests import tokens
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
GRACE = {"email": "grace@example.com", "given_name": "Grace"}


@pytest.fixture
def path(api: Api) -> str:
    return api.post("/customers", ADA).headers["Location"]


def put(api: Api, path: str, document: object, etag: str, **headers: str) -> Any:
    return api.put(path, document, if_match=etag, **headers)


# --- reading ---------------------------------------------------------------------------------


def test_tag_of_some_fields_names_them() -> None:
    assert preconditions.etag(1) == '"v1"'
    assert preconditions.etag(1, {"phone", "email"}) == '"v1.email.phone"'


@pytest.mark.parametrize(
    "if_none_match", ['"v1"', 'W/"v1"', '"v2", "v1"', '"x",, W/"v1" ,', "*", " * ", ' "v1" ']
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match_with_current_version_returns_304(
    api: Api, path: str, method: str, if_none_match: str
) -> None:
    whole = api.get(path)

    answer = api.request(method, path, headers={"If-None-Match": if_none_match})

    assert (answer.status_code, answer.body) == (304, b"")
    assert answer.headers["ETag"] == whole.headers["ETag"] == '"v1"'
    assert answer.headers["Cache-Control"] == whole.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == whole.headers["Vary"]
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("if_none_match", ['"v2"', '"V1"', '"v1.email"', '"v"', '"xv1x"'])
def test_if_none_match_with_other_version_returns_200(
    api: Api, path: str, if_none_match: str
) -> None:
    assert api.get(path, if_none_match=if_none_match).status_code == 200


@pytest.mark.parametrize("tags", ['W/"v1"', '"v7", W/"v1"'])
def test_weak_if_match_is_named(api: Api, path: str, tags: str) -> None:
    """Proxies that compress responses make their ETags weak, and weak ones never match."""
    answers = [
        api.get(path, if_match=tags),
        api.patch(path, {"status": "inactive"}, if_match=tags),
        api.put(path, ADA, if_match=tags),
        api.delete(path, if_match=tags),
        api.request("POST", f"{path}/erase", headers={"If-Match": tags}),
        api.request("POST", f"{path}/restore", headers={"If-Match": tags}),
    ]

    for answer in answers:
        assert_problem(answer, 412, "precondition-failed")
        assert "weak ETag (W/)" in answer.json_body["detail"]
        assert "Send the ETag without W/." in answer.json_body["detail"]
    stale = api.delete(path, if_match='"v7"')
    assert "weak" not in stale.json_body["detail"]
    unknown = api.delete(path[:-4] + "0000", if_match=tags)
    assert_problem(unknown, 404, "customer-not-found")


@pytest.mark.parametrize("tag", ["v1", 'w/"v1"', '"v1', 'v1"', '"v1" x', '"v 1"', "", '""v1""x'])
def test_malformed_entity_tag_is_rejected(api: Api, path: str, tag: str) -> None:
    for header in ("If-None-Match", "If-Match"):
        method = "GET" if header == "If-None-Match" else "DELETE"
        answer = api.request(method, path, headers={header: tag})
        assert_problem(answer, 400, "validation-error", (header, "entity-tag"))
    assert api.get(path).status_code == 200


def test_if_none_match_on_unknown_customer_returns_404(api: Api) -> None:
    assert_problem(api.get(UNKNOWN, if_none_match="*"), 404, "customer-not-found")


def test_each_response_with_a_customer_has_its_etag(api: Api) -> None:
    created = api.post("/customers", ADA)
    path = created.headers["Location"]
    patched = api.patch(path, {"locale": "en"})
    replaced = put(api, path, GRACE, '"v2"')

    assert [
        response.headers["ETag"] for response in (created, patched, replaced, api.get(path))
    ] == [
        '"v1"',
        '"v2"',
        '"v3"',
        '"v3"',
    ]


# --- replacing -------------------------------------------------------------------------------


def test_put_replaces_everything_in_one_statement(api: Api, path: str, database: Recorded) -> None:
    before = api.patch(path, {"phone": "+442079460000", "metadata": {"a": "b"}}).json_body
    database.statements.clear()

    answer = put(api, path, GRACE, '"v2"')

    assert len(database.statements) == 1
    assert answer.status_code == 200
    assert answer.json_body == before | GRACE | {
        "family_name": None,
        "phone": None,
        "metadata": {},
        "version": 3,
        "updated_at": answer.json_body["updated_at"],
    }
    assert api.get(path).body == answer.body


def test_put_accepts_a_customer_as_it_was_read(api: Api, path: str) -> None:
    """Read-only fields may be sent back unchanged; without a change, there is no new version."""
    whole = api.get(path)

    same = put(api, path, whole.json_body, whole.headers["ETag"])
    changed = put(api, path, whole.json_body | GRACE, whole.headers["ETag"])

    assert (same.status_code, same.body, same.headers["ETag"]) == (200, whole.body, '"v1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"v2"')


@pytest.mark.parametrize("if_match", ["*", '"v1", "v7"'])
def test_put_over_any_version_accepts_a_customer_as_it_was_read(
    api: Api, path: str, if_match: str
) -> None:
    changed = put(api, path, api.get(path).json_body | GRACE, if_match)

    assert (changed.status_code, changed.headers["ETag"]) == (200, '"v2"')
    assert changed.json_body["email"] == GRACE["email"]


@pytest.mark.parametrize(
    "change",
    [
        {"given_name": "ada"},
        {"given_name": "Áda"},
        {"email": "Ada@example.com"},
        {"metadata": {"a": "B"}},
        {"metadata": {"A": "b"}},
        {"addresses": [{"line1": "1 High St", "country": "GB", "type": "home"}]},
        {"addresses": [{"line1": "1 high st", "country": "GB"}]},
        {"addresses": [{"line1": "2", "country": "GB"}, {"line1": "1 High St", "country": "GB"}]},
        {"phone": None},
        {"status": "inactive"},
    ],
)
def test_smallest_change_creates_a_version(api: Api, change: dict[str, Any]) -> None:
    """The database's collation treats some of these values as equal."""
    address = {"line1": "1 High St", "country": "GB"}
    whole = ADA | {"phone": "+442079460000", "metadata": {"a": "b"}, "addresses": [address]}
    created = api.post("/customers", whole)
    path = created.headers["Location"]

    same = put(api, path, whole, '"v1"')
    changed = put(api, path, whole | change, '"v1"')

    assert same.body == created.body
    assert changed.json_body["version"] == 2
    assert api.get(path).body == changed.body


def test_order_of_metadata_keys_is_no_change(api: Api, path: str) -> None:
    api.patch(path, {"metadata": {"a": "1", "b": "2"}})

    same = put(api, path, ADA | {"metadata": {"b": "2", "a": "1"}}, '"v2"')

    assert same.json_body["version"] == 2


def test_put_accepts_read_only_times_in_other_formats(api: Api, path: str) -> None:
    """Clients parse times and serialize them in their own format."""
    whole = api.get(path).json_body
    for name in ("created_at", "updated_at"):
        whole[name] = whole[name].replace("Z", "000+00:00")

    assert put(api, path, whole, '"v1"').headers["ETag"] == '"v1"'
    assert put(api, path, whole, "*").headers["ETag"] == '"v1"'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", UNKNOWN.rpartition("/")[2]),
        ("version", 2),
        ("created_at", "2020-01-01T00:00:00.000Z"),
        ("created_at", "yesterday"),
        ("created_at", "2020-01-01"),
        ("created_at", 0),
        ("deleted_at", "2020-01-01T00:00:00.000Z"),
        ("purge_at", "2020-01-01T00:00:00.000Z"),
    ],
)
@pytest.mark.parametrize("if_match", ['"v1"', "*"])
def test_put_rejects_changed_read_only_fields(
    api: Api, path: str, field: str, value: object, if_match: str
) -> None:
    answer = put(api, path, ADA | {field: value}, if_match)

    assert_problem(answer, 400, "validation-error", (f"/{field}", "read-only"))


def test_put_without_if_match_returns_428(api: Api, path: str) -> None:
    assert_problem(api.put(path, GRACE), 428, "precondition-required")
    assert api.get(path).json_body["given_name"] == "Ada"


@pytest.mark.parametrize(
    "if_match",
    ['"v2"', 'W/"v1"', '"other"', '"v2", "v3"', '"v0"', '"v01"', '"v99999999999999999999"'],
)
def test_put_with_other_version_returns_412(api: Api, path: str, if_match: str) -> None:
    assert_problem(put(api, path, GRACE, if_match), 412, "precondition-failed")
    assert api.get(path).headers["ETag"] == '"v1"'


@pytest.mark.parametrize("if_match", ['"v1"', '"v7", "v1"', "*", " * ", '"v1.email.id"'])
def test_put_with_current_version_succeeds(api: Api, path: str, if_match: str) -> None:
    assert put(api, path, GRACE, if_match).status_code == 200


def test_put_with_current_version_among_several_succeeds(api: Api, path: str) -> None:
    api.patch(path, {"locale": "en"})

    assert put(api, path, GRACE, '"v1", "v2"').headers["ETag"] == '"v3"'


def test_put_unknown_customer_returns_404(api: Api) -> None:
    for if_match in ('"v1"', "*", '"v1", "v2"'):
        assert_problem(put(api, UNKNOWN, GRACE, if_match), 404, "customer-not-found")
    assert_problem(put(api, "/customers/none", GRACE, "*"), 404, "customer-not-found")


def test_put_with_email_or_external_id_in_use_returns_409(api: Api, path: str) -> None:
    api.post("/customers", GRACE | {"external_id": "crm-1"})

    for document, problem in (
        (ADA | {"email": "GRACE@example.com"}, "email-taken"),
        (ADA | {"external_id": "crm-1"}, "external-id-taken"),
    ):
        field = "email" if problem == "email-taken" else "external_id"
        assert_problem(put(api, path, document, '"v1"'), 409, problem, (f"/{field}", "taken"))


def test_put_reports_every_invalid_field(api: Api, path: str) -> None:
    assert_problem(
        put(api, path, {"status": "none"}, '"v1"'),
        400,
        "validation-error",
        ("/email", "required"),
        ("/status", "choice"),
    )


# --- retried writes --------------------------------------------------------------------------


def test_retried_put_returns_the_same_response(api: Api, path: str) -> None:
    first = put(api, path, GRACE, '"v1"')
    again = put(api, path, GRACE, '"v1"')
    other = put(api, path, ADA, '"v1"')

    assert (again.status_code, again.body) == (200, first.body)
    assert_problem(other, 412, "precondition-failed")


@pytest.mark.parametrize("headers", [{}, {"prefer": "return=minimal"}])
def test_retried_patch_returns_the_same_response(
    api: Api, path: str, headers: dict[str, str]
) -> None:
    first = api.patch(path, {"locale": "en"}, if_match='"v1"', **headers)
    again = api.patch(path, {"locale": "en"}, if_match='"v1"', **headers)
    other = api.patch(path, {"locale": "fr"}, if_match='"v1"', **headers)

    assert (again.status_code, again.body) == (first.status_code, first.body)
    assert again.headers["ETag"] == first.headers["ETag"] == '"v2"'
    assert_problem(other, 412, "precondition-failed")
    assert api.get(path).json_body["locale"] == "en"


def test_invalid_patch_is_rejected_before_the_version_is_compared(api: Api, path: str) -> None:
    patches: tuple[object, ...] = ([], {"email": 7}, {"unknown": 1})
    for patch in patches:
        assert api.patch(path, patch, if_match='"v7"').status_code == 400


def test_similar_change_is_not_a_retry(api: Api, path: str) -> None:
    """Otherwise, the client would get the new ETag without knowing the other change."""
    api.patch(path, {"locale": "en", "phone": "+442079460000"}, if_match='"v1"')

    for headers in ({}, {"prefer": "return=minimal"}):
        for patch in ({"locale": "en"}, {"phone": "+44 20 7946 0000"}, {}, {"status": "active"}):
            answer = api.patch(path, patch, if_match='"v1"', **headers)
            assert_problem(answer, 412, "precondition-failed")


def test_same_change_by_another_caller_is_not_a_retry(api: Api, path: str) -> None:
    other = Api(tokens.issuer().token(sub="another"))

    assert api.patch(path, {"locale": "en"}, if_match='"v1"').status_code == 200
    assert_problem(other.patch(path, {"locale": "en"}, if_match='"v1"'), 412, "precondition-failed")


def test_retry_after_another_change_returns_412(api: Api, path: str) -> None:
    """After another change, the API can't tell whether the first attempt was applied."""
    put(api, path, GRACE, '"v1"')
    api.patch(path, {"locale": "en"})
    api.patch(path, {"locale": None})

    assert_problem(put(api, path, GRACE, '"v1"'), 412, "precondition-failed")


# --- conditions meant for other methods -------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "restore", "erase"])
def test_write_with_if_none_match_is_rejected(api: Api, path: str, method: str) -> None:
    """No condition is ignored: `If-None-Match: *` forbids a write to an existing customer."""

    def write(if_none_match: str) -> Any:
        headers = {"If-None-Match": if_none_match, "If-Match": "*"}
        target, verb = (path, method) if method.isupper() else (f"{path}/{method}", "POST")
        body = json.dumps(GRACE).encode()
        return api.request(verb, target, body, {"Content-Type": "application/json", **headers})

    assert_problem(write("*"), 412, "precondition-failed")
    assert_problem(write('"v1"'), 400, "validation-error", ("If-None-Match", "method"))
    assert api.get(path).headers["ETag"] == '"v1"'


def test_read_with_if_match_of_other_version_returns_412(api: Api, path: str) -> None:
    assert_problem(api.get(path, if_match='"v2"'), 412, "precondition-failed")
    assert api.get(path, if_match='"v2", "v1"').status_code == 200
    assert api.get(path, if_match="*").status_code == 200


def test_too_many_entity_tags_are_rejected(api: Api, path: str) -> None:
    tags = ", ".join(f'"v{n}"' for n in range(1, 22))

    answer = api.delete(path, if_match=tags)

    assert_problem(answer, 400, "validation-error", ("If-Match", "too-many"))
    assert api.get(path, if_none_match=tags).status_code == 400
    assert api.delete(path, if_match=tags.removesuffix(', "v21"')).status_code == 204


# --- merge patches ---------------------------------------------------------------------------


@pytest.mark.parametrize("if_match", ['"v2"', 'W/"v1"', '"v0"'])
def test_patch_with_other_version_returns_412(api: Api, path: str, if_match: str) -> None:
    for headers in ({}, {"prefer": "return=minimal"}):
        answer = api.patch(path, {"locale": "en"}, if_match=if_match, **headers)
        assert_problem(answer, 412, "precondition-failed")
    assert api.get(path).headers["ETag"] == '"v1"'


def test_minimal_patch_of_independent_fields_is_one_statement(
    api: Api, path: str, database: Recorded
) -> None:
    database.statements.clear()

    answer = api.patch(
        path,
        {"phone": "+44 20 7946 0000", "external_id": "crm-1", "status": "inactive"},
        if_match='"v1"',
        prefer="return=minimal",
    )

    assert len(database.statements) == 1
    assert (answer.status_code, answer.body, answer.headers["ETag"]) == (204, b"", '"v2"')
    assert answer.headers["Preference-Applied"] == "return=minimal"
    assert "Content-Type" not in answer.headers
    customer = api.get(path).json_body
    assert customer["phone"] == "+442079460000"
    assert (customer["external_id"], customer["status"]) == ("crm-1", "inactive")


@pytest.mark.parametrize(
    "patch", [{"metadata": {"a": "b"}}, {"given_name": "Augusta"}, {"locale": "en", "id": None}, {}]
)
def test_minimal_patch_of_other_fields_is_merged(
    api: Api, path: str, patch: dict[str, Any]
) -> None:
    answer = api.patch(path, patch, if_match='"v1"', prefer="return=minimal")

    if patch.keys() == {"locale", "id"}:
        assert_problem(answer, 400, "validation-error", ("/id", "read-only"))
    else:
        assert (answer.status_code, answer.body) == (204, b"")


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        ({"email": None}, ("/email", "null")),
        ({"status": None}, ("/status", "null")),
        ({"status": "gone"}, ("/status", "choice")),
        ({"phone": "12"}, ("/phone", "phone")),
        ({"time_zone": "Mars"}, ("/time_zone", "time-zone")),
    ],
)
def test_minimal_patch_is_validated_like_any_patch(
    api: Api, path: str, patch: dict[str, Any], error: tuple[str, str]
) -> None:
    for headers in ({}, {"if_match": '"v1"', "prefer": "return=minimal"}):
        assert_problem(api.patch(path, patch, **headers), 400, "validation-error", error)


def test_minimal_patch_without_changes_creates_no_version(api: Api, path: str) -> None:
    answer = api.patch(path, {"email": "ada@example.com"}, if_match='"v1"', prefer="return=minimal")

    assert (answer.status_code, answer.headers["ETag"]) == (204, '"v1"')


def test_minimal_patch_to_email_in_use_returns_409(api: Api, path: str) -> None:
    api.post("/customers", GRACE)

    answer = api.patch(
        path, {"email": "grace@example.com"}, if_match='"v1"', prefer="return=minimal"
    )

    assert_problem(answer, 409, "email-taken", ("/email", "taken"))


def test_minimal_patch_of_unknown_customer_returns_404(api: Api) -> None:
    answer = api.patch(UNKNOWN, {"locale": "en"}, if_match='"v1"', prefer="return=minimal")

    assert_problem(answer, 404, "customer-not-found")


@pytest.mark.parametrize(
    ("prefer", "status"),
    [
        ("return=minimal", 204),
        ('return="minimal"', 204),
        ("respond-async, return=minimal; x=1", 204),
        ("Return=Minimal", 204),
        ("return=representation", 200),
        ("return=XXminimal", 200),
        ('nonsense ,;= "', 200),
        ("other; return=minimal", 200),
        ("return=representation, return=minimal", 200),
    ],
)
def test_prefer_header_selects_minimal_responses(
    api: Api, path: str, prefer: str, status: int
) -> None:
    assert api.patch(path, {"locale": "en"}, prefer=prefer).status_code == status
    answer = api.put(path, ADA, if_match="*", prefer=prefer)
    assert answer.status_code == status
    assert ("Preference-Applied" in answer.headers) == (status == 204)


# --- selected fields -------------------------------------------------------------------------


def test_selected_fields_only_are_read(api: Api, path: str, database: Recorded) -> None:
    whole = api.get(path).json_body
    database.statements.clear()

    part = api.get(f"{path}?fields=id,email,id")

    assert list(part.json_body.items()) == [(name, whole[name]) for name in ("id", "email")]
    assert part.headers["ETag"] == '"v1.email.id"'
    assert "family_name" not in database.statements[0]


def test_selected_fields_have_their_own_etag(api: Api, path: str) -> None:
    """Selected fields are another representation, but If-Match compares only the version."""
    tag = api.get(f"{path}?fields=email").headers["ETag"]

    assert api.get(path, if_none_match=tag).status_code == 200
    assert api.get(f"{path}?fields=id", if_none_match=tag).status_code == 200
    assert api.get(f"{path}?fields=email", if_none_match=tag).status_code == 304
    assert api.patch(path, {"locale": "en"}, if_match=tag).status_code == 200
    assert api.get(f"{path}?fields=email", if_none_match=tag).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [("fields=", "blank"), ("fields=password", "choice"), ("limit=1", "unknown")],
)
def test_invalid_fields_parameter_is_rejected(api: Api, path: str, query: str, code: str) -> None:
    parameter = query.partition("=")[0]

    answer = api.get(f"{path}?{query}")

    assert_problem(answer, 400, "validation-error", (parameter, code))
