"""Routes of the customers API.

Each view reads the request, calls one function and builds the response. To keep cold starts
short, modules that a first request does not need are imported inside the views.
"""

import json
import logging
import os
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from chalice import Chalice, Rate, Response
from chalice.app import AuthRequest, CloudWatchEvent

import chalicelib
from chalicelib.customers.fields import CUSTOMERS, EXTERNAL_ID
from chalicelib.database import Database, connect
from chalicelib.deadlines import Deadline
from chalicelib.http import headers, reads, responses
from chalicelib.http.packaged import read_text
from chalicelib.http.preconditions import single_version
from chalicelib.http.requests import Request
from chalicelib.http.resources import Place
from chalicelib.http.responses import JSON, LINES, MERGE_PATCH
from chalicelib.http.routing import Operations, settings
from chalicelib.observability import logs, telemetry
from chalicelib.settings import Settings, event_bus

if TYPE_CHECKING:
    from chalicelib.database.health import Health
    from chalicelib.events.relay import Bus

HTML = "text/html"
READ, WRITE, ERASE = "customers:read", "customers:write", "customers:erase"
HISTORY, EXPORT = "customers:history", "customers:export"
SCOPES = {  # every scope, and what a token with it may do
    READ: "find and read customers",
    WRITE: "create, update, delete and restore customers",
    ERASE: "erase customers permanently, and prove erasures",
    HISTORY: "read who changed customers, and when",
    EXPORT: "export all data about a customer",
}
MAX_BATCH_BYTES = 1 << 20
MAX_BATCH_VALUES = 20_000  # JSON values; a valid customer has at most about a hundred
PURGE_RESERVE_MS = 10_000  # before the function's timeout
RELAY_RESERVE_MS = 20_000  # the same; a page of events takes less
TOKEN_SECONDS = 300  # how long API Gateway caches the authorizer's result

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)  # Chalice's default is ERROR
logs.configure(app.log)
app.api.binary_types = []  # all bodies are text: Chalice would compare each request with its list


@cache
def database() -> Database:
    return connect(Settings.from_environ(os.environ))


@cache
def health() -> "Health":
    from chalicelib.database.health import Health

    return Health(database())


@app.authorizer(ttl_seconds=TOKEN_SECONDS)
def authorize(request: AuthRequest) -> dict[str, Any]:
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
def get_customers(request: Request, **query: Any) -> Response:
    """List customers.

    Returns one page. `next` is the path of the next page: request it unchanged. Creating or
    deleting customers between two requests neither skips nor repeats other customers.

    `include_deleted=true` also requires the scope `customers:write`.
    """
    from chalicelib.customers import lists

    wanted = lists.combine(**query)
    if wanted.id:
        from chalicelib.http.lists import with_ids

        return responses.page(request, with_ids(database(), CUSTOMERS, wanted.id, wanted.fields))
    if wanted.include_deleted:
        request.require(WRITE)
    return responses.page(request, lists.page(database(), wanted, settings().cursor_key))


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
    from chalicelib.customers import acceptance
    from chalicelib.http import creates

    key = request.idempotency_key("create_customer")
    fields = acceptance.load_customer(request.document())
    created = creates.create(database(), CUSTOMERS, fields, key, request.pseudonym)
    return responses.created(request, CUSTOMERS, created)


@operation(
    "/customers",
    "PATCH",
    scope=WRITE,
    consumes=[JSON],
    share=0.02,  # each request updates up to 100 customers
    documentation="openapi.customers:PATCH_ALL",
)
def patch_customers(request: Request) -> Response:
    """Update several customers.

    Each item has the `id` and the `version` of a customer that you have read, and the fields of a
    merge patch. Updates all customers, or none if one of them is invalid, has changed or conflicts.
    Maximum: 100 customers and 1 MiB. Repeat the same request if its response was lost.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import bulk, items

    wanted = items.load_changes(request.document(MAX_BATCH_BYTES, MAX_BATCH_VALUES))
    edit = acceptance.load_patch
    patched = bulk.change_all(database(), CUSTOMERS, wanted, edit, request.intent)
    return responses.all_written(request, CUSTOMERS, patched)


@operation(
    "/customers/delete",
    "POST",
    scope=WRITE,
    consumes=[JSON],
    share=0.02,
    produces=[],
    documentation="openapi.customers:DELETE_ALL",
)
def delete_customers(request: Request) -> Response:
    """Delete several customers.

    Each item has the `id` and the `version` of a customer that you have read. Deletes all
    customers, or none if one of them has changed. Maximum: 100 customers. Repeat the same request
    if its response was lost.
    """
    from chalicelib.http import bulk, items

    wanted = items.load_references(request.document())
    retention = timedelta(days=settings().retention_days)
    bulk.delete_all(database(), CUSTOMERS, wanted, retention, request.intent)
    return responses.all_removed(request, CUSTOMERS, [item.id for item in wanted])


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

    With `Prefer: handling=lenient`, creates every customer that it can. The response is 207, with
    a status for each item.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import creates

    key = request.idempotency_key("create_customers")
    document = request.document(MAX_BATCH_BYTES, MAX_BATCH_VALUES)
    caller = request.pseudonym
    if request.is_lenient:
        from chalicelib.http import lenient

        each = acceptance.load_each(document)
        outcomes = lenient.create_each(database(), CUSTOMERS, each, document, key, caller)
        return responses.each_created(request, CUSTOMERS, outcomes)
    batch = acceptance.load_batch(document)
    created = creates.create_all(database(), CUSTOMERS, batch, key, caller)
    return responses.all_created(request, CUSTOMERS, created)


@operation(
    "/customers/changes",
    "GET",
    "HEAD",
    scope=READ,
    query="chalicelib.customers.queries:GetChanges",
    produces=[JSON, LINES],
    documentation="openapi.customers:CHANGES",
)
def get_changes(request: Request, **query: Any) -> Response:
    """Follow the changes of all customers.

    Returns every customer that has changed since the cursor, once, in the order of the changes.
    Deleted and erased customers are returned without their fields. `next` is always present, and
    never expires: request it after `Retry-After` seconds for further changes. A change appears a
    minute later, so that no change is missed.

    Without a cursor, the feed begins with the oldest change, and so is an export of all customers.
    `application/x-ndjson` has one line per customer; `Link` then has the next page.
    """
    from chalicelib.http import feed

    found = feed.page(database(), CUSTOMERS, settings().cursor_key, **query)
    return responses.changes(request, found)


@operation(
    "/customers/by-external-id/{external_id}",
    "GET",
    "HEAD",
    scope=READ,
    query="chalicelib.customers.queries:GetCustomer",
    documentation="openapi.customers:GET_BY_EXTERNAL_ID",
)
def get_customer_by_external_id(
    request: Request, external_id: str, fields: Collection[str] | None = None
) -> Response:
    """Read the customer with an external id.

    `Content-Location` is the customer's own path. `ETag` also names the customer, because another
    one may get the external id.
    """
    found = reads.get_at(database(), CUSTOMERS, _place(external_id), fields or ())
    return responses.found(request, CUSTOMERS, found, fields or ())


@operation(
    "/customers/by-external-id/{external_id}",
    "PUT",
    scope=WRITE,
    consumes=[JSON],
    share=0.5,
    can_be_minimal=True,
    documentation="openapi.customers:PUT_BY_EXTERNAL_ID",
)
def put_customer_by_external_id(request: Request, external_id: str) -> Response:
    """Create or replace the customer with an external id.

    Creates the customer if no customer has the external id, and otherwise replaces all writable
    fields. `If-None-Match: *` only creates, and `If-Match` only replaces. The request may be
    repeated, for example if its response was lost.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import unique

    document, place = request.document(), _place(external_id)
    load = partial(acceptance.load_put, document, place.key)
    put = unique.put(database(), CUSTOMERS, place, load, request.conditions_of_put)
    return responses.written_at(request, CUSTOMERS, put.document, is_new=put.is_new)


@operation(
    "/customers/by-external-id/{external_id}",
    "PATCH",
    scope=WRITE,
    consumes=[MERGE_PATCH, JSON],
    share=0.5,
    can_be_minimal=True,
    documentation="openapi.customers:PATCH_BY_EXTERNAL_ID",
)
def patch_customer_by_external_id(request: Request, external_id: str) -> Response:
    """Update the customer with an external id.

    The body is a [merge patch](https://www.rfc-editor.org/rfc/rfc7396), as by id. A patch may
    change the external id.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import unique

    edit = partial(acceptance.load_patch, request.document())
    place, conditions = _place(external_id), request.conditions
    patched = unique.change(database(), CUSTOMERS, place, edit, conditions)
    return responses.written_at(request, CUSTOMERS, patched)


@operation(
    "/customers/by-external-id/{external_id}",
    "DELETE",
    scope=WRITE,
    share=0.5,
    produces=[],
    documentation="openapi.customers:DELETE_BY_EXTERNAL_ID",
)
def delete_customer_by_external_id(request: Request, external_id: str) -> Response:
    """Delete the customer with an external id.

    The external id is then free, and a later PUT creates another customer. Restore and erase the
    deleted customer by its id.
    """
    from chalicelib.http import unique

    place, conditions = _place(external_id), request.conditions
    retention = timedelta(days=settings().retention_days)
    deleted = unique.delete(database(), CUSTOMERS, place, retention, conditions)
    return responses.removed(request, CUSTOMERS, deleted)


def _place(external_id: str) -> Place:
    from chalicelib.customers import acceptance

    return EXTERNAL_ID.place(acceptance.load_external_id(external_id))


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
    found = reads.get(database(), CUSTOMERS, CUSTOMERS.parse_id(customer_id), fields or ())
    return responses.found(request, CUSTOMERS, found, fields or ())


@operation(
    "/customers/{customer_id}",
    "PUT",
    scope=WRITE,
    consumes=[JSON],
    share=0.5,
    can_be_minimal=True,
    documentation="openapi.customers:REPLACE",
)
def replace_customer(request: Request, customer_id: str) -> Response:
    """Replace a customer.

    Replaces all writable fields. Fields that are not sent get their defaults. `If-Match` is
    required, so that concurrent updates are not lost. Read-only fields may be sent unchanged.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import updates

    load = partial(acceptance.load_customer, request.document())
    parsed_id = CUSTOMERS.parse_id(customer_id)
    request.require_if_match()
    replaced = updates.replace(database(), CUSTOMERS, parsed_id, load, request.intent)
    return responses.written(request, CUSTOMERS, replaced)


@operation(
    "/customers/{customer_id}",
    "PATCH",
    scope=WRITE,
    consumes=[MERGE_PATCH, JSON],
    share=0.5,
    can_be_minimal=True,
    documentation="openapi.customers:PATCH_ONE",
)
def patch_customer(request: Request, customer_id: str) -> Response:
    """Update a customer.

    The body is a [merge patch](https://www.rfc-editor.org/rfc/rfc7396): fields that are not sent
    keep their value, and null removes an optional value. A patch that changes nothing does not
    create a version.
    """
    from chalicelib.customers import acceptance
    from chalicelib.http import edits, updates

    patch, parsed_id = request.document(), CUSTOMERS.parse_id(customer_id)
    intent = request.intent
    version = single_version(intent.versions)
    if version and request.wants_minimal and edits.is_of_details(CUSTOMERS.details, patch):
        known = CUSTOMERS.build_known(parsed_id, version)
        fields = acceptance.load_details(patch)
        patched = updates.write(database(), CUSTOMERS, known, fields, intent)
    else:
        edit = partial(acceptance.load_patch, patch)
        patched = updates.change(database(), CUSTOMERS, parsed_id, edit, intent)
    return responses.written(request, CUSTOMERS, patched)


@operation(
    "/customers/{customer_id}",
    "DELETE",
    scope=WRITE,
    share=0.5,
    produces=[],
    documentation="openapi.customers:DELETE",
)
def delete_customer(request: Request, customer_id: str) -> Response:
    """Delete a customer.

    The customer can't be found any more, and other customers can use its email address and external
    id. The customer can be restored until it is erased. Default: after 30 days.
    """
    from chalicelib.http import updates

    parsed_id = CUSTOMERS.parse_id(customer_id)
    retention = timedelta(days=settings().retention_days)
    updates.delete(database(), CUSTOMERS, parsed_id, retention, request.intent)
    return responses.removed(request, CUSTOMERS, parsed_id)


@operation(
    "/customers/{customer_id}/restore",
    "POST",
    scope=WRITE,
    share=0.1,
    can_be_minimal=True,
    documentation="openapi.customers:RESTORE",
)
def restore_customer(request: Request, customer_id: str) -> Response:
    """Restore a deleted customer.

    Possible until the customer is erased, unless another customer uses its email address or
    external id. If the customer is not deleted, the response is the unchanged customer.
    """
    from chalicelib.http import updates

    parsed_id = CUSTOMERS.parse_id(customer_id)
    restored = updates.restore(database(), CUSTOMERS, parsed_id, request.intent)
    return responses.written(request, CUSTOMERS, restored)


@operation(
    "/customers/{customer_id}/erase",
    "POST",
    scope=ERASE,
    share=0.1,
    produces=[],
    documentation="openapi.customers:ERASE",
)
def erase_customer(request: Request, customer_id: str) -> Response:
    """Erase a customer permanently.

    Erases all fields except the id and the timestamps, immediately. The customer need not be
    deleted first. Erasure can't be undone.
    """
    from chalicelib.customers import erasure

    parsed_id = CUSTOMERS.parse_id(customer_id)
    erasure.erase(database(), parsed_id, request.intent)
    return responses.removed(request, CUSTOMERS, parsed_id)


@operation(
    "/customers/{customer_id}/erasure",
    "GET",
    "HEAD",
    scope=ERASE,
    share=0.1,
    documentation="openapi.customers:ERASURE",
)
def get_erasure(_: Request, customer_id: str) -> Response:
    """Prove an erasure.

    Returns the time of the erasure, and a signed receipt that can be verified without the service.
    The receipt is the same each time. A customer that was not erased, and an id that no customer
    ever had, have different problems.
    """
    from chalicelib.customers import erasure
    from chalicelib.http import receipts

    parsed_id = CUSTOMERS.parse_id(customer_id)
    erased_at = erasure.find(database(), parsed_id)
    key = receipts.derive_key(settings().cursor_key)
    return responses.answer(receipts.erasure(key, parsed_id, erased_at))


@operation(
    "/customers/{customer_id}/history",
    "GET",
    "HEAD",
    scope=HISTORY,
    documentation="openapi.customers:HISTORY",
)
def get_history(_: Request, customer_id: str) -> Response:
    """Read a customer's history.

    Returns the last 20 versions, the newest first: when and how the customer changed, a pseudonym
    of the caller, and the names of the changed fields. The values of fields are not kept. The
    history of a deleted customer can be read until it is erased.
    """
    from chalicelib.http import history

    parsed_id = CUSTOMERS.parse_id(customer_id)
    return responses.answer({"items": history.get(database(), CUSTOMERS, parsed_id)})


@operation(
    "/customers/{customer_id}/export",
    "GET",
    "HEAD",
    scope=EXPORT,
    share=0.1,
    documentation="openapi.customers:EXPORT",
)
def export_customer(_: Request, customer_id: str) -> Response:
    """Export all data about a customer.

    Returns everything that the service keeps about one person, in one document (GDPR, articles 15
    and 20): the customer, its history, and the texts by which the service finds it. A deleted
    customer can be exported until it is erased.
    """
    from chalicelib.http import exports

    parsed_id = CUSTOMERS.parse_id(customer_id)
    return responses.answer(exports.get(database(), CUSTOMERS, parsed_id))


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
    not available. The result may be up to one second old. The service does not check a database
    that pauses when it is not used, because the check would keep it running: the response then is
    200 with `database: not-checked`.
    """
    if not deep:
        return responses.answer({"status": "ok"})
    if not settings().deep_health:
        return responses.answer({"status": "ok", "database": "not-checked"})
    health().check()
    return responses.answer({"status": "ok", "database": "ok"})


@operation(
    "/openapi.json", "GET", "HEAD", scope=None, share=0.1, documentation="openapi.service:OPENAPI"
)
def get_openapi(request: Request) -> Response:
    """Get the API description.

    The API description is this document, in OpenAPI 3.1.
    """
    described = json.loads(read_text(chalicelib, "openapi.json"))
    described["servers"] = [{"url": request.path.removesuffix("/openapi.json") or "/"}]
    return responses.answer(described, 200, headers.PUBLIC)


@operation(
    "/problems",
    "GET",
    "HEAD",
    scope=None,
    produces=[HTML],
    share=0.1,
    documentation="openapi.service:PROBLEMS",
)
def get_problems(_: Request) -> Response:
    """Get the documentation of the problems.

    A page for people. The `type` of a problem refers to its section.
    """
    return Response(
        read_text(chalicelib, "problems.html"),
        {"Content-Type": f"{HTML}; charset=utf-8", **headers.PUBLIC},
        200,
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


@app.schedule(Rate(1, unit=Rate.MINUTES))
def relay_events(event: CloudWatchEvent) -> None:
    """Put the events of the customers on the event bus, unless the stage has none."""
    bus_name = event_bus(os.environ)
    if not bus_name:
        return
    from chalicelib.events.bus import EventBridge

    relay_to(EventBridge(bus_name), cast("Any", event.context).get_remaining_time_in_millis)


def relay_to(bus: "Bus", milliseconds_left: Callable[[], float]) -> None:
    """Send the events that are due to the bus. Raises what `relay.run` raises."""
    from chalicelib.events import relay

    with (
        telemetry.scheduled(app.log, "relay_events", CUSTOMERS.plural),
        Deadline(milliseconds_left() / 1000),
    ):
        for progress in relay.run(database(), CUSTOMERS, bus):
            telemetry.relayed(app.log, progress.events, progress.lag_seconds)
            if milliseconds_left() < RELAY_RESERVE_MS:
                break


operation.answer_other_methods()
