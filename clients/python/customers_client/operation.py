"""A request of the API that has not been sent yet. Generated functions return it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A request, and how to parse the JSON of a successful response."""

    method: str
    url: str
    parse: Callable[[Mapping[str, Any]], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None


def no_content(_: object) -> None:
    """Parse a response without content."""
