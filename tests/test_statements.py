"""The number of statements per request. Data API calls take milliseconds, so they are the cost."""

from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import HTTPResponse

from tests.api import ADA as PLAIN
from tests.api import Api
from tests.recorded import Recorded

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
ADA = {**PLAIN, "external_id": "crm-1"}
GRACE = {"email": "grace@example.com", "given_name": "Grace"}
EXTERNAL, OTHER = "/customers/by-external-id/crm-1", "/customers/by-external-id/crm-2"
MINIMAL = {"prefer": "return=minimal"}

Send = Callable[[Api, str], HTTPResponse]

TABLE: dict[str, tuple[Send, int, int]] = {
    "create": (lambda api, _: api.post("/customers", GRACE), 201, 1),
    "create with a key": (
        lambda api, _: api.post("/customers", GRACE, idempotency_key="other"),
        201,
        1,
    ),
    "replayed create": (lambda api, _: api.post("/customers", ADA, idempotency_key="ada"), 201, 2),
    "create with a conflict": (lambda api, _: api.post("/customers", ADA), 409, 2),
    "read": (lambda api, path: api.get(path), 200, 1),
    "read if changed": (lambda api, path: api.get(path, if_none_match='"v1"'), 304, 1),
    "head": (lambda api, path: api.request("HEAD", path), 200, 1),
    "list": (lambda api, _: api.get("/customers"), 200, 1),
    "search": (
        lambda api, _: api.get("/customers?q=ada&status=active&include_deleted=true"),
        200,
        1,
    ),
    "read by external id": (lambda api, _: api.get(EXTERNAL), 200, 1),
    "put a new external id": (lambda api, _: api.put(OTHER, GRACE), 201, 2),
    "create an external id": (lambda api, _: api.put(OTHER, GRACE, if_none_match="*"), 201, 1),
    "put by external id": (lambda api, _: api.put(EXTERNAL, GRACE), 200, 2),
    "put without changes": (lambda api, _: api.put(EXTERNAL, ADA), 200, 1),
    "patch by external id": (lambda api, _: api.patch(EXTERNAL, {"locale": "en"}), 200, 2),
    "delete by external id": (lambda api, _: api.delete(EXTERNAL), 204, 2),
    "replace": (lambda api, path: api.put(path, GRACE, if_match='"v1"'), 200, 1),
    "replace minimally": (
        lambda api, path: api.put(path, GRACE, if_match='"v1"', **MINIMAL),
        204,
        1,
    ),
    "replace without changes": (lambda api, path: api.put(path, ADA, if_match='"v1"'), 200, 2),
    "replace another version": (lambda api, path: api.put(path, GRACE, if_match='"v2"'), 412, 2),
    "replace any version": (lambda api, path: api.put(path, GRACE, if_match="*"), 200, 2),
    "patch": (lambda api, path: api.patch(path, {"metadata": {"a": "b"}}), 200, 2),
    "patch without changes": (lambda api, path: api.patch(path, {"given_name": "Ada"}), 200, 1),
    "patch minimally": (
        lambda api, path: api.patch(path, {"locale": "en"}, if_match='"v1"', **MINIMAL),
        204,
        1,
    ),
    "delete": (lambda api, path: api.delete(path), 204, 1),
    "delete an unknown customer": (lambda api, _: api.delete(UNKNOWN), 404, 1),
    "delete this version": (lambda api, path: api.delete(path, if_match='"v1"'), 204, 1),
    "restore": (lambda api, path: api.post(f"{path}/restore"), 200, 1),
    "erase": (lambda api, path: api.post(f"{path}/erase"), 204, 1),
    "batch": (
        lambda api, _: api.post(
            "/customers/batch",
            {"items": [GRACE | {"email": f"{n}@example.com"} for n in range(100)]},
        ),
        201,
        1,
    ),
    "health": (lambda api, _: api.get("/health"), 200, 0),
    "deep health": (lambda api, _: api.get("/health?deep=true"), 200, 1),
    "document": (lambda api, _: api.get("/openapi.json"), 200, 0),
    "invalid": (lambda api, _: api.post("/customers", {}), 400, 0),
    "no token": (lambda _, path: Api("").get(path), 401, 0),
}


@pytest.mark.parametrize(("send", "status", "statements"), TABLE.values(), ids=TABLE)
def test_request_takes_its_number_of_statements(
    api: Api, database: Recorded, send: Any, status: int, statements: int
) -> None:
    path = api.post("/customers", ADA, idempotency_key="ada").headers["Location"]
    database.statements.clear()

    answer = send(api, path)

    assert (answer.status_code, len(database.statements)) == (status, statements)


def test_restore_of_a_deleted_customer_takes_two_statements(api: Api, database: Recorded) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    api.delete(path)
    database.statements.clear()

    assert api.post(f"{path}/restore").status_code == 200
    assert len(database.statements) == 2
