"""The customers API: what each operation answers.

A view reads the request, calls one function and answers. Nothing that a first request does not
need is imported before it.
"""

import json
import logging
import os
import re
from collections.abc import Collection
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from chalice import Chalice, Rate, Response
from chalice.app import AuthRequest, AuthResponse, CloudWatchEvent

from chalicelib.customers import rows, updates
from chalicelib.customers.rows import Customer
from chalicelib.database import Database, connect
from chalicelib.database.retries import Within
from chalicelib.http import headers, problems
from chalicelib.http.requests import Request
from chalicelib.http.routing import JSON, Operations, answer, document, no_content, settings
from chalicelib.observability import logs, telemetry
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from chalicelib.customers import creates

HTML = "text/html"
MERGE_PATCH = "application/merge-patch+json"
READ, WRITE, ERASE = "customers:read", "customers:write", "customers:erase"
SCOPES = {  # every scope, and what a token with it may do
    READ: "find and read customers",
    WRITE: "create, update, delete and restore customers",
    ERASE: "erase customers permanently",
}
MAX_BATCH_BYTES = 1 << 20
PURGE_SPARE_MS = 10_000
TOKEN_SECONDS = 300  # for which the gateway remembers what the authorizer said of a token
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)  # Chalice logs errors only
logs.configure(app.log)


@cache
def database() -> Database:
    return connect(Settings.from_environ(os.environ))


@app.authorizer(ttl_seconds=TOKEN_SECONDS)
def authorize(request: AuthRequest) -> AuthResponse | dict[str, Any]:
    """Check the bearer token of a request."""
    from chalicelib.tokens import authorizer

    return authorizer.authorize(request)


operation = Operations(app, authorize, SCOPES)


@operation(
    "/customers",
    "GET",
    "HEAD",
    scope=READ,
    query="chalicelib.customers.queries:GetCustomers",
    documentation="openapi.customers:LIST",
)
def get_customers(request: Request, **query: object) -> Response:
    """List customers.

    Returns one page. `next` is the path of the next page: request it unchanged. Creating or
    deleting customers between two requests neither skips nor repeats other customers.

    `include_deleted=true` also requires the scope `customers:write`.
    """
    from chalicelib.customers import lists

    wanted = lists.Query(**query)  # type: ignore[arg-type]
    if wanted.include_deleted:
        request.require(WRITE)
    page = lists.page(database(), wanted, settings().cursor_key)
    following = request.next_page(page.cursor)
    more = json.dumps({"next": following, "has_more": following is not None})
    text = f'{{"items":{page.items},{more[1:]}'
    return document(text, 200, {"Link": f'<{following}>; rel="next"'} if following else {})


@operation(
    "/customers",
    "POST",
    scope=WRITE,
    consumes=[JSON],
    share=0.5,
    documentation="openapi.customers:CREATE",
)
def create_customer(request: Request) -> Response:
    """Create a customer.

    Send an `Idempotency-Key` to make retries safe: requests with the same key create one customer,
    and the response to a retry has the header `Idempotency-Replayed: true`.
    """
    from chalicelib.customers import acceptance, creates

    key = request.idempotency_key("create_customer")
    fields = acceptance.load_customer(request.document())
    created = creates.create(database(), fields, key)
    (customer,) = created.items
    request.wrote([customer["id"]], customer["version"])
    extra = {
        "ETag": headers.etag(customer["version"]),
        "Location": f"{request.path}/{customer['id']}",
    }
    return answer(customer, 201, extra | replay(created))


@operation(
    "/customers/batch",
    "POST",
    scope=WRITE,
    consumes=[JSON],
    share=0.02,  # each request creates up to 100 customers
    documentation="openapi.customers:CREATE_BATCH",
)
def create_customers(request: Request) -> Response:
    """Create several customers.

    Creates all customers, or none if one of them is invalid or conflicts. Maximum: 100 customers
    and 1 MiB. In a problem, `errors` names each invalid value by its place, such as
    `/items/3/email`.
    """
    from chalicelib.customers import creates, schemas

    key = request.idempotency_key("create_customers")
    batch = schemas.load_batch(request.document(most=MAX_BATCH_BYTES))
    created = creates.create_all(database(), batch, key)
    request.wrote((customer["id"] for customer in created.items), created.items[0]["version"])
    return answer({"items": created.items}, 201, replay(created))


@operation(
    "/customers/{customer_id}",
    "GET",
    "HEAD",
    scope=READ,
    query="chalicelib.customers.queries:GetCustomer",
    documentation="openapi.customers:GET",
)
def get_customer(
    request: Request, customer_id: str, fields: Collection[str] | None = None
) -> Response:
    """Read a customer.

    `ETag` identifies the version. Send it in `If-None-Match` to get 304 without a body if the
    customer has not changed, or in `If-Match` to get 412 if it has.
    """
    found = updates.get(database(), known_id(customer_id), fields or rows.MEMBERS)
    if (versions := request.versions) is not None and found.version not in versions:
        raise problems.PreconditionFailed("It has another version by now.")
    extra = {**headers.REVALIDATED, "ETag": headers.etag(found.version, fields or ())}
    if request.is_unchanged(extra["ETag"]):
        return no_content(304, extra)
    return document(found.text, 200, extra)


@operation(
    "/customers/{customer_id}",
    "PUT",
    scope=WRITE,
    consumes=[JSON],
    share=0.5,
    documentation="openapi.customers:REPLACE",
)
def replace_customer(request: Request, customer_id: str) -> Response:
    """Replace a customer.

    Replaces all writable fields. Fields that are not sent get their defaults. `If-Match` is
    required, so that concurrent updates are not lost. Read-only fields may be sent unchanged.
    """
    from chalicelib.customers import schemas

    document, wanted = request.document(), known_id(customer_id)
    if request.header("if-match") is None:
        raise problems.PreconditionRequired("Send If-Match, with the ETag of what you replace.")
    intent = request.intent
    if (version := only(intent.versions)) is None:
        edit = partial(schemas.load_customer, document)
        return written(request, updates.change(database(), wanted, edit, intent))
    fields = schemas.load_customer(document, updates.known(wanted, version))
    return written(request, updates.write(database(), wanted, version, fields, intent.mark))


@operation(
    "/customers/{customer_id}",
    "PATCH",
    scope=WRITE,
    consumes=[MERGE_PATCH, JSON],
    share=0.5,
    documentation="openapi.customers:PATCH_ONE",
)
def patch_customer(request: Request, customer_id: str) -> Response:
    """Update a customer.

    The body is a [merge patch](https://www.rfc-editor.org/rfc/rfc7396): fields that are not sent
    keep their value, and null removes an optional value. A patch that changes nothing does not
    create a version.
    """
    from chalicelib.customers import schemas

    patch, wanted = request.document(), known_id(customer_id)
    intent = request.intent
    version = only(intent.versions)
    if version and request.wants_minimal and schemas.is_of_details(patch):
        fields = schemas.load_details(patch)
        return written(request, updates.write(database(), wanted, version, fields, intent.mark))
    edit = partial(schemas.load_patch, patch)
    return written(request, updates.change(database(), wanted, edit, intent))


@operation(
    "/customers/{customer_id}",
    "DELETE",
    scope=WRITE,
    share=0.5,
    documentation="openapi.customers:DELETE",
)
def delete_customer(request: Request, customer_id: str) -> Response:
    """Delete a customer.

    The customer can't be found any more, and other customers can use its email address and external
    id. The customer can be restored until it is erased. Default: after 30 days.
    """
    retention = timedelta(days=settings().retention_days)
    updates.delete(database(), known_id(customer_id), retention, request.intent)
    return removed(request, customer_id)


@operation(
    "/customers/{customer_id}/restore",
    "POST",
    scope=WRITE,
    share=0.1,
    documentation="openapi.customers:RESTORE",
)
def restore_customer(request: Request, customer_id: str) -> Response:
    """Restore a deleted customer.

    Possible until the customer is erased, unless another customer uses its email address or
    external id. If the customer is not deleted, the response is the unchanged customer.
    """
    return written(request, updates.restore(database(), known_id(customer_id), request.intent))


@operation(
    "/customers/{customer_id}/erase",
    "POST",
    scope=ERASE,
    share=0.1,
    documentation="openapi.customers:ERASE",
)
def erase_customer(request: Request, customer_id: str) -> Response:
    """Erase a customer permanently.

    Erases all fields except the id and the timestamps, immediately. The customer need not be
    deleted first. Erasure can't be undone.
    """
    updates.erase(database(), known_id(customer_id), request.intent)
    return removed(request, customer_id)


@operation(
    "/health",
    "GET",
    "HEAD",
    scope=None,
    query="chalicelib.http.queries:GetHealth",
    share=0.1,
    documentation="openapi.service:HEALTH",
)
def get_health(_: Request, *, deep: bool = False) -> Response:
    """Check service health.

    With `deep=true`, the service also checks its database, and responds with 503 if the database is
    not available.
    """
    if deep:
        database().ping()
    return answer({"status": "ok"})


@operation(
    "/openapi.json", "GET", "HEAD", scope=None, share=0.1, documentation="openapi.service:OPENAPI"
)
def get_openapi(request: Request) -> Response:
    """Get the API description.

    The API description is this document, in OpenAPI 3.1.
    """
    described = json.loads(packaged("openapi.json"))
    described["servers"] = [{"url": request.path.removesuffix("/openapi.json") or "/"}]
    return answer(described, 200, headers.PUBLIC)


@operation(
    "/problems",
    "GET",
    "HEAD",
    scope=None,
    produces=HTML,
    share=0.1,
    documentation="openapi.service:PROBLEMS",
)
def get_problems(_: Request) -> Response:
    """Get the documentation of the problems.

    A page for people. The `type` of a problem refers to its section.
    """
    return Response(
        packaged("problems.html"), {"Content-Type": f"{HTML}; charset=utf-8", **headers.PUBLIC}, 200
    )


@app.schedule(Rate(1, unit=Rate.HOURS))
def purge_customers(event: CloudWatchEvent) -> None:
    """Erase the customers whose time to be restored is over."""
    milliseconds_left = cast("Any", event.context).get_remaining_time_in_millis
    with telemetry.purge(app.log) as audit, Within(milliseconds_left() / 1000):
        while erased := updates.purge(database()):
            audit(erased)
            if milliseconds_left() < PURGE_SPARE_MS:
                break


operation.answer_other_methods()


def packaged(name: str) -> str:
    """Return a file of the package."""
    from importlib.resources import files

    return files("chalicelib").joinpath(name).read_text(encoding="utf-8")


def known_id(text: str) -> UUID:
    """Return the id; text that is none is an id that no customer has."""
    if not UUID_TEXT.fullmatch(text):
        raise problems.CustomerNotFound("A customer's id is a UUID; this is not.")
    return UUID(text)


def only(versions: Collection[int] | None) -> int | None:
    return next(iter(versions)) if versions and len(versions) == 1 else None


def replay(created: "creates.Created") -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if created.replayed else {}


def written(request: Request, customer: Customer) -> Response:
    """Answer a change with the customer as it is now, or with nothing where that is preferred."""
    request.wrote([customer["id"]], customer["version"])
    tag = {"ETag": headers.etag(customer["version"])}
    if request.wants_minimal:
        return no_content(204, {**tag, "Preference-Applied": "return=minimal"})
    return answer(customer, 200, tag)


def removed(request: Request, customer_id: str) -> Response:
    """Answer with nothing; which version it was is known if the client named the one before."""
    version = only(request.versions)
    request.wrote([str(UUID(customer_id))], version and version + 1)
    return no_content()
