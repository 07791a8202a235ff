"""The Idempotency-Key of a request: its syntax, its hash and its stored form.

Keys belong to a caller and an operation: another caller may use the same key. The database stores
a hash of the key, and a fingerprint of the request body that only someone with the key can compute.
A reader of the database learns neither, and cannot try out bodies (docs/decisions/0008).

Source: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.database import Value
from chalicelib.http.problems import IdempotencyKeyReused, invalid

# json.dumps with arguments creates an encoder for each call
_to_canonical = json.JSONEncoder(sort_keys=True).encode
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class Stored(NamedTuple):
    """The stored hash of a key, and fingerprint of a body; None if the request has no key."""

    key: bytes | None = None
    fingerprint: bytes | None = None

    @property
    def columns(self) -> dict[str, Value]:
        """The columns of the first row that a request creates, without those that are null."""
        if self.key is None:
            return {}
        return {"idempotency_key": self.key, "idempotency_fingerprint": self.fingerprint}

    def check(self, earlier_fingerprint: object) -> None:
        """Raise IdempotencyKeyReused if the earlier request with this key had another body."""
        if earlier_fingerprint != self.fingerprint:
            raise IdempotencyKeyReused(
                "This key was used with a different body. Send the same body, or use a new key."
            )


def parse(header: str | None) -> str | None:
    """Return the key, which may be quoted. Raises ValidationError."""
    if header is None:
        return None
    key = _KEY.fullmatch(header.strip())
    if key is None:
        message = (
            "idempotency-key: Must have 1 to 255 printable ASCII characters without spaces, such as"
            " a UUID. Put a key with spaces in quotation marks."
        )
        raise invalid("header", [("Idempotency-Key", message)])
    return key[1] or key[2]


def derive(header: str | None, caller: str, operation: str) -> bytes | None:
    """Return a secret built from the caller, the operation and the key. Raises ValidationError."""
    key = parse(header)
    if key is None:
        return None
    return hashlib.sha256(json.dumps([caller, operation, key]).encode()).digest()


def to_stored(secret: bytes | None, body: Iterable[object]) -> Stored:
    """Return the stored form of the secret and of the validated body."""
    if secret is None:
        return Stored()
    canonical = _to_canonical(list(body)).encode()
    return Stored(hashlib.sha256(secret).digest(), hmac.digest(secret, canonical, "sha256"))
