"""Fill the search keys of all customers, and compute the keys of their email addresses again.

Email keys were made with `lower`, which leaves some letters of equal addresses different, such as
the final sigma. If two customers now have equal addresses, only one can have the new key: the one
that has it already, or else the one that was created first. The other one keeps its old key, and
the run reports its id. This customer can still be read, searched by name and patched. `?email=`
finds the customer with the new key only, and a PUT with this address is a conflict (409) until one
of the two addresses is changed.
"""

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Row, Value
from migrations.filling import Fill

COLUMNS = ("email_key", "name_key", "family_name_key", "company_name_key")


def compute(row: Row) -> dict[str, Value]:
    return CUSTOMERS.to_row(row, COLUMNS)


FILL = Fill(
    "customers",
    ("email", "given_name", "family_name", "company_name"),
    compute,
    unique=frozenset({"email_key"}),
)
