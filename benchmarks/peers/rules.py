"""Code that the programs share: statements, and the rules for a customer."""

import os
import re

COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("created_at", "updated_at"),
)
SELECT = f"SELECT BIN_TO_UUID(id) AS id, {', '.join(COLUMNS[1:])} FROM customers"
GET = f"{SELECT} WHERE id = UUID_TO_BIN(:id)"
LIST = f"{SELECT} ORDER BY id DESC LIMIT :rows"
BY_EXTERNAL_ID = f"{SELECT} WHERE external_id = :external_id AND deleted_at IS NULL"
INSERT = (
    "INSERT INTO customers (id, email, given_name, family_name, company_name, phone, status)"
    " VALUES (UUID_TO_BIN(:id), :email, :given_name, :family_name, :company_name, :phone, :status)"
)
UPDATE = (
    "UPDATE customers SET email = :email, given_name = :given_name, family_name = :family_name,"
    " company_name = :company_name, phone = :phone, status = :status, version = version + 1"
    " WHERE id = UUID_TO_BIN(:id) AND version = :version"
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
FIELDS = (*MAX_LENGTHS, "status")
NAMES = ("given_name", "family_name", "company_name")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+[1-9][0-9]{1,14}")


class Database:
    """Runs statements. `call` calls an operation of the Data API, by boto3's name for it."""

    def __init__(self, call):
        self._call = call

    def fetch(self, sql, **values):
        """Return the customers that a query finds."""
        return customers(self._call("execute_statement", sql=sql, parameters=parameters(values)))

    def run(self, sql, **values):
        """Return how many rows the statement has changed."""
        result = self._call("execute_statement", sql=sql, parameters=parameters(values))
        return result["numberOfRecordsUpdated"]

    def run_all(self, sql, rows):
        """Run a statement with each of the rows, in one call."""
        sets = [parameters(row) for row in rows]
        self._call("batch_execute_statement", sql=sql, parameterSets=sets)


def by_boto3(client):
    """Return a database whose statements run through boto3's client."""
    return Database(lambda name, **arguments: getattr(client, name)(**CLUSTER, **arguments))


class OutdatedError(Exception):
    """A customer is missing, or has another version than the client expects."""


def version_of(if_match):
    """Return the version that the header `If-Match` names, such as 7 of `"v7"`."""
    return int(if_match.strip('"').removeprefix("v"))


def replace(database, customer_id, version, fields):
    """Set all fields of a customer that has this version, and return the customer."""
    if not database.run(UPDATE, id=customer_id, version=version, **fields):
        raise OutdatedError
    return {"id": customer_id, "version": version + 1, **fields}


def change(database, customer_id, edit):
    """Return a customer with the fields that `edit` returns for the current ones, or None."""
    for row in database.fetch(GET, id=customer_id):
        return row | replace(database, customer_id, row["version"], edit(row))
    return None


def change_all(database, items, edit):
    """Return customers with the fields that `edit` returns for the current ones and an item."""
    ids = {f"id_{n}": item["id"] for n, item in enumerate(items)}
    names = ", ".join(f"UUID_TO_BIN(:{name})" for name in ids)
    rows = database.fetch(f"{SELECT} WHERE id IN ({names})", **ids)
    found = {(row["id"], row["version"]): row for row in rows}
    try:
        current = [found[item["id"], item["version"]] for item in items]
    except KeyError:
        raise OutdatedError from None
    changed = [edit(row, item) for row, item in zip(current, items, strict=True)]
    keys = [{"id": row["id"], "version": row["version"]} for row in current]
    database.run_all(UPDATE, [key | fields for key, fields in zip(keys, changed, strict=True)])
    return [
        {**row, **fields, "version": row["version"] + 1}
        for row, fields in zip(current, changed, strict=True)
    ]


def patched(customer, patch):
    """Return the fields that a client may set, with a merge patch applied."""
    return {name: customer[name] for name in FIELDS} | {
        name: value for name, value in patch.items() if name not in {"id", "version"}
    }


def errors(body):
    """Return the names of the fields that violate a rule."""
    invalid = [name for name in body if name not in FIELDS]
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
