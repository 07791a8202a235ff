"""Events as signed webhooks, for a consumer that accepts an event by a status of 2xx.

https://github.com/standard-webhooks/standard-webhooks
"""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import urlsplit

import requests

from chalicelib.events.cloudevents import Event
from chalicelib.settings import SettingsError

TIMEOUT_SECONDS = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105 (it precedes every secret)
KEY_BYTES = range(24, 65)


class Webhooks:
    """A bus that sends each event to a URL."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor the passwords of .netrc

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read EVENTS_URL and EVENTS_SECRET. Raises SettingsError."""
        return cls(
            check_url(environ.get("EVENTS_URL") or ""),
            check_secret(environ.get("EVENTS_SECRET") or ""),
        )

    def put(self, events: Sequence[Event]) -> list[bool]:
        """Return whether the consumer accepted each event."""
        return [self.send(event)[0] for event in events]

    def send(self, event: Event) -> tuple[bool, str]:
        """Return whether the consumer accepted the event, and its status or the error."""
        body = event.to_json().encode()
        headers = self._signed(event.id, int(time.time()), body)
        try:
            with self._session.post(
                self._url,
                body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,  # the response's body is not read
            ) as response:
                return response.ok and not response.is_redirect, str(response.status_code)
        except requests.RequestException as error:
            return False, type(error).__name__

    def _signed(self, event_id: str, seconds: int, body: bytes) -> dict[str, str]:
        signed = b".".join((event_id.encode(), str(seconds).encode(), body))
        signature = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        return {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{signature}",
        }


def check_url(url: str) -> str:
    """Return the URL of a consumer. Raises SettingsError if it is malformed."""
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_complete = False
    if not is_complete:
        raise SettingsError("EVENTS_URL must be a URL such as http://127.0.0.1:9000/hook")
    return url


def check_secret(secret: str) -> str:
    """Return the secret. Raises SettingsError unless it is as Standard Webhooks specifies."""
    try:
        size = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except binascii.Error:
        size = 0
    if not (secret.startswith(SECRET_PREFIX) and size in KEY_BYTES):
        raise SettingsError(
            "EVENTS_SECRET must be `whsec_` and the base64 of 24 to 64 bytes:"
            ' `echo "whsec_$(openssl rand -base64 32)"` prints one'
        )
    return secret
