"""The parts that the programs share: tokens, ids, and statements."""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from secrets import randbits

import jwt

DATABASE_URL = os.environ["DATABASE_URL"]
ISSUER, AUDIENCE = os.environ["TOKEN_ISSUER"], os.environ["TOKEN_AUDIENCE"]
READ, WRITE = "customers:read", "customers:write"

COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("external_id", "addresses", "locale", "time_zone", "metadata", "updated_at", "deleted_at"),
    "purge_at",
)
DOCUMENTS = ("addresses", "metadata")
SELECT = f"SELECT {', '.join(COLUMNS)} FROM customers"
GET = f"{SELECT} WHERE id = %s AND state = 'live'"
LIST = f"{SELECT} WHERE state = 'live' AND id < %s ORDER BY id DESC LIMIT %s"
LAST = uuid.UUID(int=2**128 - 1)
NEW = (*COLUMNS[:14], "email_key")
INSERT = f"INSERT INTO customers ({', '.join(NEW)}) VALUES ({', '.join(f'%({c})s' for c in NEW)})"

keys = jwt.PyJWKClient(os.environ["TOKEN_JWKS_URL"], cache_keys=True)


class Unauthorized(Exception):
    """The request has no valid token with the scope."""


def verify(authorization, scope):
    """Verify the token of an Authorization header.

    https://pyjwt.readthedocs.io/en/stable/usage.html
    """
    try:
        token = (authorization or "").removeprefix("Bearer ")
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.PyJWTError as error:
        raise Unauthorized from error
    if scope not in claims["scope"].split():
        raise Unauthorized


def new_id():
    """Return a UUIDv7, as `uuid.uuid7` of Python 3.14 does."""
    stamp = time.time_ns() // 1_000_000
    return uuid.UUID(int=stamp << 80 | 7 << 76 | randbits(12) << 64 | 2 << 62 | randbits(62))


def created_at(customer_id):
    """Return the time in a UUIDv7."""
    return datetime.fromtimestamp((customer_id.int >> 80) / 1000, UTC).replace(tzinfo=None)


def decoded(row):
    """Return a row of PyMySQL or asyncmy with its id and its documents as Python values."""
    documents = {name: json.loads(row[name]) for name in DOCUMENTS}
    return row | documents | {"id": uuid.UUID(bytes=row["id"])}


def inserted(new):
    """Return the values of a row, for the fields of a new customer."""
    documents = {name: json.dumps(new[name]) for name in DOCUMENTS}
    own = {"version": 1, "updated_at": now(), "deleted_at": None, "purge_at": None}
    return {**new, **documents, **own, "id": new_id().bytes, "email_key": new["email"].lower()}


def now():
    """Return the time as the column has it: UTC, with milliseconds."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def text_of(moment):
    """Return a time of the database as the API's JSON formats it."""
    return moment and f"{moment.isoformat(timespec='milliseconds')}Z"
