"""A handler without a framework, for `bare` and the floors."""

import json
import uuid

from benchmarks.peers.rules import (
    BY_EXTERNAL_ID,
    FIELDS,
    GET,
    INSERT,
    LIST,
    OutdatedError,
    change,
    change_all,
    errors,
    patched,
    replace,
    version_of,
)


class InvalidError(Exception):
    """The fields of a customer are invalid. The arguments are their names."""


class Handler:
    """The function's handler."""

    def __init__(self, database):
        self._database = database
        self._views = {
            ("GET", "/customers/{customer_id}"): self._get,
            ("GET", "/customers/by-external-id/{external_id}"): self._get_by_external_id,
            ("GET", "/customers"): self._get_all,
            ("POST", "/customers"): self._create,
            ("POST", "/customers/batch"): self._create_all,
            ("PUT", "/customers/{customer_id}"): self._put,
            ("PATCH", "/customers/{customer_id}"): self._patch,
            ("PATCH", "/customers"): self._patch_all,
        }

    def __call__(self, event, _context):
        view = self._views.get((event["httpMethod"], event["resource"]))
        try:
            return view(event) if view else not_found()
        except InvalidError as error:
            return respond(400, {"errors": error.args})
        except OutdatedError:
            return respond(412, {"message": "The customer has changed"})

    def _get(self, event):
        return one(self._database.fetch(GET, id=event["pathParameters"]["customer_id"]))

    def _get_by_external_id(self, event):
        return one(self._database.fetch(BY_EXTERNAL_ID, **event["pathParameters"]))

    def _get_all(self, event):
        limit = int((event["queryStringParameters"] or {}).get("limit", 20))
        return respond(200, {"items": self._database.fetch(LIST, rows=limit)})

    def _create(self, event):
        customer = {"id": str(uuid.uuid4()), **valid(json.loads(event["body"]))}
        self._database.run(INSERT, **customer)
        return respond(201, customer)

    def _create_all(self, event):
        items = json.loads(event["body"])["items"]
        customers = [{"id": str(uuid.uuid4()), **valid(item)} for item in items]
        self._database.run_all(INSERT, customers)
        return respond(201, {"items": customers})

    def _put(self, event):
        customer_id = event["pathParameters"]["customer_id"]
        version = version_of(event["headers"]["If-Match"])
        fields = valid(json.loads(event["body"]))
        return respond(200, replace(self._database, customer_id, version, fields))

    def _patch(self, event):
        patch = json.loads(event["body"])
        customer_id = event["pathParameters"]["customer_id"]
        changed = change(self._database, customer_id, lambda current: edited(current, patch))
        return one([changed] if changed else [])

    def _patch_all(self, event):
        items = json.loads(event["body"])["items"]
        return respond(200, {"items": change_all(self._database, items, edited)})


def one(customers):
    return respond(200, customers[0]) if customers else not_found()


def not_found():
    return respond(404, {"message": "Not found"})


def respond(status, body):
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def valid(fields):
    """Return all fields that a client may set, with their defaults. Raises InvalidError."""
    if invalid := errors(fields):
        raise InvalidError(*invalid)
    return {**dict.fromkeys(FIELDS), "status": "active", **fields}


def edited(customer, patch):
    """Return the valid fields that a client may set, with the patch applied."""
    return valid(patched(customer, patch))
