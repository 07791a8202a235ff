"""Tokens and keys are parsed and verified as PyJWT does, an independent implementation."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chalicelib.tokens import jws

RSA = rsa.generate_private_key(65_537, 2_048)
EC = ec.generate_private_key(ec.SECP256R1())
JWKS: dict[str, dict[str, Any]] = {
    "RS256": {"kid": "a", **RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)},
    "ES256": {"kid": "a", **ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)},
}
SIGNERS: dict[str, Any] = {"RS256": RSA, "ES256": EC}
CLAIMS = {"sub": "ada", "exp": 1}
UNCHECKED = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_sub"), False)

ALGORITHMS = st.sampled_from(["RS256", "ES256"])
BYTES = st.binary(max_size=40) | st.binary(min_size=64, max_size=64)


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def ours(token: str, jwk: dict[str, Any]) -> dict[str, Any] | None:
    """Return the claims; None if the token or the key is rejected."""
    try:
        parsed, key = jws.parse(token), jws.public_key(jwk)
    except ValueError:
        return None
    return parsed.claims if jws.verify(parsed, key) else None


def theirs(token: str, jwk: dict[str, Any]) -> dict[str, Any] | None:
    try:
        key = jwt.PyJWK(jwk)
        if key.algorithm_name not in jws.ALGORITHMS.values():
            return None
        key.Algorithm.prepare_key(key.key)
        return jwt.decode(token, key, options={**UNCHECKED, "verify_jti": False})  # type: ignore[arg-type]
    except (jwt.PyJWTError, TypeError, ValueError):
        return None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_signed_claims_are_returned(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, SIGNERS[algorithm], algorithm)

    assert ours(token, JWKS[algorithm]) == theirs(token, JWKS[algorithm]) == CLAIMS


@given(ALGORITHMS, ALGORITHMS, ALGORITHMS, BYTES | st.none())
@settings(max_examples=100)
@example("RS256", "ES256", "RS256", None)
@example("ES256", "ES256", "ES256", b"\0" * 64)
def test_only_the_signature_of_the_key_is_accepted(
    named: str, signed_with: str, algorithm: str, signature: bytes | None
) -> None:
    """Also if the token names another algorithm than that of the key."""
    signer = jwt.get_algorithm_by_name(signed_with)
    signed = f"{encoded(json.dumps({'alg': named}).encode())}.{encoded(b'{}')}"
    made = signer.sign(signed.encode(), SIGNERS[signed_with])
    token = f"{signed}.{encoded(made if signature is None else signature)}"

    claims = ours(token, JWKS[algorithm])

    assert claims == theirs(token, JWKS[algorithm])
    assert (claims is not None) == (named == signed_with == algorithm and signature is None)


@given(ALGORITHMS, st.integers(0, 700), st.sampled_from("Aa0-_.=+/ \n\0é"), st.booleans())
@settings(max_examples=300)
def test_changed_token_is_rejected(algorithm: str, at: int, letter: str, inserts: bool) -> None:  # noqa: FBT001
    token = jwt.encode(CLAIMS, SIGNERS[algorithm], algorithm)
    at %= len(token)
    changed = token[:at] + letter + token[at + (not inserts) :]

    assert ours(changed, JWKS[algorithm]) in (None, theirs(changed, JWKS[algorithm]))
    assert (ours(changed, JWKS[algorithm]) is None) == (changed != token)


PARTS = [b"{}", b"[]", b"{", b"null", b'{"a": 1}', b"\xff", b"[" * 100_000, b'{"b64":false}']


@given(st.sampled_from(PARTS) | BYTES, st.sampled_from(PARTS) | BYTES)
@settings(max_examples=100)
@example(b'{"alg":"ES256","crit":["exp"]}', b"{}")
@example(b'{"alg":"ES256","crit":["b64"],"b64":false}', b"")
def test_malformed_token_is_rejected(header: bytes, claims: bytes) -> None:
    """Also if it is signed."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signed.encode(), EC)
    token = f"{signed}.{encoded(signature)}"

    assert ours(token, JWKS["ES256"]) is None
    assert theirs(token, JWKS["ES256"]) is None


@given(
    ALGORITHMS,
    st.dictionaries(
        st.sampled_from(["kty", "alg", "crv", "n", "e", "x", "y"]),
        st.sampled_from(["RSA", "EC", "oct", "RS256", "ES256", "HS256", "P-256", "P-384", "AQAB"])
        | st.text("Aa-_=", max_size=44)
        | st.sampled_from([None, 7, [], JWKS["ES256"]["y"]]),
        max_size=2,
    ),
)
@settings(max_examples=300)
@example("RS256", {"n": encoded(b"\xff" * 128)})
@example("ES256", {"x": encoded(b"\0" + urlsafe_b64decode(f"{JWKS['ES256']['x']}="))})
def test_changed_key_is_rejected(algorithm: str, changes: dict[str, Any]) -> None:
    token = jwt.encode(CLAIMS, SIGNERS[algorithm], algorithm)
    jwk = JWKS[algorithm] | changes

    claims = ours(token, jwk)

    if claims is not None:
        assert claims == theirs(token, jwk) == CLAIMS


@pytest.mark.parametrize("end", range(1, 64, 2))
def test_key_may_end_with_any_character(end: int) -> None:
    """With 3,072 bits, the last character has no padding."""
    modulus = (1 << 3_071) + end
    jwk = {"kid": "a", "kty": "RSA", "e": "AQAB", "n": encoded(modulus.to_bytes(384))}

    assert jws.public_key(jwk).public.public_numbers() == rsa.RSAPublicNumbers(65_537, modulus)
