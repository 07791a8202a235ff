"""Validate common new customers without importing marshmallow.

This fast path uses the rules in `accepted.json`, which `make openapi` generates from `schemas`
(`chalicelib.http.rules` describes them). It accepts only input that is certainly valid and already
normalized. Everything else falls back to `schemas`, which is the only module that rejects.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.customers.fields import MAX_SIZE, has_a_name, size
from chalicelib.http.rules import Check, Unsure, compile_object


def load_customer(document: object) -> dict[str, Any]:
    """Return what `schemas.load_customer` returns for a new customer. Raises ValidationError."""
    try:
        return accept(document)
    except Unsure:
        from chalicelib.customers import schemas

        return schemas.load_customer(document)


def accept(document: object) -> dict[str, Any]:
    """Return what `schemas.load_customer` would return. Raises Unsure if that is not certain."""
    customer: dict[str, Any] = _check()(document)
    # without addresses and metadata, every customer is small enough
    has_documents = customer["addresses"] or customer["metadata"]
    if not has_a_name(customer) or (has_documents and size(customer) > MAX_SIZE):
        raise Unsure
    return customer


@cache
def _check() -> Check:
    text = Path(__file__).with_name("accepted.json").read_text(encoding="utf-8")
    return compile_object(json.loads(text))
