"""boto3's Data API client, with exceptions converted to ours."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as NotConnected,
)
from botocore.parsers import ResponseParserError

from chalicelib.connections import CONNECT_SECONDS
from chalicelib.database.clients import ErrorAnswer, unreachable
from chalicelib.database.errors import (
    DatabaseUnavailable,
    StatementFailed,
    StatementNotBegun,
    StatementTimeout,
)
from chalicelib.database.retries import ATTEMPT_SECONDS, attempt_seconds
from chalicelib.deadlines import in_time
from chalicelib.settings import Settings, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_rds_data import RDSDataServiceClient

# One attempt, because `retries` decides about retries, and the SDK would repeat lost writes.
_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=ATTEMPT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 1},
)


class Client:
    """boto3's client. `execute_statement` and the other methods are unchanged."""

    def __init__(self, client: "RDSDataServiceClient") -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._client, operation))

    def _call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        try:
            # boto3's timeouts apply to a client, and start again with each part of a response
            return in_time(partial(operation, **arguments), attempt_seconds())
        except ClientError as error:
            raise ErrorAnswer(error.response) from None
        except (ReadTimeoutError, TimeoutError) as error:
            raise StatementTimeout(type(error).__name__) from None
        except (SSLError, HTTPClientError, ResponseParserError, UnicodeDecodeError) as error:
            raise DatabaseUnavailable(self._unreachable(error)) from None
        except NotConnected as error:
            raise StatementNotBegun(self._unreachable(error)) from None
        except BotoCoreError as error:
            raise StatementFailed(type(error).__name__) from None

    def _unreachable(self, error: Exception) -> str:
        return unreachable(self._client.meta.endpoint_url, type(error).__name__)


def connect(settings: Settings) -> Client:
    """Return a client. Raises SettingsError if the environment's AWS settings are invalid."""
    try:
        client = _local_client(settings) if settings.is_local else _client(settings)
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"There is no client for the Data API: {error}") from None
    return Client(client)


def _client(settings: Settings) -> "RDSDataServiceClient":
    client: RDSDataServiceClient = boto3.Session().client(
        "rds-data", endpoint_url=settings.endpoint_url, config=_CONFIG
    )
    return client


def _local_client(settings: Settings) -> "RDSDataServiceClient":
    """Return a client that ignores the developer's AWS configuration and proxy."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_credentials("local", "local")
    client: RDSDataServiceClient = boto3.Session(
        botocore_session=session, region_name="us-east-1"
    ).client(
        "rds-data", endpoint_url=settings.endpoint_url, config=_CONFIG.merge(Config(proxies={}))
    )
    return client
