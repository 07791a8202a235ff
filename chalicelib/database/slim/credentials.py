"""Credentials as Lambda provides them: in the environment or, with SnapStart, at an endpoint.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials
"""

import json
import math
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.database import DatabaseUnavailable, StatementFailed
from chalicelib.database.slim.connections import Address, Answer, Connections

EARLY = 300
"""So many seconds before they end, credentials are asked for anew."""
SECONDS = 2
"""How long the endpoint may take to answer: it is on the same machine."""

_HOSTS = {"localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"}
_OK = 200


class Key:
    """An access key until `expiry`, in seconds since 1970. Its repr shows nothing of it."""

    def __init__(self, id: str, secret: str, token: str = "", expiry: float = math.inf) -> None:  # noqa: A002
        if not (id and secret and all(_is_plain(part) for part in (id, secret, token))):
            raise StatementFailed("the AWS credentials are empty, or no header can have them")
        self.id, self.secret, self.token, self.expiry = id, secret, token, expiry


class Credentials:
    """The key to sign with, read when it is first asked for, and again before it expires."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._key: Key | None = None

    def current(self) -> Key:
        """Return the key, the same object as long as it is the same key.

        Raises StatementFailed where there is none, DatabaseUnavailable where there is none now.
        """
        key = self._key
        if key and time.time() < key.expiry - EARLY:
            return key
        with self._lock:
            if self._key is None or self._key is key:  # else another thread has just read it
                self._key = self._renewed(key)
            return self._key

    def _renewed(self, key: Key | None) -> Key:
        try:
            return _read(self._environ)
        except DatabaseUnavailable:
            if key and time.time() < key.expiry:
                return key
            raise


def _read(environ: Mapping[str, str]) -> Key:
    if "AWS_ACCESS_KEY_ID" in environ:
        secret = environ.get("AWS_SECRET_ACCESS_KEY", "")
        return Key(environ["AWS_ACCESS_KEY_ID"], secret, environ.get("AWS_SESSION_TOKEN", ""))
    if url := environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return _ask(url, environ)
    raise StatementFailed("there are no AWS credentials in the environment")


def _authorization(environ: Mapping[str, str]) -> str:
    """Return the header that the endpoint wants; the file's content changes with time."""
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = Path(file).read_text()
    if not _is_plain(token):
        raise StatementFailed("no header can have the authorization token of AWS credentials")
    return f"Authorization: {token}\r\n" if token else ""


def _ask(url: str, environ: Mapping[str, str]) -> Key:
    address, path = _endpoint(url)
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {address.host_header}\r\n"
            f"Accept: application/json\r\n{_authorization(environ)}Connection: close\r\n\r\n"
        )
        return _key(Connections(address, SECONDS).send(request.encode()))
    except (OSError, ValueError, KeyError, TypeError) as error:  # whose text may have the key
        reason = f"AWS credentials can't be had of {address}: {type(error).__name__}"
        raise DatabaseUnavailable(reason) from None


def _endpoint(url: str) -> tuple[Address, str]:
    """Return the endpoint's address and path; the token is not to go to just any host."""
    parts = urlsplit(url)
    host, is_https = parts.hostname or "", parts.scheme == "https"
    is_near = host in _HOSTS or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host)
    if not (is_https or is_near) or not _is_plain(url):
        raise StatementFailed("AWS_CONTAINER_CREDENTIALS_FULL_URI is no endpoint of credentials")
    address = Address(is_https, host, parts.port or (443 if is_https else 80))
    return address, parts._replace(scheme="", netloc="", fragment="").geturl() or "/"


def _key(answer: Answer) -> Key:
    if answer.status != _OK:
        raise ValueError(answer.status)
    content = json.loads(answer.body)
    expiry = datetime.fromisoformat(content["Expiration"]).timestamp()
    return Key(content["AccessKeyId"], content["SecretAccessKey"], content["Token"], expiry)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
