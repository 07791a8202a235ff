"""The target of the load: a private stack, or the service at BASE_URL."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stdout
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from app import SCOPES
from local.issuer import Issuer
from local.processes import free_port
from local.stack import Settings, Stack

PORTS = ("PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT", "XRAY_PORT")
PROGRAMS = {"local.gateway": "API", "local.data_api": "Data API", "--datadir=": "database"}


class Target(NamedTuple):
    """A base URL, a token, and the service's processes by name, if they are local."""

    base_url: str
    token: str
    programs: Mapping[str, psutil.Process]

    @property
    def is_private(self) -> bool:
        return bool(self.programs)


class TargetError(Exception):
    """The target can't be used. The message says why, and what to do."""


def configured(environ: Mapping[str, str]) -> Target | None:
    """Return the target in BASE_URL and TOKEN, or None if neither is set. Raises TargetError."""
    base_url, token = environ.get("BASE_URL", ""), environ.get("TOKEN", "")
    if not base_url and not token:
        return None
    if not base_url or not token:
        raise TargetError("set both BASE_URL and TOKEN, or neither")
    if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
        raise TargetError(f"BASE_URL must be an http or https URL, got {base_url!r}")
    return Target(base_url.rstrip("/"), token, {})


@contextmanager
def private() -> Iterator[Target]:
    """Run the whole service on free ports, with its data in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="customers-load-") as directory:
        # The console reads its own ports from os.environ.
        os.environ.update({name: str(free_port()) for name in PORTS}, LOCAL_STATE=directory)
        os.environ.pop("DATABASE_URL", None)  # never use the developer's database
        settings = Settings.from_environ(os.environ)
        with closing(Stack(settings)) as stack:
            with redirect_stdout(sys.stderr):
                stack.start(api=True)
            token = Issuer(settings.state, settings.console_url).token(SCOPES)
            yield Target(settings.url, token, _programs())


def _programs() -> dict[str, psutil.Process]:
    children = psutil.Process().children(recursive=True)
    lines = {child: " ".join(child.cmdline()) for child in children}
    return {
        name: child
        for child, line in lines.items()
        for word, name in PROGRAMS.items()
        if word in line
    }
