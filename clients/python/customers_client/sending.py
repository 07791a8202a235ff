"""httpx clients that authenticate, retry, and raise errors for problems.

    request                                       retried after
    any                                           429, 503 `not-applied`, no connection
    GET, HEAD, PUT; with a key or with If-Match   also 503, 504, a lost connection

All other requests could take effect twice. A retry waits as long as `Retry-After` says, and a
random time that grows, so that clients that failed together do not return together.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx

from customers_client import errors
from customers_client.errors import ConnectionLost, CustomersError, ProblemError

Token = str | Callable[[], str]
"""A bearer token, or a function that returns a new one."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 20.0
"""The maximum of the random wait in seconds: before the first retry, and before any."""
RETRIED = {429, 503, 504}
REPEATABLE = {"GET", "HEAD", "PUT"}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
LOST = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


class Bearer(httpx.Auth):
    """Sends the token. A function is called for the first request, and again after a 401."""

    def __init__(self, token: Token) -> None:
        self._get = token if callable(token) else None
        self._token = None if callable(token) else _checked(token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        sent = self._current()
        request.headers["Authorization"] = f"Bearer {sent}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self._get:
            if self._token == sent:  # no other thread has renewed it
                self._token = None
            request.headers["Authorization"] = f"Bearer {self._current()}"
            yield request

    def _current(self) -> str:
        token = self._token
        if token is None and self._get:
            token = self._token = _checked(self._get())
        return token or ""


def _checked(token: str) -> str:
    """Return the token if it is one (RFC 6750). httpx's error would show it."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token.strip()):
        raise ValueError("The token has characters that no bearer token has, or is empty.")
    return token.strip()


class Attempts:
    """Decides what follows an attempt: nothing, a wait in seconds, or an error."""

    def __init__(self, request: httpx.Request, retry_seconds: float) -> None:
        self._end = time.monotonic() + retry_seconds
        self._longest = FIRST_WAIT
        headers = request.headers
        self._is_repeatable = (
            request.method in REPEATABLE
            or "Idempotency-Key" in headers
            or headers.get("If-Match", "*") != "*"  # which any later version matches, too
        )

    def after_response(self, response: httpx.Response) -> float | None:
        if response.is_success:
            return None
        error = errors.of_response(response)
        if response.status_code not in RETRIED:
            raise error
        return self._wait(error, retry_after(response))

    def after_loss(self, error: httpx.TransportError) -> float:
        outcome: errors.Outcome = "not-applied" if isinstance(error, NOT_SENT) else "unknown"
        message = f"no response: {error or type(error).__name__}"
        try:
            return self._wait(ConnectionLost(message, outcome))
        except CustomersError as lost:
            raise lost from error

    def _wait(self, error: ProblemError | ConnectionLost, at_least: float = 0) -> float:
        wait = at_least + random.uniform(0, self._longest)  # noqa: S311 (no secret)
        self._longest = min(2 * self._longest, LONGEST_WAIT)
        may_repeat = self._is_repeatable or error.outcome == "not-applied"
        if not may_repeat or time.monotonic() + wait > self._end:
            raise error
        return wait


def retry_after(response: httpx.Response) -> float:
    """Return the seconds of `Retry-After`, by default 0. The API never sends a date."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0


class Client(httpx.Client):
    """Sends requests as this module describes. Raises CustomersError."""

    def __init__(self, retry_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._retry_seconds = retry_seconds

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        attempts = Attempts(request, self._retry_seconds)
        while True:
            try:
                response = super().send(request, **options)
                wait = attempts.after_response(response)
            except LOST as error:
                wait = attempts.after_loss(error)
            if wait is None:
                return response
            time.sleep(wait)


class AsyncClient(httpx.AsyncClient):
    """Sends requests as this module describes. Raises CustomersError."""

    def __init__(self, retry_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._retry_seconds = retry_seconds

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        attempts = Attempts(request, self._retry_seconds)
        while True:
            try:
                response = await super().send(request, **options)
                wait = attempts.after_response(response)
            except LOST as error:
                wait = attempts.after_loss(error)
            if wait is None:
                return response
            await asyncio.sleep(wait)
