"""Signature Version 4 of a POST of JSON to the Data API.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from functools import reduce
from time import gmtime, strftime

from chalicelib.database.slim.credentials import Key


class Signer:
    """Writes the heads of requests of one key to one host; what they have in common, only once."""

    def __init__(self, key: Key, region: str, host: str) -> None:
        self.key = key
        self._scope = (region, "rds-data", "aws4_request")
        self._day = ("", b"", "")
        names = "content-type;host;x-amz-date" + ";x-amz-security-token" * bool(key.token)
        token = f"x-amz-security-token:{key.token}\n" if key.token else ""
        self._before_date = f"\ncontent-type:application/json\nhost:{host}\nx-amz-date:"
        self._after_date = f"\n{token}\n{names}\n"
        self._first_lines = (
            f" HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: customers-api\r\n"
            + (f"X-Amz-Security-Token: {key.token}\r\n" if key.token else "")
            + "X-Amz-Date: "
        )
        self._authorization = (
            f"\r\nAuthorization: AWS4-HMAC-SHA256 Credential={key.id}/",
            f", SignedHeaders={names}, Signature=",
        )

    def head(self, path: str, body: bytes, now: float) -> bytes:
        """Return a request's first line and headers, signed with its body for the time `now`."""
        date = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
        scope, signing_key = self._daily(date[:8])
        payload = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n{path}\n{self._before_date}{date}{self._after_date}{payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        signature = hmac.digest(signing_key, text.encode(), "sha256").hex()
        credential, signed = self._authorization
        return (
            f"POST {path}{self._first_lines}{date}{credential}{scope}{signed}{signature}"
            f"\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()

    def _daily(self, day: str) -> tuple[str, bytes]:
        """Return the scope and the signing key of a day, which a day's requests share."""
        known, key, scope = self._day
        if known != day:
            scope = "/".join((day, *self._scope))
            key = reduce(_derived, (day, *self._scope), f"AWS4{self.key.secret}".encode())
            self._day = (day, key, scope)  # at once, as threads may share it
        return scope, key


def _derived(key: bytes, part: str) -> bytes:
    return hmac.digest(key, part.encode(), "sha256")
