"""Fetch and cache the token issuer's signing keys (JWKS, RFC 7517).

cryptography and TLS are imported on first use.
"""

import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

from chalicelib.connections import BadAnswer, Connections, Unreachable
from chalicelib.settings import SettingsError
from chalicelib.tokens import jws
from chalicelib.tokens.jws import Key

REFRESH_SECONDS = 300  # the age at which keys are fetched again
LIFETIME_SECONDS = 3_600  # the age up to which keys are used if fetching fails
PAUSE_SECONDS = 10  # the minimum time between two fetches
TIMEOUT_SECONDS = 3.0
MAX_KEY_SET_BYTES = 65_536
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
CHARACTERS = re.compile(r"[!-~]+")  # of a URL; a host name has its ASCII form

log = logging.getLogger(__name__)


class KeysUnavailable(Exception):
    """The issuer's keys can't be fetched, so tokens can't be verified."""


class Keys:
    """The issuer's keys, fetched on first use, and again every five minutes.

    An unknown key is fetched at once, because the issuer may have rotated its keys, but at most
    every ten seconds. If a fetch fails, the previous keys are used until they are an hour old.
    Thread-safe: one thread fetches. Only threads that look for an unknown key wait for it.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        _address(url)
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], Key] = {}
        self._fetched_at = self._tried_at = -math.inf
        self._failure = ""

    def find(self, kid: str, algorithm: str) -> Key | None:
        """Return the key with this id for this algorithm; None if the issuer has no such key.

        Raises KeysUnavailable if the keys can't be fetched.
        """
        name = (kid, algorithm)
        if self._is_due(name):
            is_needed = name not in self._keys or self._age() > LIFETIME_SECONDS
            if self._lock.acquire(blocking=is_needed):
                try:
                    if self._is_due(name):  # no other thread has fetched it meanwhile
                        self._fetch()
                finally:
                    self._lock.release()
        key = self._keys.get(name)
        if self._failure and (key is None or self._age() > LIFETIME_SECONDS):
            raise KeysUnavailable(self._failure)
        return key

    def _is_due(self, name: tuple[str, str]) -> bool:
        return name not in self._keys or self._age() > REFRESH_SECONDS

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _fetch(self) -> None:
        now = self._clock()
        if now - self._tried_at < PAUSE_SECONDS:
            return
        self._tried_at = now
        try:
            self._keys = read(self._url)
            self._fetched_at, self._failure = now, ""
        except KeysUnavailable as error:
            self._failure = str(error)
            log.warning("Could not fetch JWKS from %s: %s", self._url, error)


def read(url: str) -> dict[tuple[str, str], Key]:
    """Return an issuer's keys that may sign tokens, by id and algorithm.

    Raises KeysUnavailable, and SettingsError if the URL is not one of an issuer.
    """
    return _usable_keys(_download(_address(url)))


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if is_safe and parts.hostname and parts.port != 0 and CHARACTERS.fullmatch(url):
            return parts
    except ValueError:
        pass
    raise SettingsError(
        "The environment variable TOKEN_JWKS_URL (or TOKEN_ISSUER) must be an https:// URL."
    )


def _download(url: SplitResult) -> bytes:
    """Return the body of the response, which must be HTTP/1.1 with a length."""
    target = f"{url.path or '/'}{'?' * bool(url.query)}{url.query}"
    host = url.netloc.rpartition("@")[2]
    request = f"GET {target} HTTP/1.1\r\nhost:{host}\r\nuser-agent:customers-api\r\n\r\n"
    try:
        with closing(Connections(url.geturl())) as connections:
            response = connections.send(request.encode(), TIMEOUT_SECONDS)
    except Unreachable as error:
        is_local = url.hostname in LOOPBACK
        advice = ": is the local stack running? `make stack` starts it" if is_local else ""
        raise KeysUnavailable(f"{error}{advice}") from error
    except BadAnswer as error:
        raise KeysUnavailable(str(error)) from error
    except (OSError, ValueError) as error:
        raise KeysUnavailable(type(error).__name__) from error
    if response.status != HTTPStatus.OK:
        raise KeysUnavailable(f"the status is {response.status}")
    if len(response.body) > MAX_KEY_SET_BYTES:
        raise KeysUnavailable("the response is too large")
    return response.body


def _usable_keys(document: bytes) -> dict[tuple[str, str], Key]:
    try:
        items = json.loads(document)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysUnavailable("the response is not a JSON Web Key Set") from None
    keys = filter(None, map(_usable_key, items if isinstance(items, list) else []))
    usable = {(key.kid, key.algorithm): key for key in keys}
    if not usable:
        raise KeysUnavailable("the key set has no key for RS256 or ES256")
    return usable


def _usable_key(item: Any) -> Key | None:
    """Return a key that may sign tokens; ignore others, as RFC 7517, section 5, requires."""
    if not isinstance(item, dict) or item.get("use", "sig") != "sig" or not item.get("kid"):
        return None
    if "verify" not in (item.get("key_ops") or ["verify"]):
        return None
    try:
        return jws.public_key(item)
    except ValueError:
        return None
