"""Chalice as commonly written: marshmallow, boto3's client, and X-Ray patching everything it can.

https://aws.github.io/chalice/ and
https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-python-patching.html
"""

import logging
import uuid

import boto3
from aws_xray_sdk.core import patch_all
from chalice import BadRequestError, Chalice, NotFoundError, Response
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from benchmarks.peers.rules import (
    BY_EXTERNAL_ID,
    GET,
    INSERT,
    LIST,
    OutdatedError,
    by_boto3,
    change,
    change_all,
    patched,
    replace,
    version_of,
)

patch_all()

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)
handler = app
database = by_boto3(boto3.client("rds-data"))


class NewCustomer(Schema):
    email = fields.Email(required=True, validate=validate.Length(max=254))
    given_name = fields.String(load_default=None, validate=validate.Length(1, 300))
    family_name = fields.String(load_default=None, validate=validate.Length(1, 300))
    company_name = fields.String(load_default=None, validate=validate.Length(1, 500))
    phone = fields.String(load_default=None, validate=validate.Regexp(r"^\+[1-9][0-9]{1,14}$"))
    status = fields.String(load_default="active", validate=validate.OneOf(["active", "inactive"]))

    @validates_schema
    def has_a_name(self, customer, **_):
        if not any(customer[name] for name in ("given_name", "family_name", "company_name")):
            raise ValidationError("a name is required")


@app.route("/customers/{customer_id}")
def get_customer(customer_id):
    return one(database.fetch(GET, id=customer_id))


@app.route("/customers/by-external-id/{external_id}")
def get_customer_by_external_id(external_id):
    return one(database.fetch(BY_EXTERNAL_ID, external_id=external_id))


def one(rows):
    if not rows:
        raise NotFoundError("No such customer")
    return rows[0]


@app.route("/customers")
def list_customers():
    limit = int((app.current_request.query_params or {}).get("limit", 20))
    return {"items": database.fetch(LIST, rows=limit)}


@app.route("/customers", methods=["POST"])
def create_customer():
    customer = {"id": str(uuid.uuid4()), **load(app.current_request.json_body)}
    database.run(INSERT, **customer)
    app.log.info("created %s", customer["id"])
    return Response(customer, status_code=201)


@app.route("/customers/batch", methods=["POST"])
def create_customers():
    batch = load(app.current_request.json_body["items"], many=True)
    customers = [{"id": str(uuid.uuid4()), **new} for new in batch]
    database.run_all(INSERT, customers)
    app.log.info("created %d customers", len(customers))
    return Response({"items": customers}, status_code=201)


@app.route("/customers/{customer_id}", methods=["PUT"])
def replace_customer(customer_id):
    version = version_of(app.current_request.headers["If-Match"])
    replaced = replace(database, customer_id, version, load(app.current_request.json_body))
    app.log.info("replaced %s", customer_id)
    return replaced


@app.route("/customers/{customer_id}", methods=["PATCH"])
def patch_customer(customer_id):
    patch = app.current_request.json_body
    changed = change(database, customer_id, lambda customer: load(patched(customer, patch)))
    app.log.info("changed %s", customer_id)
    return one([changed] if changed else [])


@app.route("/customers", methods=["PATCH"])
def patch_customers():
    items = app.current_request.json_body["items"]
    changed = change_all(database, items, lambda customer, item: load(patched(customer, item)))
    app.log.info("changed %d customers", len(changed))
    return {"items": changed}


def load(document, *, many=False):
    """Return the fields of a valid customer, or of many."""
    try:
        return NewCustomer(many=many).load(document)
    except ValidationError as error:
        raise BadRequestError(str(error.messages)) from error


@app.middleware("http")
def report_outdated(event, get_response):
    try:
        return get_response(event)
    except OutdatedError:
        return Response({"message": "The customer has changed"}, status_code=412)
