"""The fields of a customer: how they are stored, compared, limited and erased.

`schemas` validates the same fields. `tests/test_fields.py` compares this declaration with the
schemas, the table, the documentation and the examples, and names what is missing.
"""

from functools import cache

from chalicelib.customers.problems import CustomerNotFound, EmailTaken, ExternalIdTaken
from chalicelib.http import packaged
from chalicelib.http.documents import dumps, json_size
from chalicelib.http.resources import Derived, Field, Fields, Resource, Unique
from chalicelib.http.values import DOCUMENT

MAX_SIZE = 8_000
"""Bytes of JSON without details: 100 customers then fit into a Data API response of 1 MiB."""
MIN_LETTERS = 2
MAX_KEY = 255
"""Characters of a search key: a text of `q` has at most 100."""


def email_key(email: str) -> str:
    """Return the text by which email addresses are compared, case-insensitively.

    It is computed here, and compared byte by byte in the database, because collations differ.
    """
    if email.isascii():
        return email.lower()
    from chalicelib.http import folding  # its tables of Unicode would delay a cold start

    return folding.fold_case(email)


def search_key(text: str) -> str:
    """Return the text by which `q` finds names, without differences in case and diacritics.

    Like `email_key`, it is compared byte by byte. The key of each beginning of a text is the
    beginning of the text's key.
    """
    if text.isascii():
        key = " ".join(text.lower().split()) if "  " in text else text.lower()
    else:
        from chalicelib.http import folding

        key = folding.fold(text, MAX_KEY + 1)
    return key if len(key) <= MAX_KEY else key[:MAX_KEY].rstrip()


def is_selective(text: str) -> bool:
    """Return whether few names begin with the text of `q`: two letters, or an ideograph."""
    key = search_key(text)
    if len(key) >= MIN_LETTERS:
        return True
    from chalicelib.http.folding import is_wide  # only short texts need its tables of Unicode

    return is_wide(key)


def _name_key(customer: Fields) -> str | None:
    given_name, family_name = customer["given_name"], customer["family_name"]
    if given_name and family_name:
        return search_key(f"{given_name} {family_name}")
    return search_key(given_name or family_name or "") or None


def _family_name_key(customer: Fields) -> str | None:
    """Return the key of the name that begins with the family name; None if it is the other key."""
    given_name, family_name = customer["given_name"], customer["family_name"]
    return search_key(f"{family_name} {given_name}") if given_name and family_name else None


def _company_name_key(customer: Fields) -> str | None:
    company_name = customer["company_name"]
    return search_key(company_name) if company_name else None


EXTERNAL_ID = Unique("external_id", ExternalIdTaken, column="external_id")

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
        EXTERNAL_ID,
    ],
    derived=[
        Derived("name_key", {"given_name", "family_name"}, _name_key),
        Derived("family_name_key", {"given_name", "family_name"}, _family_name_key),
        Derived("company_name_key", {"company_name"}, _company_name_key),
    ],
)


def is_time_zone(name: str) -> bool:
    return name in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    # not zoneinfo's, which adds the machine's own time zones
    import tzdata  # type: ignore[import-untyped]

    return frozenset(packaged.read_text(tzdata, "zones").split()) - {"Factory"}


def has_a_name(fields: Fields) -> bool:
    """Return whether the customer has a given name, a family name or a company name."""
    return bool(fields["given_name"] or fields["family_name"] or fields["company_name"])


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
