"""Shared code of the handwritten programs: their statements, and the rules for a customer."""

import re

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
LONGEST = {"email": 254, "given_name": 300, "family_name": 300, "company_name": 500, "phone": 16}
NAMES = ("given_name", "family_name", "company_name")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+[1-9][0-9]{1,14}")


def errors(body):
    """Return the names of the fields that violate a rule."""
    texts = [name for name in LONGEST if body.get(name) is not None]
    wrong = [name for name in body if name not in LONGEST and name != "status"]
    wrong += [n for n in texts if not (isinstance(body[n], str) and len(body[n]) <= LONGEST[n])]
    wrong += [] if EMAIL.fullmatch(str(body.get("email", ""))) else ["email"]
    wrong += [] if PHONE.fullmatch(str(body.get("phone") or "+10")) else ["phone"]
    wrong += [] if body.get("status", "active") in {"active", "inactive"} else ["status"]
    return wrong + ([] if any(body.get(name) for name in NAMES) else ["name"])


def customers(said):
    """Return the customers in the Data API's response."""
    return [dict(zip(COLUMNS, map(_value, row), strict=True)) for row in said.get("records", [])]


def parameters(values):
    """Return named values in the Data API's format."""
    return [{"name": name, "value": _field(value)} for name, value in values.items()]


def _value(field):
    return None if field.get("isNull") else next(iter(field.values()))


def _field(value):
    if value is None:
        return {"isNull": True}
    return {"longValue": value} if isinstance(value, int) else {"stringValue": value}
