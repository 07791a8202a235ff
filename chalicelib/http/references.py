"""References to objects that are imported only when needed, such as `chalicelib.http:queries`."""

from importlib import import_module
from typing import Any


def resolve(reference: str) -> Any:
    """Return the object that `module:name` refers to. Raises ImportError, AttributeError."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
