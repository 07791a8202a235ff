"""Powertools for AWS Lambda: its event handler and logger, validation by pydantic, boto3's client.

https://docs.aws.amazon.com/powertools/python/latest/core/event_handler/api_gateway/
"""

import json
import uuid
from typing import Annotated

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.logging import correlation_paths

from benchmarks.peers.models import Customer, NewCustomer, NewCustomers, Patch, Patches, edited
from benchmarks.peers.rules import (
    BY_EXTERNAL_ID,
    GET,
    INSERT,
    LIST,
    OutdatedError,
    by_boto3,
    change,
    change_all,
    replace,
    version_of,
)

app = APIGatewayRestResolver(enable_validation=True)
logger = Logger(service="customers")
database = by_boto3(boto3.client("rds-data"))


@app.get("/customers/<customer_id>")
def get_customer(customer_id: str) -> Customer:
    return one(database.fetch(GET, id=customer_id))


@app.get("/customers/by-external-id/<external_id>")
def get_customer_by_external_id(external_id: str) -> Customer:
    return one(database.fetch(BY_EXTERNAL_ID, external_id=external_id))


def one(rows: list[dict]) -> Customer:
    if not rows:
        raise NotFoundError
    return Customer(**rows[0])


@app.get("/customers")
def list_customers(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Customer]:
    return [Customer(**row) for row in database.fetch(LIST, rows=limit)]


@app.post("/customers")
def create_customer(new: NewCustomer) -> tuple[dict, int]:
    customer = {"id": str(uuid.uuid4()), **new.model_dump()}
    database.run(INSERT, **customer)
    return customer, 201


@app.post("/customers/batch")
def create_customers(batch: NewCustomers) -> tuple[dict, int]:
    customers = [{"id": str(uuid.uuid4()), **new.model_dump()} for new in batch.items]
    database.run_all(INSERT, customers)
    return {"items": customers}, 201


@app.put("/customers/<customer_id>")
def replace_customer(
    customer_id: str, new: NewCustomer, if_match: Annotated[str, Header(alias="If-Match")]
) -> dict:
    return replace(database, customer_id, version_of(if_match), new.model_dump())


@app.patch("/customers/<customer_id>")
def patch_customer(customer_id: str, patch: Patch) -> Customer:
    fields = patch.model_dump()
    changed = change(database, customer_id, lambda customer: edited(customer, fields))
    return one([changed] if changed else [])


@app.patch("/customers")
def patch_customers(patches: Patches) -> list[Customer]:
    items = [item.model_dump() for item in patches.items]
    changed = change_all(database, items, edited)
    return [Customer(**customer) for customer in changed]


@app.exception_handler(OutdatedError)
def report_outdated(_: OutdatedError) -> Response:
    body = json.dumps({"message": "The customer has changed"})
    return Response(412, "application/json", body)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event, context):
    response = app.resolve(event, context)
    logger.info("responded", extra={"status": response["statusCode"]})
    return response
