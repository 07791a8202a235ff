"""Where a page of customers ended, as text for a URL."""

from base64 import b64decode, urlsafe_b64encode
from uuid import UUID


def encode(last: UUID) -> str:
    return urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    """Return the id that the cursor holds. Raises ValueError when it holds none."""
    return UUID(bytes=b64decode(cursor + "==", altchars=b"-_", validate=True))
