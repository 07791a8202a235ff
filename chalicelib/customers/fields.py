"""The fields of a customer: how they are stored, compared, limited and erased.

`schemas` validates the same fields. `tests/test_fields.py` compares this declaration with the
schemas, the table, the documentation and the examples, and names what is missing.
"""

from chalicelib.customers.problems import CustomerNotFound, EmailTaken, ExternalIdTaken
from chalicelib.http.documents import dumps, json_size
from chalicelib.http.resources import Field, Fields, Resource, Unique
from chalicelib.http.values import DOCUMENT

NAME_FIELDS = ("given_name", "family_name", "company_name")
MAX_SIZE = 8_000
"""Bytes of JSON without details: 100 customers then fit into a Data API response of 1 MiB."""


def email_key(email: str) -> str:
    """Return the text by which email addresses are compared, case-insensitively.

    It is computed here, and compared byte by byte in the database, because collations differ.
    """
    import unicodedata  # a cold start that reads a customer doesn't need it

    return unicodedata.normalize("NFC", email.lower())


CUSTOMERS = Resource(
    "customer",
    "customers",
    CustomerNotFound,
    fields=[
        Field("status", is_detail=True, erased="'inactive'"),
        Field("email", is_detail=True),
        Field("phone", is_detail=True),
        Field("given_name"),
        Field("family_name"),
        Field("company_name"),
        Field("external_id", is_detail=True),
        Field("addresses", DOCUMENT, erased="'[]'"),
        Field("locale", is_detail=True),
        Field("time_zone", is_detail=True),
        Field("metadata", DOCUMENT, erased="'{}'"),
    ],
    unique=[
        Unique("email", EmailTaken, column="email_key", key=email_key),
        Unique("external_id", ExternalIdTaken, column="external_id"),
    ],
)


def has_a_name(fields: Fields) -> bool:
    """Return whether the customer has a given name, a family name or a company name."""
    return any(fields[name] for name in NAME_FIELDS)


def size(fields: Fields) -> int:
    """Return the bytes of JSON that the Data API sends for the customer, without its details.

    It sends documents as text, so their quotation marks count twice.
    """
    counted = {name: value for name, value in fields.items() if name not in CUSTOMERS.details}
    documents = {
        field.name: dumps(fields[field.name])
        for field in CUSTOMERS.fields
        if field.codec is DOCUMENT
    }
    return json_size({**counted, **documents})
