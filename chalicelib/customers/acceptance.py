"""Validate customers in requests, by the fast path where possible.

`chalicelib.http.rules` describes the fast path. `load_each` and `load_put` use `load_customer`.
Each other `load` function returns what the function of the same name in `schemas` returns, and
raises ValidationError. Each `accept` function is the fast path alone: it raises Unsure for input
that is not certainly valid and already normalized. `accept` and `accept_batch` repeat the rules
between fields, the methods that `schemas` decorates with `validates_schema`.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.customers.fields import CUSTOMERS, MAX_SIZE, has_a_name, size
from chalicelib.http import edits
from chalicelib.http.items import separate
from chalicelib.http.problems import Problem, invalid
from chalicelib.http.resources import MAX_BATCH
from chalicelib.http.rules import ObjectRules, Unsure, rules_of


def load_customer(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all writable fields of a new customer, or of a replacement of `current`."""
    try:
        return accept(document, current)
    except Unsure:
        return _schemas().load_customer(document, current)  # type: ignore[no-any-return]


def load_batch(document: object) -> list[dict[str, Any]]:
    """Return all writable fields of each customer of a batch."""
    try:
        return accept_batch(document)
    except Unsure:
        return _schemas().load_batch(document)  # type: ignore[no-any-return]


def load_each(document: object) -> list[dict[str, Any] | Problem]:
    """Return for each customer of a batch its writable fields, or why it is invalid.

    Raises ValidationError if the document is no batch.
    """
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(document) > 1 or not 0 < len(items) <= MAX_BATCH:  # type: ignore[arg-type]
        return _schemas().load_batch(document)  # type: ignore[no-any-return]
    return separate(CUSTOMERS, items, load_customer)


def load_patch(patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return all writable fields of `current` with the merge patch applied."""
    try:
        return accept_patch(patch, current)
    except Unsure:
        return _schemas().load_patch(patch, current)  # type: ignore[no-any-return]


def load_details(patch: object) -> dict[str, Any]:
    """Return the details that the merge patch sets."""
    try:
        return accept_details(patch)
    except Unsure:
        return _schemas().load_details(patch)  # type: ignore[no-any-return]


def load_external_id(text: str) -> str:
    """Return the external id in a path, normalized as in a body."""
    try:
        return accept_external_id(text)
    except Unsure:
        return _schemas().load_external_id(text)  # type: ignore[no-any-return]


def load_put(
    document: object, external_id: str, current: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what `load_customer` returns, for a path with the external id.

    The body may repeat the external id. Raises ValidationError if it has another one.
    """
    if isinstance(document, Mapping):
        document = {"external_id": external_id, **document}
    customer = load_customer(document, current)
    if customer["external_id"] != external_id:
        detail = "mismatch: Must be the external id in the path. Leave it out, or correct the path."
        raise invalid("pointer", [("/external_id", detail)])
    return customer


def accept(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    rules = _rules()
    if current:
        document = edits.without_unchanged(document, current, rules.read_only)
    customer = rules.check(document)
    # without addresses and metadata, every customer is small enough
    has_documents = customer["addresses"] or customer["metadata"]
    if not has_a_name(customer) or (has_documents and size(customer) > MAX_SIZE):
        raise Unsure
    return customer


def accept_batch(document: object) -> list[dict[str, Any]]:
    if not isinstance(document, dict) or document.keys() != {"items"}:
        raise Unsure
    items = document["items"]
    if not isinstance(items, list) or not 0 < len(items) <= MAX_BATCH:
        raise Unsure
    batch = [accept(item) for item in items]
    for unique in CUSTOMERS.unique:
        keys = [key for item in batch if (key := unique.to_column(item[unique.field])) is not None]
        if len(set(keys)) < len(keys):
            raise Unsure
    return batch


def accept_patch(patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    rules = _rules()
    patch = edits.without_unchanged(patch, current, rules.read_only)
    writable = {name: current[name] for name in CUSTOMERS.writable}
    return accept(edits.patched(patch, writable, rules.optional))


def accept_external_id(text: str) -> str:
    return str(_rules().check_some({"external_id": text})["external_id"])


def accept_details(patch: object) -> dict[str, Any]:
    if not edits.is_of_details(CUSTOMERS.details, patch):
        raise Unsure
    return _rules().check_some(patch)


def _rules() -> ObjectRules:
    return rules_of("chalicelib.customers.schemas:Customer")


def _schemas() -> Any:
    from chalicelib.customers import schemas

    return schemas
