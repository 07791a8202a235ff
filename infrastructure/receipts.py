"""Verify the receipt of an erasure, without the service.

The key of receipts is derived from the service's key, CURSOR_KEY. `key` prints it in hexadecimal.
Keep it in a file: each change of CURSOR_KEY changes the key of new receipts.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import jwt

from chalicelib.http import receipts
from chalicelib.settings import SERVICE, ApiSettings, SettingsError
from infrastructure.failures import Failure


def main() -> int:
    """Run a command. Return the exit code: 1 if the receipt is not valid."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.receipts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("key", help="print the key of receipts, from CURSOR_KEY")
    verifying = commands.add_parser("verify", help="verify a receipt, and print what it states")
    verifying.add_argument("receipt", help="the field `receipt` of the response")
    verifying.add_argument(
        "--key", type=Path, help="file with the key of receipts. Default: derived from CURSOR_KEY"
    )
    options = parser.parse_args()
    try:
        if options.command == "key":
            print(derived_key().hex())
        else:
            key = read_key(options.key) if options.key else derived_key()
            claims = verify(options.receipt, key)
            print(f"valid: customer {claims['sub']} was erased at {claims['erased_at']}")
    except (Failure, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def derived_key() -> bytes:
    """Return the key of receipts for CURSOR_KEY. Raises SettingsError."""
    return receipts.derive_key(ApiSettings.from_environ(os.environ).cursor_key)


def read_key(path: Path) -> bytes:
    """Return the key in a file. Raises Failure."""
    try:
        return bytes.fromhex(path.read_text())
    except (OSError, ValueError):
        raise Failure(
            f"{path} contains no key: write the output of `python -m infrastructure.receipts key`"
            " into it."
        ) from None


def verify(receipt: str, key: bytes) -> dict[str, Any]:
    """Return the claims of a receipt. Raises Failure unless the key signed it."""
    try:
        header = jwt.get_unverified_header(receipt)
        if header.get("typ") != receipts.TYPE:
            raise Failure("This token is not the receipt of an erasure. Use the field `receipt`.")
        if header.get("kid") != receipts.key_id(key):
            raise Failure(
                f"The receipt names the key {header.get('kid')}, but this is the key"
                f" {receipts.key_id(key)}. Use the key of the time of the receipt."
            )
        required = ["iss", "sub", "erased_at"]
        return jwt.decode(receipt, key, ["HS256"], {"require": required}, issuer=SERVICE)
    except jwt.InvalidTokenError:
        raise Failure("The receipt is not valid: it is incomplete, or was changed.") from None


if __name__ == "__main__":
    sys.exit(main())
