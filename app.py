"""Routes of the customers API.

Each view reads the request, calls one function and builds the response. To keep cold starts
short, modules that a first request does not need are imported inside the views.
"""

import json
import logging
import os
import re
from collections.abc import Collection
from datetime import timedelta
from functools import cache, partial
from typing import Any, cast
from uuid import UUID

from chalice import Chalice, Rate, Response
from chalice.app import AuthRequest, AuthResponse, CloudWatchEvent

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, connect
from chalicelib.database.retries import Deadline
from chalicelib.http import headers, reads, responses
from chalicelib.http.preconditions import single_version
from chalicelib.http.requests import Request
from chalicelib.http.responses import JSON, MERGE_PATCH
from chalicelib.http.routing import Operations, settings
from chalicelib.observability import logs, telemetry
from chalicelib.settings import Settings

HTML = "text/html"
READ, WRITE, ERASE = "customers:read", "customers:write", "customers:erase"
MAX_BATCH_BYTES = 1 << 20
PURGE_RESERVE_MS = 10_000  # before the function's timeout
TOKEN_SECONDS = 300  # how long API Gateway caches the authorizer's result
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)  # Chalice's default is ERROR
logs.configure(app.log)


@cache
def database() -> Database:
    return connect(Settings.from_environ(os.environ))


@app.authorizer(ttl_seconds=TOKEN_SECONDS)
def authorize(request: AuthRequest) -> AuthResponse | dict[str, Any]:
    """Check the bearer token of a request."""
    from chalicelib.tokens import authorizer

    return authorizer.authorize(request)


operation = Operations(app, authorize)


@operation("/customers", "GET", "HEAD", scope=READ)
def get_customers(request: Request, **query: object) -> Response:
    """List customers with filters, sorting and pagination."""
    from chalicelib.customers import lists

    wanted = lists.Query(**query)  # type: ignore[arg-type]
    if wanted.include_deleted:
        request.require(WRITE)
    return responses.page(request, lists.page(database(), wanted, settings().cursor_key))


@operation("/customers", "POST", scope=WRITE)
def create_customer(request: Request) -> Response:
    """Create a customer."""
    from chalicelib.customers import acceptance
    from chalicelib.http import creates

    key = request.idempotency_key("create_customer")
    fields = acceptance.load_customer(request.document(JSON))
    created = creates.create(database(), CUSTOMERS, fields, key)
    return responses.created(request, CUSTOMERS, created)


@operation("/customers/batch", "POST", scope=WRITE)
def create_customers(request: Request) -> Response:
    """Create up to 100 customers atomically."""
    from chalicelib.customers import schemas
    from chalicelib.http import creates

    key = request.idempotency_key("create_customers")
    batch = schemas.load_batch(request.document(JSON, max_bytes=MAX_BATCH_BYTES))
    created = creates.create_all(database(), CUSTOMERS, batch, key)
    return responses.all_created(request, CUSTOMERS, created)


@operation("/customers/{customer_id}", "GET", "HEAD", scope=READ)
def get_customer(
    request: Request, customer_id: str, fields: Collection[str] | None = None
) -> Response:
    """Read a customer, or selected fields of it."""
    found = reads.get(database(), CUSTOMERS, parse_id(customer_id), fields or ())
    return responses.found(request, CUSTOMERS, found, fields or ())


@operation("/customers/{customer_id}", "PUT", scope=WRITE)
def replace_customer(request: Request, customer_id: str) -> Response:
    """Replace all writable fields of a customer."""
    from chalicelib.customers import schemas
    from chalicelib.http import updates

    load = partial(schemas.load_customer, request.document(JSON))
    parsed_id = parse_id(customer_id)
    request.require_if_match()
    replaced = updates.replace(database(), CUSTOMERS, parsed_id, load, request.intent)
    return responses.written(request, CUSTOMERS, replaced)


@operation("/customers/{customer_id}", "PATCH", scope=WRITE)
def patch_customer(request: Request, customer_id: str) -> Response:
    """Update a customer with a merge patch."""
    from chalicelib.customers import schemas
    from chalicelib.http import updates

    patch, parsed_id = request.document(MERGE_PATCH, JSON), parse_id(customer_id)
    intent = request.intent
    version = single_version(intent.versions)
    if version and request.wants_minimal and schemas.is_of_details(patch):
        known = CUSTOMERS.build_known(parsed_id, version)
        fields = schemas.load_details(patch)
        patched = updates.write(database(), CUSTOMERS, known, fields, intent)
    else:
        edit = partial(schemas.load_patch, patch)
        patched = updates.change(database(), CUSTOMERS, parsed_id, edit, intent)
    return responses.written(request, CUSTOMERS, patched)


@operation("/customers/{customer_id}", "DELETE", scope=WRITE)
def delete_customer(request: Request, customer_id: str) -> Response:
    """Soft-delete a customer, which can be restored until its purge date."""
    from chalicelib.http import updates

    parsed_id, retention = parse_id(customer_id), timedelta(days=settings().retention_days)
    updates.delete(database(), CUSTOMERS, parsed_id, retention, request.intent)
    return responses.removed(request, CUSTOMERS, parsed_id)


@operation("/customers/{customer_id}/restore", "POST", scope=WRITE)
def restore_customer(request: Request, customer_id: str) -> Response:
    """Restore a deleted customer."""
    from chalicelib.http import updates

    restored = updates.restore(database(), CUSTOMERS, parse_id(customer_id), request.intent)
    return responses.written(request, CUSTOMERS, restored)


@operation("/customers/{customer_id}/erase", "POST", scope=ERASE)
def erase_customer(request: Request, customer_id: str) -> Response:
    """Permanently erase a customer's personal data; id and timestamps remain."""
    from chalicelib.customers import erasure

    parsed_id = parse_id(customer_id)
    erasure.erase(database(), parsed_id, request.intent)
    return responses.removed(request, CUSTOMERS, parsed_id)


@operation("/health", "GET", "HEAD", scope=None)
def get_health(_: Request, *, deep: bool = False) -> Response:
    """Report service health; with `deep=true`, also check the database."""
    if deep:
        database().ping()
    return responses.answer({"status": "ok"})


@operation("/openapi.json", "GET", "HEAD", scope=None)
def get_openapi(request: Request) -> Response:
    """Return the OpenAPI 3.1 document of this API."""
    described = json.loads(packaged("openapi.json"))
    described["servers"] = [{"url": request.path.removesuffix("/openapi.json") or "/"}]
    return responses.answer(described, 200, headers.PUBLIC)


@operation("/problems", "GET", "HEAD", scope=None, media_type=HTML)
def get_problems(_: Request) -> Response:
    """Return the documentation of problems, to which their `type` refers."""
    return Response(
        packaged("problems.html"), {"Content-Type": f"{HTML}; charset=utf-8", **headers.PUBLIC}, 200
    )


@app.schedule(Rate(1, unit=Rate.HOURS))
def purge_customers(event: CloudWatchEvent) -> None:
    """Erase customers after their purge date."""
    from chalicelib.customers import erasure

    milliseconds_left = cast("Any", event.context).get_remaining_time_in_millis
    with (
        telemetry.scheduled(app.log, "purge_customers", CUSTOMERS.plural) as audit,
        Deadline(milliseconds_left() / 1000),
    ):
        while erased := erasure.purge(database()):
            audit(erased)
            if milliseconds_left() < PURGE_RESERVE_MS:
                break


operation.answer_other_methods()


def packaged(name: str) -> str:
    """Return the text of a file of the package."""
    from importlib.resources import files

    return files("chalicelib").joinpath(name).read_text(encoding="utf-8")


def parse_id(text: str) -> UUID:
    """Return the id. Raises CustomerNotFound for text that is not a UUID."""
    if not UUID_TEXT.fullmatch(text):
        raise CUSTOMERS.not_found("No customer has this id, because it is not a UUID.")
    return UUID(text)
