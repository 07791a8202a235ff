"""Conditional requests: what is known is not sent again, and what was not seen is not lost."""

import json
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    "if_none_match", ['"v1"', 'W/"v1"', '"v2", "v1"', '"x",, W/"v1" ,', "*", " * ", ' "v1" ']
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_is_not_sent_again(
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
def test_what_has_changed_is_sent(api: Api, path: str, if_none_match: str) -> None:
    assert api.get(path, if_none_match=if_none_match).status_code == 200


@pytest.mark.parametrize("tag", ["v1", 'w/"v1"', '"v1', 'v1"', '"v1" x', '"v 1"', "", '""v1""x'])
def test_entity_tag_that_is_none(api: Api, path: str, tag: str) -> None:
    for header in ("If-None-Match", "If-Match"):
        method = "GET" if header == "If-None-Match" else "DELETE"
        answer = api.request(method, path, headers={header: tag})
        assert_problem(answer, 400, "validation-error", (header, "entity-tag"))
    assert api.get(path).status_code == 200


def test_unknown_customer_has_no_version(api: Api) -> None:
    assert_problem(api.get(UNKNOWN, if_none_match="*"), 404, "customer-not-found")


def test_each_answer_with_a_customer_has_its_etag(api: Api) -> None:
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


def test_what_was_read_can_be_put_back(api: Api, path: str) -> None:
    """Members that the service sets may stay where they are; nothing changes, so no version."""
    whole = api.get(path)

    same = put(api, path, whole.json_body, whole.headers["ETag"])
    changed = put(api, path, whole.json_body | GRACE, whole.headers["ETag"])

    assert (same.status_code, same.body, same.headers["ETag"]) == (200, whole.body, '"v1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"v2"')


@pytest.mark.parametrize("if_match", ["*", '"v1", "v7"'])
def test_what_was_read_can_be_put_back_over_any_version(api: Api, path: str, if_match: str) -> None:
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
def test_smallest_change_is_a_version(api: Api, change: dict[str, Any]) -> None:
    """Though the database's own comparison takes some of these for equal."""
    address = {"line1": "1 High St", "country": "GB"}
    whole = ADA | {"phone": "+4420", "metadata": {"a": "b"}, "addresses": [address]}
    created = api.post("/customers", whole)
    path = created.headers["Location"]

    same = put(api, path, whole, '"v1"')
    changed = put(api, path, whole | change, '"v1"')

    assert same.body == created.body
    assert changed.json_body["version"] == 2
    assert api.get(path).body == changed.body


def test_order_of_members_is_no_change(api: Api, path: str) -> None:
    api.patch(path, {"metadata": {"a": "1", "b": "2"}})

    same = put(api, path, ADA | {"metadata": {"b": "2", "a": "1"}}, '"v2"')

    assert same.json_body["version"] == 2


def test_times_may_be_put_back_in_other_words(api: Api, path: str) -> None:
    """As a client's own time type writes them."""
    whole = api.get(path).json_body
    for name in ("created_at", "updated_at"):
        whole[name] = whole[name].replace("Z", "000+00:00")

    assert put(api, path, whole, '"v1"').headers["ETag"] == '"v1"'
    assert put(api, path, whole, "*").headers["ETag"] == '"v1"'


@pytest.mark.parametrize(
    ("member", "value"),
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
def test_put_of_what_the_service_sets(
    api: Api, path: str, member: str, value: object, if_match: str
) -> None:
    answer = put(api, path, ADA | {member: value}, if_match)

    assert_problem(answer, 400, "validation-error", (f"/{member}", "read-only"))


def test_put_must_say_what_it_replaces(api: Api, path: str) -> None:
    assert_problem(api.put(path, GRACE), 428, "precondition-required")
    assert api.get(path).json_body["given_name"] == "Ada"


@pytest.mark.parametrize(
    "if_match",
    ['"v2"', 'W/"v1"', '"other"', '"v2", "v3"', '"v0"', '"v01"', '"v99999999999999999999"'],
)
def test_put_of_another_version(api: Api, path: str, if_match: str) -> None:
    assert_problem(put(api, path, GRACE, if_match), 412, "precondition-failed")
    assert api.get(path).headers["ETag"] == '"v1"'


@pytest.mark.parametrize("if_match", ['"v1"', '"v7", "v1"', "*", " * ", '"v1.email.id"'])
def test_put_of_this_version(api: Api, path: str, if_match: str) -> None:
    assert put(api, path, GRACE, if_match).status_code == 200


def test_put_of_one_of_several_versions(api: Api, path: str) -> None:
    api.patch(path, {"locale": "en"})

    assert put(api, path, GRACE, '"v1", "v2"').headers["ETag"] == '"v3"'


def test_put_of_nobody(api: Api) -> None:
    for if_match in ('"v1"', "*", '"v1", "v2"'):
        assert_problem(put(api, UNKNOWN, GRACE, if_match), 404, "customer-not-found")
    assert_problem(put(api, "/customers/none", GRACE, "*"), 404, "customer-not-found")


def test_put_of_a_taken_email(api: Api, path: str) -> None:
    api.post("/customers", GRACE | {"external_id": "crm-1"})

    for wrong, problem in (
        (ADA | {"email": "GRACE@example.com"}, "email-taken"),
        (ADA | {"external_id": "crm-1"}, "external-id-taken"),
    ):
        member = "email" if problem == "email-taken" else "external_id"
        assert_problem(put(api, path, wrong, '"v1"'), 409, problem, (f"/{member}", "taken"))


def test_put_is_validated_whole(api: Api, path: str) -> None:
    assert_problem(
        put(api, path, {"status": "none"}, '"v1"'),
        400,
        "validation-error",
        ("/email", "required"),
        ("/status", "choice"),
    )


# --- writes whose answer was lost ------------------------------------------------------------


def test_put_whose_answer_was_lost_can_be_repeated(api: Api, path: str) -> None:
    first = put(api, path, GRACE, '"v1"')
    again = put(api, path, GRACE, '"v1"')
    other = put(api, path, ADA, '"v1"')

    assert (again.status_code, again.body) == (200, first.body)
    assert_problem(other, 412, "precondition-failed")


@pytest.mark.parametrize("headers", [{}, {"prefer": "return=minimal"}])
def test_patch_whose_answer_was_lost_can_be_repeated(
    api: Api, path: str, headers: dict[str, str]
) -> None:
    first = api.patch(path, {"locale": "en"}, if_match='"v1"', **headers)
    again = api.patch(path, {"locale": "en"}, if_match='"v1"', **headers)
    other = api.patch(path, {"locale": "fr"}, if_match='"v1"', **headers)

    assert (again.status_code, again.body) == (first.status_code, first.body)
    assert again.headers["ETag"] == first.headers["ETag"] == '"v2"'
    assert_problem(other, 412, "precondition-failed")
    assert api.get(path).json_body["locale"] == "en"


def test_what_is_wrong_in_itself_is_told_first(api: Api, path: str) -> None:
    wrong: tuple[object, ...] = ([], {"email": 7}, {"unknown": 1})
    for patch in wrong:
        assert api.patch(path, patch, if_match='"v7"').status_code == 400


def test_change_of_another_is_no_repetition(api: Api, path: str) -> None:
    """Though it did what this one wants: with its ETag, the rest of it would be overwritten."""
    api.patch(path, {"locale": "en", "phone": "+442079460000"}, if_match='"v1"')

    for headers in ({}, {"prefer": "return=minimal"}):
        for patch in ({"locale": "en"}, {"phone": "+44 20 7946 0000"}, {}, {"status": "active"}):
            answer = api.patch(path, patch, if_match='"v1"', **headers)
            assert_problem(answer, 412, "precondition-failed")


def test_change_of_another_caller_is_no_repetition(api: Api, path: str) -> None:
    other = Api(tokens.issuer().token(sub="another"))

    assert api.patch(path, {"locale": "en"}, if_match='"v1"').status_code == 200
    assert_problem(other.patch(path, {"locale": "en"}, if_match='"v1"'), 412, "precondition-failed")


def test_repetition_after_another_change_is_refused(api: Api, path: str) -> None:
    """Then it is not known whether the first one was done."""
    put(api, path, GRACE, '"v1"')
    api.patch(path, {"locale": "en"})
    api.patch(path, {"locale": None})

    assert_problem(put(api, path, GRACE, '"v1"'), 412, "precondition-failed")


# --- conditions that are for other methods ----------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "restore", "erase"])
def test_write_for_what_is_not_there(api: Api, path: str, method: str) -> None:
    """No condition is ignored: what is asked for only if there is nothing is not done."""

    def write(if_none_match: str) -> Any:
        headers = {"If-None-Match": if_none_match, "If-Match": "*"}
        target, verb = (path, method) if method.isupper() else (f"{path}/{method}", "POST")
        body = json.dumps(GRACE).encode()
        return api.request(verb, target, body, {"Content-Type": "application/json", **headers})

    assert_problem(write("*"), 412, "precondition-failed")
    assert_problem(write('"v1"'), 400, "validation-error", ("If-None-Match", "method"))
    assert api.get(path).headers["ETag"] == '"v1"'


def test_read_of_another_version(api: Api, path: str) -> None:
    assert_problem(api.get(path, if_match='"v2"'), 412, "precondition-failed")
    assert api.get(path, if_match='"v2", "v1"').status_code == 200
    assert api.get(path, if_match="*").status_code == 200


def test_too_many_entity_tags(api: Api, path: str) -> None:
    tags = ", ".join(f'"v{n}"' for n in range(1, 22))

    answer = api.delete(path, if_match=tags)

    assert_problem(answer, 400, "validation-error", ("If-Match", "too-many"))
    assert api.get(path, if_none_match=tags).status_code == 400
    assert api.delete(path, if_match=tags.removesuffix(', "v21"')).status_code == 204


# --- merge patches ---------------------------------------------------------------------------


@pytest.mark.parametrize("if_match", ['"v2"', 'W/"v1"', '"v0"'])
def test_patch_of_another_version(api: Api, path: str, if_match: str) -> None:
    for headers in ({}, {"prefer": "return=minimal"}):
        answer = api.patch(path, {"locale": "en"}, if_match=if_match, **headers)
        assert_problem(answer, 412, "precondition-failed")
    assert api.get(path).headers["ETag"] == '"v1"'


def test_minimal_patch_of_details_is_one_statement(api: Api, path: str, database: Recorded) -> None:
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
def test_minimal_patch_of_the_rest_is_merged(api: Api, path: str, patch: dict[str, Any]) -> None:
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
def test_minimal_patch_is_validated_as_any(
    api: Api, path: str, patch: dict[str, Any], error: tuple[str, str]
) -> None:
    for headers in ({}, {"if_match": '"v1"', "prefer": "return=minimal"}):
        assert_problem(api.patch(path, patch, **headers), 400, "validation-error", error)


def test_minimal_patch_that_changes_nothing(api: Api, path: str) -> None:
    answer = api.patch(path, {"email": "ada@example.com"}, if_match='"v1"', prefer="return=minimal")

    assert (answer.status_code, answer.headers["ETag"]) == (204, '"v1"')


def test_minimal_patch_of_a_taken_email(api: Api, path: str) -> None:
    api.post("/customers", GRACE)

    answer = api.patch(
        path, {"email": "grace@example.com"}, if_match='"v1"', prefer="return=minimal"
    )

    assert_problem(answer, 409, "email-taken", ("/email", "taken"))


def test_minimal_patch_of_nobody(api: Api) -> None:
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
        ('nonsense ,;= "', 200),
        ("other; return=minimal", 200),
        ("return=representation, return=minimal", 200),
    ],
)
def test_preferences(api: Api, path: str, prefer: str, status: int) -> None:
    assert api.patch(path, {"locale": "en"}, prefer=prefer).status_code == status
    answer = api.put(path, ADA, if_match="*", prefer=prefer)
    assert answer.status_code == status
    assert ("Preference-Applied" in answer.headers) == (status == 204)


# --- parts -----------------------------------------------------------------------------------


def test_part_of_a_customer(api: Api, path: str, database: Recorded) -> None:
    whole = api.get(path).json_body
    database.statements.clear()

    part = api.get(f"{path}?fields=id,email,id")

    assert list(part.json_body.items()) == [(name, whole[name]) for name in ("id", "email")]
    assert part.headers["ETag"] == '"v1.email.id"'
    assert "family_name" not in database.statements[0]


def test_part_has_an_etag_of_its_own(api: Api, path: str) -> None:
    """It is another representation; but who has read it has seen the version."""
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
def test_part_that_is_none(api: Api, path: str, query: str, code: str) -> None:
    parameter = query.partition("=")[0]

    answer = api.get(f"{path}?{query}")

    assert_problem(answer, 400, "validation-error", (parameter, code))
