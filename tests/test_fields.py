"""Every customer field declared in `chalicelib.customers.fields` is known everywhere else.

A failure names the place where a field is missing, and the field.
"""

import re
from collections.abc import Collection
from pathlib import Path

import pytest
from marshmallow.fields import Field

from chalicelib.customers import erasure, queries, schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, tables
from chalicelib.http import fields, formats
from openapi import customers as documentation
from openapi.build import document

REFERENCE = (Path(__file__).parent.parent / "docs/reference/api.md").read_text()
SCHEMA = schemas.Customer().fields
COMPONENTS = document()["components"]["schemas"]
READ_ONLY = [name for name in CUSTOMERS.names if name not in CUSTOMERS.writable]
# columns that the service sets, or the database generates for indexes
OTHER_COLUMNS = (
    *("erased_at", "changed_at", "history", "last_write", *tables.IDEMPOTENCY),
    *("state", "name", *(f"{unique.field}_live" for unique in CUSTOMERS.unique)),
)


def differences(declared: Collection[str], known: Collection[str]) -> dict[str, list[str]]:
    """Return the names that only one of the places contains."""
    return {
        "missing": [name for name in declared if name not in known],
        "not declared in fields.py": [name for name in known if name not in declared],
    }


NONE = differences((), ())


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("schemas.Customer", SCHEMA),
        ("an example of a customer", documentation.CUSTOMER),
        ("the component Customer", COMPONENTS["Customer"]["properties"]),
        ("the component PartialCustomer", COMPONENTS["PartialCustomer"]["properties"]),
        ("the component CustomerPatch", COMPONENTS["CustomerPatch"]["properties"]),
        ("the component CustomerReplacement", COMPONENTS["CustomerReplacement"]["properties"]),
    ],
)
def test_every_field_is_known(place: str, names: Collection[str]) -> None:
    assert (place, differences(CUSTOMERS.names, names)) == (place, NONE)


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("erasure", [name for name in erasure._EMPTIED if name in CUSTOMERS.writable]),
        ("the component CustomerCreation", COMPONENTS["CustomerCreation"]["properties"]),
        (
            "the API reference",
            [name for name in CUSTOMERS.writable if f"| `{name}` |" in REFERENCE],
        ),
    ],
)
def test_every_writable_field_is_known(place: str, names: Collection[str]) -> None:
    assert (place, differences(CUSTOMERS.writable, names)) == (place, NONE)


def test_read_only_fields_are_read_only_in_the_schema() -> None:
    known = [name for name, field in SCHEMA.items() if isinstance(field, fields.ReadOnly)]

    assert differences(READ_ONLY, known) == NONE


def test_every_field_can_be_selected() -> None:
    selectable = queries.GetCustomer().fields["members"].inner.validators[0].choices  # type: ignore[attr-defined]

    assert differences(CUSTOMERS.names, selectable) == NONE


def test_every_field_has_a_column(database: Database) -> None:
    assert differences((*CUSTOMERS.stored, *OTHER_COLUMNS), widths(database)) == NONE


def test_columns_hold_the_longest_valid_value(database: Database) -> None:
    limits = {name: limit(field) for name, field in SCHEMA.items() if name in CUSTOMERS.writable}
    too_narrow = {
        name: f"limit {maximum}, column {width}"
        for name, width in widths(database).items()
        if width is not None and (maximum := limits.get(name, 0)) > width
    }

    assert too_narrow == {}


def test_details_don_t_depend_on_other_fields() -> None:
    """The size limit counts all fields but details; a name is one of three fields."""
    assert CUSTOMERS.details.isdisjoint({"given_name", "family_name", "company_name"})
    assert CUSTOMERS.details.isdisjoint({"addresses", "metadata"})


def widths(database: Database) -> dict[str, int | None]:
    """Return the maximum number of characters of each column; None if it is not text."""
    rows = database.fetch_all("SHOW COLUMNS FROM customers")
    types = {str(row["Field"]): str(row["Type"]) for row in rows}
    found = {name: re.match(r"varchar\((\d+)\)", kind) for name, kind in types.items()}
    return {name: int(match[1]) if match else None for name, match in found.items()}


def limit(field: Field[object]) -> int:
    """Return the maximum number of characters that the field stores."""
    if isinstance(field, formats.Phone):
        return 16  # E.164: a plus and 15 digits
    return field.max_length if isinstance(field, fields.Text) else 0
