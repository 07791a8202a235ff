"""Code that the programs share: statements, the rules for a customer, a handwritten handler."""

import json
import os
import re
import uuid

COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("created_at", "updated_at"),
)
SELECT = f"SELECT BIN_TO_UUID(id) AS id, {', '.join(COLUMNS[1:])} FROM customers"
GET = f"{SELECT} WHERE id = UUID_TO_BIN(:id)"
LIST = f"{SELECT} ORDER BY id DESC LIMIT :rows"
INSERT = (
    "INSERT INTO customers (id, email, given_name, family_name, company_name, phone, status)"
    " VALUES (UUID_TO_BIN(:id), :email, :given_name, :family_name, :company_name, :phone, :status)"
)
CLUSTER = {
    "resourceArn": os.environ["DATABASE_RESOURCE_ARN"],
    "secretArn": os.environ["DATABASE_SECRET_ARN"],
    "database": "customers",
}
MAX_LENGTHS = {
    "email": 254,
    "given_name": 300,
    "family_name": 300,
    "company_name": 500,
    "phone": 16,
}
NAMES = ("given_name", "family_name", "company_name")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+[1-9][0-9]{1,14}")


def by_boto3(client):
    """Return a function that runs a statement through boto3's client."""

    def execute(sql, **values):
        result = client.execute_statement(**CLUSTER, sql=sql, parameters=parameters(values))
        return customers(result)

    return execute


def handwritten(execute):
    """Return a handler without a framework, whose statements `execute` runs."""

    def handler(event, _context):
        route = (event["httpMethod"], event["resource"])
        if route == ("GET", "/customers/{customer_id}"):
            rows = execute(GET, id=event["pathParameters"]["customer_id"])
            return respond(200, rows[0]) if rows else respond(404, {"message": "Not found"})
        if route == ("GET", "/customers"):
            limit = int((event["queryStringParameters"] or {}).get("limit", 20))
            return respond(200, {"items": execute(LIST, rows=limit)})
        if route == ("POST", "/customers"):
            return create(json.loads(event["body"]))
        return respond(404, {"message": "Not found"})

    def create(body):
        if invalid := errors(body):
            return respond(400, {"errors": invalid})
        customer = {"id": str(uuid.uuid4()), **dict.fromkeys(MAX_LENGTHS), "status": "active"}
        customer |= body
        execute(INSERT, **customer)
        return respond(201, customer)

    return handler


def respond(status, body):
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def errors(body):
    """Return the names of the fields that violate a rule."""
    invalid = [name for name in body if name not in MAX_LENGTHS and name != "status"]
    for name, length in MAX_LENGTHS.items():
        value = body.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= length):
            invalid.append(name)
    invalid += [] if EMAIL.fullmatch(str(body.get("email", ""))) else ["email"]
    invalid += [] if PHONE.fullmatch(str(body.get("phone") or "+10")) else ["phone"]
    invalid += [] if body.get("status", "active") in {"active", "inactive"} else ["status"]
    return invalid + ([] if any(body.get(name) for name in NAMES) else ["name"])


def customers(result):
    """Return the customers in the Data API's response."""
    return [dict(zip(COLUMNS, map(_value, row), strict=True)) for row in result.get("records", [])]


def parameters(values):
    """Return named values in the Data API's format."""
    return [{"name": name, "value": _field(value)} for name, value in values.items()]


def _value(field):
    return None if field.get("isNull") else next(iter(field.values()))


def _field(value):
    if value is None:
        return {"isNull": True}
    return {"longValue": value} if isinstance(value, int) else {"stringValue": value}
