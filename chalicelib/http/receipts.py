"""Receipts of erasures, which can be verified without the service.

A receipt is a JSON Web Token with HMAC-SHA-256 (RFC 7515, HS256). Its key is derived from the
service's key, so an operator can keep it, or give it to an auditor, without the service's key.
docs/decisions/0031 gives reasons. `infrastructure.receipts` verifies receipts.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.http.documents import dumps
from chalicelib.http.values import format_time
from chalicelib.settings import SERVICE

TYPE = "erasure-receipt+jwt"
"""The type in the header, which no other token has (RFC 8725, section 3.11)."""


def derive_key(service_key: bytes) -> bytes:
    """Return the key of receipts, which does not reveal the service's key."""
    return hmac.digest(service_key, b"erasure receipts", "sha256")


def key_id(key: bytes) -> str:
    """Return the name of a key in the header of its receipts."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:16]


def erasure(key: bytes, resource_id: UUID, erased_at: datetime) -> dict[str, Any]:
    """Return the proof of an erasure: the id, the time, and the receipt, always the same."""
    time = format_time(erased_at)
    claims = {"iss": SERVICE, "sub": str(resource_id), "erased_at": time}
    return {"id": str(resource_id), "erased_at": time, "receipt": _sign(key, claims)}


def _sign(key: bytes, claims: dict[str, Any]) -> str:
    header = {"alg": "HS256", "typ": TYPE, "kid": key_id(key)}
    signed = ".".join(_encode(dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encode(hmac.digest(key, signed.encode(), 'sha256'))}"


def _encode(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()
