"""What stands in the way of a write: another customer, or a request that was faster."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from chalicelib.customers.rows import Fields, email_key
from chalicelib.database import Database, Row
from chalicelib.http.problems import (
    EmailTaken,
    ExternalIdTaken,
    InputError,
    Problem,
    ServiceUnavailable,
)

ATTEMPTS = 5  # of a write that others overtake


def rivals(database: Database, batch: Collection[Fields], key: bytes | None = None) -> list[Row]:
    """Return who has what the customers want to have, and what was created with the key."""
    emails = {
        f"email_{n}": email_key(each["email"]) for n, each in enumerate(batch) if each.get("email")
    }
    external_ids = {
        f"external_id_{n}": each["external_id"]
        for n, each in enumerate(batch)
        if each.get("external_id")
    }
    conditions = ["idempotency_key = :idempotency_key"]
    if emails:
        conditions.append(f"email_live IN ({', '.join(f':{name}' for name in emails)})")
    if external_ids:
        conditions.append(f"external_id_live IN ({', '.join(f':{name}' for name in external_ids)})")
    return database.fetch_all(
        "SELECT id, email_key, external_id, idempotency_fingerprint,"
        " idempotency_key = :idempotency_key AS is_earlier"
        f" FROM customers WHERE {' OR '.join(conditions)}",
        idempotency_key=key,
        **emails,
        **external_ids,
    )


def taken(
    found: Iterable[Row], wanted: Mapping[str, Fields], own_id: UUID | None = None
) -> Problem | None:
    """Return what a duplicate key means; which one the server named is not to be relied on."""
    others = [row for row in found if own_id is None or row["id"] != own_id.bytes]
    emails = {row["email_key"] for row in others}
    external_ids = {row["external_id"] for row in others if row["external_id"]}
    errors: list[InputError] = []
    for pointer, fields in wanted.items():
        if email_key(fields.get("email", "")) in emails:
            errors.append(_is_taken(f"{pointer}/email"))
        if fields.get("external_id") in external_ids:
            errors.append(_is_taken(f"{pointer}/external_id"))
    if not errors:
        return None
    by_email = any(error["pointer"].endswith("/email") for error in errors)
    problem = EmailTaken if by_email else ExternalIdTaken
    return problem("Choose another, or change the customer that has it.", errors)


def _is_taken(pointer: str) -> InputError:
    return {"pointer": pointer, "code": "taken", "detail": "Is another customer's."}


def overtaken() -> Problem:
    return ServiceUnavailable("Other requests keep changing the same. Try again.", retry_after=1)
