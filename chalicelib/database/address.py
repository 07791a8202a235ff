"""The address of a MySQL or MariaDB database: the only parser of `DATABASE_URL`.

    mysql://user:password@host:port/database?tls=required&tls_ca=FILE

User, password and database may be percent-encoded. The default port is 3306. The options:

    tls=verified   encrypt; verify the server's certificate and host name
    tls=required   encrypt; verify the certificate only if `tls_ca` is set, and never the host name
    tls=preferred  encrypt if the server supports TLS; verify nothing
    tls=off        don't encrypt
    tls_ca=FILE    trust only the certificate authorities in this PEM file
    auth=iam       log in with a token of RDS's IAM authentication instead of a password
    secret=ARN     log in with the user and password of this secret in Secrets Manager

The default is `tls=verified`, except on this machine (127.0.0.1, ::1, localhost) without `tls_ca`
and `auth=iam`: there it is `tls=off`.

Errors never contain the URL, because it contains a password. This module needs nothing else of the
service, because the package of the Data API server includes it.
"""

import re
import ssl
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_PORT = 3306
VERIFIED, REQUIRED, PREFERRED, OFF = "verified", "required", "preferred", "off"
TLS_MODES = (VERIFIED, REQUIRED, PREFERRED, OFF)

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_FORM = (
    "A database's address is of the form mysql://user:password@host:port/database. "
    "Percent-encode special characters in the user and password: / is %2F, @ is %40."
)
_OPTIONS = (
    f"A database's address has only the options tls ({', '.join(TLS_MODES)}), tls_ca=FILE, "
    "auth=iam and secret=ARN, each at most once."
)
_SECRET_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+", re.ASCII)


class AddressError(ValueError):
    """The URL is malformed, or its options are invalid. The message contains no part of it."""


class Address(NamedTuple):
    """Where a database is, how to log in, and how to encrypt the connection."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: str
    tls_ca: str | None = None
    uses_iam: bool = False
    secret_arn: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL. Raises AddressError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or DEFAULT_PORT
            user, password, database = map(_decode, _login(parts))
        except ValueError:  # its text repeats a part of the URL
            raise AddressError(_FORM) from None
        if not (parts.scheme == "mysql" and host and database) or parts.fragment:
            raise AddressError(_FORM)
        address = cls(host, port, user, password, database, **_options(parts.query, host))
        address._check_login()
        return address

    def __repr__(self) -> str:
        """Return the URL without the password and the options."""
        return f"mysql://{self.user}@{self.location}/{self.database}"

    @property
    def needs_aws(self) -> bool:
        """Whether the login is a token or a secret of AWS. RDS Proxy is then the usual server."""
        return self.uses_iam or self.secret_arn is not None

    @property
    def location(self) -> str:
        """The server's `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def login(self) -> dict[str, Any]:
        """PyMySQL's arguments for this address. Raises AddressError if `tls_ca` can't be read."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            **_tls(self.tls, self.tls_ca),
        }

    def _check_login(self) -> None:
        """Raise AddressError if user, password, token and secret contradict each other."""
        secret, iam = self.secret_arn is not None, self.uses_iam
        faults = {
            "auth=iam and secret are two logins: remove one of them.": secret and iam,
            "secret has the user and the password: the address must have neither.": secret
            and bool(self.user or self.password),
            "auth=iam replaces the password: remove it from the address.": iam
            and bool(self.password),
            "auth=iam sends a token that its receiver could use: only tls=verified is safe.": iam
            and self.tls != VERIFIED,
            _FORM: not (secret or self.user),
        }
        for said, is_there in faults.items():
            if is_there:
                raise AddressError(said)


def _login(parts: SplitResult) -> tuple[str, str, str]:
    database = parts.path.removeprefix("/").removesuffix("/")
    if "/" in database:
        raise ValueError(database)
    return parts.username or "", parts.password or "", database


def _decode(text: str) -> str:
    return unquote(text, errors="strict")


def _options(query: str, host: str) -> dict[str, Any]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    authority, is_iam = options.pop("tls_ca", None), options.pop("auth", None)
    secret = options.pop("secret", None)
    is_plain = host in _LOOPBACK and not authority and not is_iam
    tls = options.pop("tls", OFF if is_plain else VERIFIED)
    if options or len(pairs) != len(dict(pairs)) or tls not in TLS_MODES:
        raise AddressError(_OPTIONS)
    if authority == "" or is_iam not in {None, "iam"}:
        raise AddressError(_OPTIONS)
    if secret is not None and not _SECRET_ARN.fullmatch(secret):
        raise AddressError("secret must be the ARN of a secret in Secrets Manager.")
    if authority and tls in {PREFERRED, OFF}:
        raise AddressError(f"tls_ca has no effect with tls={tls}: use tls=verified or required.")
    return {"tls": tls, "tls_ca": authority, "uses_iam": is_iam is not None, "secret_arn": secret}


@lru_cache(maxsize=8)
def _tls(mode: str, authority: str | None) -> dict[str, Any]:
    if mode == OFF:
        return {"ssl_disabled": True}
    if mode == PREFERRED:  # PyMySQL's default
        return {"ssl_disabled": False}
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:  # includes ssl.SSLError
        raise AddressError(f"tls_ca has no certificates to read: {error.strerror}") from None
    if mode == REQUIRED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
        # The certificates that MySQL generates don't satisfy the strict rules of Python 3.13.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return {"ssl": context}
