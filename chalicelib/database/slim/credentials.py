"""Credentials from Lambda: in the environment or, with SnapStart, from an endpoint.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials
"""

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime

from chalicelib.connections import Connections, Unreachable
from chalicelib.database.errors import StatementFailed, StatementNotBegun

EARLY_SECONDS = 300
"""Credentials are renewed this many seconds before they expire."""
ENDPOINT_SECONDS = 2
"""Timeout of the endpoint, which is on the same machine."""

_ENDPOINT = r"(http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?)(/[!-~]*)?"


class Key:
    """An access key until `expiry`, in seconds since 1970. Its repr reveals nothing."""

    def __init__(self, id: str, secret: str, token: str = "", expiry: float = float("inf")) -> None:  # noqa: A002
        self.id, self.secret, self.token, self.expiry = id, secret, token, expiry


class Credentials:
    """The key to sign with. It is fetched on first use, and renewed before it expires."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._key: Key | None = None

    def current(self) -> Key:
        """Return the key.

        Raises StatementFailed if there is no key, StatementNotBegun if there is temporarily none.
        """
        left = self._key.expiry - time.time() if self._key else 0
        if not self._key or left < EARLY_SECONDS:
            try:
                self._key = _read(self._environ)
            except StatementNotBegun:
                if not self._key or left < 0:
                    raise
        return self._key


def _read(environ: Mapping[str, str]) -> Key:
    if "AWS_ACCESS_KEY_ID" in environ and "AWS_SECRET_ACCESS_KEY" in environ:
        token = environ.get("AWS_SESSION_TOKEN", "")
        return Key(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], token)
    return _ask(environ)


def _ask(environ: Mapping[str, str]) -> Key:
    """Fetch the key from the endpoint. The token is only sent to permitted hosts."""
    match = re.fullmatch(_ENDPOINT, environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""))
    if not match:
        raise StatementFailed("the environment has no AWS credentials, and no near endpoint of any")
    head = f"GET {match[2] or '/'} HTTP/1.1\r\nhost:{match[1][7:]}\r\nauthorization:"
    try:
        request = f"{head}{_token(environ)}\r\n\r\n".encode("ascii")
        issued = json.loads(Connections(match[1]).send(request, ENDPOINT_SECONDS).body)
        expiry = datetime.fromisoformat(issued["Expiration"]).timestamp()
        return Key(issued["AccessKeyId"], issued["SecretAccessKey"], issued["Token"], expiry)
    except Unreachable as error:
        raise StatementNotBegun(f"{match[1]} can't be reached: {error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:  # its text may contain the key
        reason = f"Could not fetch AWS credentials from {match[1]}: {type(error).__name__}"
        raise StatementNotBegun(reason) from None


def _token(environ: Mapping[str, str]) -> str:
    """Return the endpoint's authorization token; a file's content may change over time."""
    if file := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        from pathlib import Path

        return Path(file).read_text().strip()
    return environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
