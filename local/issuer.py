"""The local token issuer. `python -m local.issuer` prints a token.

Its keys are created on first use and stored in the state directory, readable only by their owner.
The local stack's console publishes the public keys.
"""

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app import SCOPES
from chalicelib.settings import LOCAL_AUDIENCE, LOCAL_ISSUER
from local import state
from local.processes import LocalError
from local.stack import Settings

LIFETIME_SECONDS = 12 * 3_600
SUBJECT = "local-developer"


class Issuer:
    """Signs tokens of the issuer `url` with the keys in a state directory."""

    def __init__(self, directory: Path, url: str = LOCAL_ISSUER) -> None:
        """Load the keys, or create them. Raises LocalError if they can't be read."""
        self.url = url
        self._keys = {key.algorithm_name: key for key in _keys(directory / "issuer.json")}

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [_public(key) for key in self._keys.values()]}

    def token(
        self,
        scopes: Iterable[str] = SCOPES,
        *,
        subject: str = SUBJECT,
        audience: str = LOCAL_AUDIENCE,
        seconds: int = LIFETIME_SECONDS,
        algorithm: str = "ES256",
        **claims: object,
    ) -> str:
        """Return an access token (RFC 9068) that expires after `seconds`.

        `claims` add to the default claims or replace them; None removes a claim.
        """
        now = int(time.time())
        own = {
            "iss": self.url,
            "aud": audience,
            "sub": subject,
            "client_id": "local",
            "iat": now,
            "exp": now + seconds,
            "jti": secrets.token_hex(16),
            "scope": " ".join(scopes),
        }
        payload = {name: value for name, value in (own | claims).items() if value is not None}
        key = self._keys[algorithm]
        return jwt.encode(payload, key, headers={"typ": "at+jwt", "kid": key.key_id})


def main() -> int:
    """Print a token for the local stack. Return the exit code."""
    scopes = _scopes()
    try:
        settings = Settings.from_environ(os.environ)
        state.make(settings.state)
        print(Issuer(settings.state, settings.console_url).token(scopes))
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _scopes() -> list[str]:
    parser = argparse.ArgumentParser(
        prog="python -m local.issuer",
        description="Print a token for the local stack, valid for 12 hours.",
        epilog="Environment: PORT, CONSOLE_PORT and LOCAL_STATE, as for `python -m local run`.",
    )
    valid = " ".join(SCOPES)
    parser.add_argument("--scope", default=valid, help="separated by spaces (%(default)s)")
    scopes: list[str] = parser.parse_args().scope.split()
    if unknown := set(scopes).difference(SCOPES):
        parser.error(f"unknown scope: {' '.join(sorted(unknown))}; valid scopes: {valid}")
    return scopes


def _keys(path: Path) -> list[jwt.PyJWK]:
    if not path.exists():
        _write_once(path, json.dumps({"keys": _new_keys()}))
    try:
        return jwt.PyJWKSet.from_json(path.read_text()).keys
    except (ValueError, AttributeError, jwt.PyJWTError):
        raise LocalError(f"can't read {path}: delete it to create new keys") from None


def _new_keys() -> list[dict[str, Any]]:
    ecdsa = ec.generate_private_key(ec.SECP256R1())
    rsassa = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return [
        {"alg": "ES256", "kid": secrets.token_hex(8), **ECAlgorithm.to_jwk(ecdsa, as_dict=True)},
        {"alg": "RS256", "kid": secrets.token_hex(8), **RSAAlgorithm.to_jwk(rsassa, as_dict=True)},
    ]


def _public(key: jwt.PyJWK) -> dict[str, Any]:
    public: dict[str, Any] = key.Algorithm.to_jwk(key.key.public_key(), as_dict=True)
    return public | {"kid": key.key_id, "use": "sig", "alg": key.algorithm_name}


def _write_once(path: Path, text: str) -> None:
    """Write a complete file, readable only by its owner, unless another process was faster."""
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        # Unlike a rename, a link never replaces keys that tokens may already be signed with.
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        Path(unfinished).unlink()


if __name__ == "__main__":
    sys.exit(main())
