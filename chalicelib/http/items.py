"""The items of a request for several resources, and their places in its body."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from chalicelib.http.problems import InputError, Problem, ValidationError, invalid
from chalicelib.http.resources import MAX_BATCH, MAX_VERSION, Fields, Resource
from chalicelib.http.rules import Unsure
from chalicelib.http.values import UUID_TEXT

_REFERENCE = {"id", "version"}


class Item(NamedTuple):
    """A resource that a client has read, and the merge patch for it."""

    id: UUID
    version: int
    patch: Mapping[str, Any]


def load_changes(document: object) -> list[Item]:
    """Return the items of a request that updates. Raises ValidationError."""
    try:
        return _accept(document, has_patches=True)
    except Unsure:
        from chalicelib.http import schemas

        return [_to_item(each) for each in schemas.load_changes(document)]


def load_references(document: object) -> list[Item]:
    """Return the items of a request that deletes. Raises ValidationError."""
    try:
        return _accept(document, has_patches=False)
    except Unsure:
        from chalicelib.http import schemas

        return [_to_item(each) for each in schemas.load_references(document)]


def pointer(number: int) -> str:
    """Return the place of an item in the body."""
    return f"/items/{number}"


def placed(problem: Problem, number: int) -> list[InputError]:
    """Return the errors of an item, with their places in the whole body."""
    return [
        {**error, "pointer": f"{pointer(number)}{error.get('pointer', '')}"}
        for error in problem.errors
    ]


def separate(
    resource: Resource, items: Sequence[object], load: Callable[[object], dict[str, Any]]
) -> list[dict[str, Any] | Problem]:
    """Return what `load` returns for each item, or the problem of an item that is invalid.

    An item is also invalid if an earlier valid one has its value of a unique field.
    """
    first: dict[tuple[str, str], int] = {}
    separated: list[dict[str, Any] | Problem] = []
    for n, item in enumerate(items):
        try:
            fields = load(item)
            _claim(resource, fields, first, n)
        except ValidationError as problem:
            separated.append(ValidationError(problem.detail, placed(problem, n)))
        else:
            separated.append(fields)
    return separated


def _claim(
    resource: Resource, fields: Fields, first: dict[tuple[str, str], int], number: int
) -> None:
    """Note that the item has its unique values. Raises ValidationError if an earlier one does."""
    keys = {
        (unique.field, key): number
        for unique in resource.unique
        if (key := unique.to_column(fields[unique.field])) is not None
    }
    if repeated := keys.keys() & first.keys():
        details = [(f"/{key[0]}", f"repeated: Duplicates item {first[key]}.") for key in repeated]
        raise invalid("pointer", sorted(details))
    first |= keys


def _accept(document: object, *, has_patches: bool) -> list[Item]:
    """Return the items if all are certainly valid and normalized. Raises Unsure."""
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(document) > 1 or not 0 < len(items) <= MAX_BATCH:  # type: ignore[arg-type]
        raise Unsure
    if not all(isinstance(item, dict) and _is_certain(item) for item in items):
        raise Unsure
    if len({item["id"] for item in items}) < len(items):
        raise Unsure
    if not has_patches and any(len(item) > len(_REFERENCE) for item in items):
        raise Unsure
    return [_to_item(item) for item in items]


def _is_certain(item: Mapping[str, Any]) -> bool:
    resource_id, version = item.get("id"), item.get("version")
    return (
        isinstance(resource_id, str)
        and bool(UUID_TEXT.fullmatch(resource_id))
        and resource_id == resource_id.lower()
        and type(version) is int
        and 0 < version <= MAX_VERSION
    )


def _to_item(item: Mapping[str, Any]) -> Item:
    patch = {name: value for name, value in item.items() if name not in _REFERENCE}
    return Item(UUID(item["id"]), item["version"], patch)
