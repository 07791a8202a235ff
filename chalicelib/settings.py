"""Settings from environment variables."""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

SERVICE = "customers"
"""The name of the API: the realm of its tokens, and their audience in the local stack."""

LOCAL_DATA_API = "http://127.0.0.1:8001"
LOCAL_ISSUER = "http://127.0.0.1:8003"
LOCAL_AUDIENCE = SERVICE
LOCAL_CURSOR_KEY = "not a secret: for a laptop only, where nothing is at stake"
LOCAL_RESOURCE_ARN = "arn:aws:rds:us-east-1:000000000000:cluster:customers-local"
LOCAL_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:customers-local"  # noqa: S105
SHORTEST_KEY = 32  # characters
DATA_API_CLIENTS = ("boto3", "slim")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what to do."""


class Settings(NamedTuple):
    """How to reach the database.

    `database_url` (`mysql://user:password@host:port/database`) selects PyMySQL. Otherwise, the
    service uses the RDS Data API with `resource_arn`, `secret_arn` and `database_name`, at
    `endpoint_url` if it is not AWS's own. `data_api_client` is one of DATA_API_CLIENTS.
    """

    resource_arn: str = LOCAL_RESOURCE_ARN
    secret_arn: str = LOCAL_SECRET_ARN
    database_name: str = "customers"
    endpoint_url: str | None = None
    database_url: str | None = None
    data_api_client: str = "boto3"

    def __repr__(self) -> str:
        """Leave out the database's password."""
        return f"Settings({self.resource_arn}, {self.database_name}, {self.data_api_client})"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. Outside Lambda, the default is the local stack.

        Raises SettingsError if a setting is invalid, missing in a Lambda function, or contradicts
        another one.
        """
        if database_url := environ.get("DATABASE_URL"):
            if environ.get("DATABASE_RESOURCE_ARN"):
                raise SettingsError(
                    "The environment variables DATABASE_URL and DATABASE_RESOURCE_ARN select two"
                    " backends: remove one of them."
                )
            return cls(database_url=database_url)
        if "DATABASE_RESOURCE_ARN" not in environ and not _is_lambda(environ):
            return cls(
                database_name=environ.get("DATABASE_NAME") or "customers",
                endpoint_url=environ.get("AWS_ENDPOINT_URL_RDS_DATA", LOCAL_DATA_API),
                data_api_client=_data_api_client(environ, "slim"),
            )
        return cls(
            resource_arn=_required(environ, "DATABASE_RESOURCE_ARN"),
            secret_arn=_required(environ, "DATABASE_SECRET_ARN"),
            database_name=environ.get("DATABASE_NAME", "customers"),
            endpoint_url=environ.get("AWS_ENDPOINT_URL_RDS_DATA"),
            # elsewhere, only boto3 finds the developer's credentials
            data_api_client=_data_api_client(environ, "slim" if _is_lambda(environ) else "boto3"),
        )

    @property
    def is_local(self) -> bool:
        """Whether this is the local stack, which needs no AWS credentials."""
        return self.resource_arn == LOCAL_RESOURCE_ARN


class TokenSettings(NamedTuple):
    """Tokens are valid from `issuer`, for one of `audiences`, signed by a key of `jwks_url`.

    If `scope_prefix` is not empty, only scopes that start with it and a slash count.
    """

    issuer: str
    audiences: tuple[str, ...]
    jwks_url: str
    scope_prefix: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_JWKS_URL and TOKEN_SCOPE_PREFIX.

        TOKEN_AUDIENCE contains one or more audiences, separated by spaces. The default of
        TOKEN_JWKS_URL is the issuer's `/.well-known/jwks.json`. Outside Lambda, the default issuer
        is the local stack's. Raises SettingsError.
        """
        if "TOKEN_ISSUER" in environ or _is_lambda(environ):
            issuer = _required(environ, "TOKEN_ISSUER")
            audiences = _required(environ, "TOKEN_AUDIENCE")
        else:
            issuer, audiences = LOCAL_ISSUER, LOCAL_AUDIENCE
        jwks_url = environ.get("TOKEN_JWKS_URL") or f"{issuer.rstrip('/')}/.well-known/jwks.json"
        return cls(issuer, tuple(audiences.split()), jwks_url, _scope_prefix(environ, issuer))


class ApiSettings(NamedTuple):
    """Settings of the request handling.

    `cors_origins` are the origins whose pages may use the API, and `cursor_key` signs cursors.
    A deleted customer can be restored for `retention_days`. `deep_health` is whether the health
    endpoint may check the database.
    """

    cors_origins: tuple[str, ...]
    cursor_key: bytes
    retention_days: int
    deep_health: bool

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"ApiSettings({self.cors_origins}, {self.retention_days} days)"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read CORS_ORIGINS (separated by spaces), CURSOR_KEY, RETENTION_DAYS and DEEP_HEALTH.

        Outside Lambda, the defaults are the local stack's; its console has its issuer's address.
        Raises SettingsError if a setting is invalid, or a Lambda function lacks the key.
        """
        key = environ.get("CURSOR_KEY") or LOCAL_CURSOR_KEY
        if _is_lambda(environ):
            key = _required(environ, "CURSOR_KEY")
        if len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"The environment variable CURSOR_KEY must have {SHORTEST_KEY} characters or more:"
                " `openssl rand -hex 32` makes a good one."
            )
        days = environ.get("RETENTION_DAYS") or "30"
        if not (re.fullmatch("[0-9]{1,4}", days) and int(days) in range(1, 3_651)):
            raise SettingsError("The environment variable RETENTION_DAYS must be from 1 to 3650.")
        deep_health = environ.get("DEEP_HEALTH") or "on"
        if deep_health not in {"on", "off"}:
            raise SettingsError("The environment variable DEEP_HEALTH must be on or off.")
        origins = environ.get("CORS_ORIGINS", "" if _is_lambda(environ) else LOCAL_ISSUER)
        return cls(tuple(origins.split()), key.encode(), int(days), deep_health == "on")


def event_bus(environ: Mapping[str, str]) -> str | None:
    """Return the name of the event bus, or None: the stage then has no events."""
    return environ.get("EVENT_BUS") or None


def stage(environ: Mapping[str, str]) -> str:
    """Return the stage's name, which metrics and traces contain."""
    return environ.get("STAGE") or "local"


def _is_lambda(environ: Mapping[str, str]) -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in environ


def _data_api_client(environ: Mapping[str, str], default: str) -> str:
    """Return the client that DATA_API_CLIENT names."""
    client = environ.get("DATA_API_CLIENT") or default
    if client not in DATA_API_CLIENTS:
        choices = " or ".join(DATA_API_CLIENTS)
        raise SettingsError(f"The environment variable DATA_API_CLIENT must be {choices}.")
    return client


def _scope_prefix(environ: Mapping[str, str], issuer: str) -> str:
    """Return TOKEN_SCOPE_PREFIX, which an issuer must have if it prefixes each API's scopes."""
    prefix = environ.get("TOKEN_SCOPE_PREFIX") or ""
    if any(character.isspace() for character in prefix):
        raise SettingsError(
            "The environment variable TOKEN_SCOPE_PREFIX must be one identifier, without spaces."
        )
    if not prefix and "cognito-idp" in (urlsplit(issuer).hostname or ""):
        raise SettingsError(
            "The environment variable TOKEN_SCOPE_PREFIX is not set: Cognito requires it. Set it to"
            " the identifier of this API's resource server, such as https://api.example.com."
        )
    return prefix


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise SettingsError(
        f"The environment variable {name} is not set: "
        "set it for this stage in .chalice/config.json, under environment_variables."
    )
