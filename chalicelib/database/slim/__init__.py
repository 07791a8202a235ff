"""A drop-in for `boto3.client("rds-data")` that needs the standard library only, and little of it.

It signs, sends and reads as botocore does, for this one service; the tests compare the two.
Credentials are those that Lambda provides. Profiles, other ways to credentials, proxies and
retries are boto3's alone, as is checking arguments before they are sent.

https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html
"""

import json
import os
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.database import DatabaseUnavailable, StatementFailed, StatementTimeout
from chalicelib.database.clients import ErrorAnswer
from chalicelib.database.slim import endpoints
from chalicelib.database.slim.connections import Address, Answer, Connections
from chalicelib.database.slim.credentials import Credentials, Key
from chalicelib.database.slim.signatures import Signer
from chalicelib.settings import Settings

_FIRST_ERROR = 300


class Client:
    """Calls the Data API at one address. Several threads may share it."""

    def __init__(self, address: Address, region: str, credentials: Callable[[], Key]) -> None:
        self._address = address
        self._region = region
        self._credentials = credentials
        self._connections = Connections(address)
        self._signer: Signer | None = None

    def execute_statement(self, **arguments: Any) -> Any:
        return self._call("/Execute", arguments)

    def batch_execute_statement(self, **arguments: Any) -> Any:
        return self._call("/BatchExecute", arguments)

    def begin_transaction(self, **arguments: Any) -> Any:
        return self._call("/BeginTransaction", arguments)

    def commit_transaction(self, **arguments: Any) -> Any:
        return self._call("/CommitTransaction", arguments)

    def rollback_transaction(self, **arguments: Any) -> Any:
        return self._call("/RollbackTransaction", arguments)

    def close(self) -> None:
        """Close what is kept, which another call would make anew."""
        self._connections.close()

    def request(self, path: str, arguments: Mapping[str, Any]) -> bytes:
        """Return a call's signed request."""
        body = _encoded(arguments)
        key, signer = self._credentials(), self._signer
        if signer is None or signer.key is not key:
            signer = self._signer = Signer(key, self._region, self._address.host_header)
        return signer.head(path, body, time.time()) + body

    def _call(self, path: str, arguments: Mapping[str, Any]) -> Any:
        request = self.request(path, arguments)
        try:
            answer = self._connections.send(request)
        except TimeoutError as error:
            raise StatementTimeout(type(error).__name__) from None
        except OSError as error:
            reason = f"the Data API at {self._address} can't be reached: {type(error).__name__}"
            raise DatabaseUnavailable(reason) from None
        metadata = {
            "RequestId": answer.headers.get("x-amzn-requestid", ""),
            "HTTPStatusCode": answer.status,
            "HTTPHeaders": answer.headers,
            "RetryAttempts": 0,
        }
        if answer.status >= _FIRST_ERROR:
            raise ErrorAnswer({"Error": _error(answer), "ResponseMetadata": metadata})
        return {"ResponseMetadata": metadata, **_members(answer.body)}


def connect(settings: Settings) -> Client:
    """Return a client. Raises SettingsError when the environment's AWS settings are wrong."""
    if settings.is_local and settings.endpoint_url:
        key = Key("local", "local")
        return Client(endpoints.parse(settings.endpoint_url), "us-east-1", lambda: key)
    region = endpoints.region(os.environ)
    address = endpoints.choose(os.environ, region, settings.endpoint_url)
    return Client(address, region, Credentials(os.environ).current)


def _blob(value: object) -> str:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode()
    raise TypeError(f"no value of the Data API: {type(value).__name__}")


_encode = json.JSONEncoder(default=_blob, allow_nan=False).encode


def _encoded(arguments: Mapping[str, Any]) -> bytes:
    try:
        return _encode(arguments).encode()
    except (ValueError, TypeError) as error:  # whose text may repeat the value
        raise StatementFailed(f"a value can't be sent: {type(error).__name__}") from None


def _members(body: bytes) -> dict[str, Any]:
    """Return an answer's members as botocore does: blobs as bytes, and nothing that is null.

    The text says whether there is any to look for: it seldom is null, but in `nullable`. Blobs and
    doubles are in records only.
    """
    try:
        hook = _without_nulls if b'":null' in body or b'": null' in body else None
        members = {**json.loads(body.decode(), object_hook=hook)}
        for name, convert in (("blobValue", a2b_base64), ("doubleValue", float)):
            if name.encode() in body:
                _convert(members.get("records", ()), name, convert)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DatabaseUnavailable("the Data API's answer can't be read") from None
    return members


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _convert(records: list[list[dict[str, Any]]], name: str, convert: Callable[[Any], Any]) -> None:
    for record in records:
        for field in record:
            if name in field:
                field[name] = convert(field[name])


def _error(answer: Answer) -> dict[str, str]:
    """Return what an error answer says; its name is in a header, or in the body.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    """
    try:
        body = {**json.loads(answer.body)}
    except (ValueError, TypeError, RecursionError):
        body = {}
    names = (answer.headers.get("x-amzn-errortype"), body.get("code"), body.get("__type"))
    name = next((name for name in names if isinstance(name, str)), str(answer.status))
    message = body.get("message", body.get("Message"))
    return {
        "Code": name.partition(":")[0].rpartition("#")[2],
        "Message": message if isinstance(message, str) else "",
    }
