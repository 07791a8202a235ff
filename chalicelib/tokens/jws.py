"""Parse JSON Web Tokens in compact form, and verify their signatures.

The package `cryptography` verifies the signatures. The first token imports it, because only the
authorizer's package contains it. Importing PyJWT, which would parse tokens, too, takes twice as
many instructions as all other work of a cold start. `tests/test_jws.py` compares this module with
PyJWT.

Sources: RFC 7515 (signatures), 7517 (keys), 7518 (algorithms).
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
"""The algorithm for each type of key."""
MIN_RSA_BITS = 2_048
EC_BYTES = 32  # of each of two numbers: the coordinates of a key, and the parts of a signature


class Token(NamedTuple):
    """The parts of a token. The claims are untrusted until `verify` has returned true."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


class Key(NamedTuple):
    """A public key, which verifies signatures of one algorithm."""

    kid: str
    algorithm: str
    public: "RSAPublicKey | EllipticCurvePublicKey"


def parse(token: str) -> Token:
    """Return the parts of a token. Raises ValueError if the token is malformed.

    Tokens with critical extensions (`crit`, and `b64` of RFC 7797) are malformed, because this
    service supports none.
    """
    header, claims, signature = token.split(".")
    parsed = Token(
        _object(header), _object(claims), f"{header}.{claims}".encode(), _decode(signature)
    )
    if not parsed.header.keys().isdisjoint({"crit", "b64"}):
        raise ValueError("unsupported extension")
    return parsed


def public_key(item: dict[str, Any]) -> Key:
    """Return the key of a JWK that has a `kid`.

    Raises ValueError for all keys except RSA keys for RS256 and P-256 keys for ES256.
    """
    kind = item.get("kty")
    algorithm = ALGORITHMS.get(kind) if isinstance(kind, str) else None
    if algorithm is None or (item.get("alg") or algorithm) != algorithm:
        raise ValueError("unsupported algorithm")
    public = _rsa_key(item) if kind == "RSA" else _ec_key(item)
    return Key(str(item["kid"]), algorithm, public)


def verify(token: Token, key: Key) -> bool:
    """Return whether the key signed the token with the key's algorithm."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.hashes import SHA256

    if token.header.get("alg") != key.algorithm:
        return False
    try:
        if key.algorithm == "RS256":
            from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

            key.public.verify(token.signature, token.signed, PKCS1v15(), SHA256())  # type: ignore[arg-type, call-arg]
        else:
            from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

            signature = _to_der(token.signature)
            key.public.verify(signature, token.signed, ECDSA(SHA256()))  # type: ignore[arg-type, call-arg]
    except (InvalidSignature, ValueError):
        return False
    return True


def _rsa_key(item: dict[str, Any]) -> "RSAPublicKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    key = RSAPublicNumbers(_number(item.get("e")), _number(item.get("n"))).public_key()
    if key.key_size < MIN_RSA_BITS:
        raise ValueError("too short")
    return key


def _ec_key(item: dict[str, Any]) -> "EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers

    if item.get("crv") != "P-256":
        raise ValueError("unsupported curve")
    x, y = (_number(item.get(name), EC_BYTES) for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


def _to_der(signature: bytes) -> bytes:
    """Return the DER form of a signature that consists of two numbers (RFC 7518, section 3.4)."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if len(signature) != 2 * EC_BYTES:
        raise ValueError("wrong length")
    r, s = signature[:EC_BYTES], signature[EC_BYTES:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def _number(text: object, size: int | None = None) -> int:
    if not isinstance(text, str):
        raise ValueError("not a number")  # noqa: TRY004 (documented)
    number = _decode(text.rstrip("="))
    if size is not None and len(number) != size:
        raise ValueError("wrong length")
    return int.from_bytes(number)


def _object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(segment))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 (documented)
    return value


def _decode(segment: str) -> bytes:
    """Return the bytes of a text in base64url without padding. Raises ValueError."""
    try:
        decoded = b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if urlsafe_b64encode(decoded).rstrip(b"=") != segment.encode():
        raise ValueError("not canonical base64url")
    return decoded
