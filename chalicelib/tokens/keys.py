"""The keys of a token's issuer: a JSON Web Key Set (RFC 7517), fetched and kept for a while.

PyJWT, cryptography and the HTTP client are imported when the first key is looked for.
"""

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from chalicelib.settings import SettingsError

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

    from jwt import PyJWK

LEAST_BITS = {"RS256": 2_048, "ES256": 256}
ALGORITHMS = tuple(LEAST_BITS)

REFRESH_SECONDS = 300  # after which keys are fetched again
LIFETIME_SECONDS = 3_600  # for which they are used when that fails
PAUSE_SECONDS = 10  # between two fetches, whatever tokens come
TIMEOUT_SECONDS = 3.0
LARGEST_KEY_SET = 65_536  # bytes
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

log = logging.getLogger(__name__)


class KeysUnavailable(Exception):
    """The issuer's keys can't be had, so nobody can tell whether a token is good."""


class Keys:
    """The issuer's keys, fetched when a token first needs them and every five minutes then.

    A key that is not there is looked for at once, as an issuer may have begun to use a new one,
    but no token makes two fetches follow each other within ten seconds. When a fetch fails, the
    keys of the last one are used until they are an hour old.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = _address(url)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], PyJWK] = {}
        self._fetched_at = self._tried_at = -math.inf
        self._failure = ""

    def find(self, kid: str, algorithm: str) -> "PyJWK | None":
        """Return the key of that id for that algorithm; None if the issuer has none.

        Raises KeysUnavailable when that can't be told.
        """
        with self._lock:
            if (kid, algorithm) not in self._keys or self._age() > REFRESH_SECONDS:
                self._fetch()
            key = self._keys.get((kid, algorithm))
            if self._failure and (key is None or self._age() > LIFETIME_SECONDS):
                raise KeysUnavailable(self._failure)
            return key

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _fetch(self) -> None:
        now = self._clock()
        if now - self._tried_at < PAUSE_SECONDS:
            return
        self._tried_at = now
        try:
            self._keys = _usable_keys(_download(self._url))
            self._fetched_at, self._failure = now, ""
        except KeysUnavailable as error:
            self._failure = str(error)
            log.warning("The keys at %s can't be had: %s", self._url.geturl(), error)


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if is_safe and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise SettingsError(
        "The environment variable TOKEN_JWKS_URL (or TOKEN_ISSUER) must be an https:// address."
    )


def _download(url: SplitResult) -> bytes:
    """Return what is at the address itself: a redirect is no answer."""
    from http.client import HTTPException

    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        with closing(_connection(url)) as connection:
            connection.request("GET", f"{url.path or '/'}{'?' * bool(url.query)}{url.query}")
            with connection.getresponse() as response:
                return _body(response, deadline)
    except (OSError, HTTPException) as error:
        raise KeysUnavailable(type(error).__name__) from error


def _body(response: "HTTPResponse", deadline: float) -> bytes:
    if response.status != HTTPStatus.OK:
        raise KeysUnavailable(f"the status is {response.status}")
    body = bytearray()
    while chunk := response.read1(LARGEST_KEY_SET):
        body += chunk
        if len(body) > LARGEST_KEY_SET or time.monotonic() > deadline:
            raise KeysUnavailable("there is too much of it, or it comes too slowly")
    return bytes(body)


def _connection(url: SplitResult) -> "HTTPConnection":
    from http.client import HTTPConnection, HTTPSConnection

    connection = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return connection(str(url.hostname), url.port, timeout=TIMEOUT_SECONDS)


def _usable_keys(document: bytes) -> "dict[tuple[str, str], PyJWK]":
    try:
        members = json.loads(document)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysUnavailable("it is not a JSON Web Key Set") from None
    keys = filter(None, map(_usable_key, members if isinstance(members, list) else []))
    found = {(str(key.key_id), key.algorithm_name): key for key in keys}
    if not found:
        raise KeysUnavailable("it has no key for RS256 or ES256")
    return found


def _usable_key(member: Any) -> "PyJWK | None":
    """Return a key that may sign tokens; None for any other, as RFC 7517, section 5, wants."""
    from jwt import PyJWK, PyJWTError

    if not isinstance(member, dict) or member.get("use", "sig") != "sig" or not member.get("kid"):
        return None
    if "verify" not in (member.get("key_ops") or ["verify"]):
        return None
    try:
        key = PyJWK(member)
        key.Algorithm.prepare_key(key.key)  # which looks at the curve: PyJWK does not
    except (PyJWTError, TypeError, ValueError, AttributeError):
        return None
    least = LEAST_BITS.get(key.algorithm_name)
    return key if least and key.key.key_size >= least else None
