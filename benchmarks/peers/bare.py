"""A handwritten handler with boto3's client and json. All ratios refer to it.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import json
import os
import uuid

import boto3

from benchmarks.peers.rules import GET, INSERT, LIST, LONGEST, customers, errors, parameters

client = boto3.client("rds-data")


def handler(event, _context):
    route = (event["httpMethod"], event["resource"])
    if route == ("GET", "/customers/{customer_id}"):
        return get(event["pathParameters"]["customer_id"])
    if route == ("GET", "/customers"):
        return listed(int((event["queryStringParameters"] or {}).get("limit", 20)))
    if route == ("POST", "/customers"):
        return create(json.loads(event["body"]))
    return answer(404, {"message": "Not found"})


def get(customer_id):
    found = execute(GET, id=customer_id)
    return answer(200, found[0]) if found else answer(404, {"message": "Not found"})


def listed(limit):
    return answer(200, {"items": execute(LIST, rows=limit)})


def create(body):
    if wrong := errors(body):
        return answer(400, {"errors": wrong})
    customer = {"id": str(uuid.uuid4()), **dict.fromkeys(LONGEST), "status": "active", **body}
    execute(INSERT, **customer)
    return answer(201, customer)


def execute(sql, **values):
    said = client.execute_statement(
        resourceArn=os.environ["DATABASE_RESOURCE_ARN"],
        secretArn=os.environ["DATABASE_SECRET_ARN"],
        database="customers",
        sql=sql,
        parameters=parameters(values),
    )
    return customers(said)


def answer(status, body):
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
