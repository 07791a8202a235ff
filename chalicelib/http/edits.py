"""Replacements and merge patches of a resource, as documents that are still to be validated."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from chalicelib.http.documents import merge_patch


def without_unchanged(
    document: object, current: Mapping[str, Any], read_only: Collection[str]
) -> object:
    """Return the document without the read-only fields that it may repeat.

    They equal those of `current`, or are not known there.
    """
    if not isinstance(document, dict):
        return document
    return {
        name: value
        for name, value in document.items()
        if name not in read_only or not _is_same(value, current.get(name, value))
    }


def patched(patch: object, current: Mapping[str, Any], optional: Collection[str]) -> object:
    """Return `current` with the merge patch applied.

    Null removes the value of an optional field. For other fields, the result contains null, which
    is invalid.
    """
    merged = merge_patch(current, patch)
    if isinstance(merged, dict) and isinstance(patch, dict):
        nulls = {name for name, value in patch.items() if value is None}
        merged |= dict.fromkeys(nulls.difference(optional))
    return merged


def is_of_details(details: AbstractSet[str], patch: object) -> bool:
    """Return whether the merge patch can be validated without the current resource."""
    return isinstance(patch, dict) and bool(patch) and patch.keys() <= details


def _is_same(value: object, current: object) -> bool:
    """Return whether a read-only field is unchanged; times may be written in another way."""
    if value == current or not (isinstance(value, str) and isinstance(current, str)):
        return value == current
    try:
        return datetime.fromisoformat(value) == datetime.fromisoformat(current)
    except (ValueError, TypeError):
        return False
