"""The server's settings, from environment variables alone: docs/serve.md."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from chalicelib import settings
from chalicelib.database.address import Address
from chalicelib.settings import SettingsError
from chalicelib.tokens.keys import Keys
from serve.limits import Rate

GRACE_SECONDS = 30
"""How long SIGTERM waits for requests in progress: longer than any request may take."""
REQUIRED = ("DATABASE_URL", "TOKEN_ISSUER", "TOKEN_AUDIENCE", "CURSOR_KEY")
DEFAULTS = {"STAGE": "serve", "CORS_ORIGINS": ""}
"""Defaults that differ from those of the local stack."""


class Settings(NamedTuple):
    """Where the server listens, and how much it does at a time.

    Each of the `processes` has `threads`, and each thread keeps one connection to the database.
    """

    host: str
    port: int
    metrics_port: int
    processes: int
    threads: int
    rate: Rate | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read HOST, PORT, METRICS_PORT, PROCESSES, THREADS and RATE_LIMIT.

        Raises SettingsError if one of these, or of the app's settings, is missing or invalid.
        """
        check(environ)
        return cls(
            environ.get("HOST") or "127.0.0.1",
            _number(environ, "PORT", 8000, 65_535),
            _number(environ, "METRICS_PORT", 9100, 65_535),
            _number(environ, "PROCESSES", os.cpu_count() or 1, 256),
            _number(environ, "THREADS", 8, 256),
            _rate(environ.get("RATE_LIMIT") or ""),
        )


def check(environ: Mapping[str, str]) -> None:
    """Check the settings of the app itself. Raises SettingsError."""
    if missing := [name for name in REQUIRED if not environ.get(name)]:
        raise SettingsError(f"set the environment variables {', '.join(missing)}: docs/serve.md")
    database_url = settings.Settings.from_environ(environ).database_url
    try:
        Address.parse(database_url or "")
    except ValueError as error:
        raise SettingsError(f"DATABASE_URL is wrong: {error}") from None
    Keys(settings.TokenSettings.from_environ(environ).jwks_url)
    settings.ApiSettings.from_environ(environ)


def _number(environ: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    text = environ.get(name) or str(default)
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= maximum:
        return int(text)
    raise SettingsError(f"{name} must be a number from 1 to {maximum}, got {text!r}")


def _rate(text: str) -> Rate | None:
    try:
        return Rate.parse("RATE_LIMIT", text)
    except ValueError as error:
        raise SettingsError(str(error)) from None
