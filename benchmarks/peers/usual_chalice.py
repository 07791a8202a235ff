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

from benchmarks.peers.rules import GET, INSERT, LIST, by_boto3

patch_all()

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)
handler = app
execute = by_boto3(boto3.client("rds-data"))


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
    rows = execute(GET, id=customer_id)
    if not rows:
        raise NotFoundError(customer_id)
    return rows[0]


@app.route("/customers")
def list_customers():
    limit = int((app.current_request.query_params or {}).get("limit", 20))
    return {"items": execute(LIST, rows=limit)}


@app.route("/customers", methods=["POST"])
def create_customer():
    try:
        new = NewCustomer().load(app.current_request.json_body)
    except ValidationError as error:
        raise BadRequestError(str(error.messages)) from error
    customer = {"id": str(uuid.uuid4()), **new}
    execute(INSERT, **customer)
    app.log.info("created %s", customer["id"])
    return Response(customer, status_code=201)
