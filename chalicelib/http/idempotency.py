"""The Idempotency-Key of a request: its syntax, its hash and its stored form.

Keys belong to a caller and an operation: another caller may use the same key. The database stores
a hash of the key, and a fingerprint of the request body. Computing either requires the service's
own key. A reader of the database learns neither, and cannot try out callers, keys or bodies
(docs/decisions/0008).

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


class Key(NamedTuple):
    """A secret built from the caller, the operation and the key; only the service can build it.

    `unkeyed` is the secret that the first versions used, which anyone could build. Rows that they
    created can only be found by it.
    """

    secret: bytes
    unkeyed: bytes


class Stored(NamedTuple):
    """The columns by which a retry of the request that created a row is recognized.

    The hash of a key and the fingerprint of a body; None if the request has no key. `last_write` is
    the fingerprint of the whole request, if its path names the resource.
    """

    key: bytes | None = None
    fingerprint: bytes | None = None
    last_write: bytes | None = None

    @property
    def columns(self) -> dict[str, Value]:
        """The columns of the first row that a request creates, without those that are null."""
        if self.key is not None:
            return {"idempotency_key": self.key, "idempotency_fingerprint": self.fingerprint}
        return {"last_write": self.last_write} if self.last_write else {}


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


def derive(header: str | None, caller: str, operation: str, service_key: bytes) -> Key | None:
    """Return the key of the caller for the operation. Raises ValidationError."""
    key = parse(header)
    if key is None:
        return None
    unkeyed = hashlib.sha256(json.dumps([caller, operation, key]).encode()).digest()
    return Key(hmac.digest(service_key, b"create:" + unkeyed, "sha256"), unkeyed)


def to_stored(secret: bytes | None, body: Iterable[object]) -> Stored:
    """Return the stored form of the secret and of the validated body."""
    if secret is None:
        return Stored()
    canonical = _to_canonical(list(body)).encode()
    return Stored(hashlib.sha256(secret).digest(), hmac.digest(secret, canonical, "sha256"))


def check_body(earlier_fingerprint: object, *possible: Stored) -> None:
    """Raise IdempotencyKeyReused if the earlier request with this key had another body."""
    if earlier_fingerprint not in {stored.fingerprint for stored in possible}:
        raise IdempotencyKeyReused(
            "This key was used with a different body. Send the same body, or use a new key."
        )
