"""Powertools for AWS Lambda: its event handler and logger, validation by pydantic, boto3's client.

https://docs.aws.amazon.com/powertools/python/latest/core/event_handler/api_gateway/
"""

import uuid
from typing import Annotated

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.logging import correlation_paths

from benchmarks.peers.models import Customer, NewCustomer
from benchmarks.peers.rules import GET, INSERT, LIST, by_boto3

app = APIGatewayRestResolver(enable_validation=True)
logger = Logger(service="customers")
execute = by_boto3(boto3.client("rds-data"))


@app.get("/customers/<customer_id>")
def get_customer(customer_id: str) -> Customer:
    rows = execute(GET, id=customer_id)
    if not rows:
        raise NotFoundError
    return Customer(**rows[0])


@app.get("/customers")
def list_customers(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Customer]:
    return [Customer(**row) for row in execute(LIST, rows=limit)]


@app.post("/customers")
def create_customer(new: NewCustomer) -> tuple[dict, int]:
    customer = {"id": str(uuid.uuid4()), **new.model_dump()}
    execute(INSERT, **customer)
    return customer, 201


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event, context):
    response = app.resolve(event, context)
    logger.info("responded", extra={"status": response["statusCode"]})
    return response
