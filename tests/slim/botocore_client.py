"""botocore's client without a network: the requests that it builds, and the responses it parses.

The tests compare the slim client with botocore directly, so no test vectors can become outdated.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.credentials import Credentials

from chalicelib.database import boto

KEY = ("AKIDEXAMPLE", "secret", "")
REGION = "eu-west-1"

Request = tuple[str, str, dict[str, str], bytes]
"""Method, path, headers by name in lower case, and body."""


class Botocore:
    """A client that sends nothing; `sent` is the last request that it built."""

    def __init__(self, region: str, url: str | None) -> None:
        self.client: Any = boto3.client(
            "rds-data",
            region_name=region,
            endpoint_url=url,
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        self.client.meta.events.register("before-send.rds-data", self._send)
        self.sent: AWSPreparedRequest | None = None
        self._answer: tuple[int, Mapping[str, str], bytes] = (200, {}, b"{}")

    def request(
        self, operation: str, arguments: Mapping[str, Any], key: tuple[str, str, str], now: float
    ) -> Request:
        """Return the request that botocore builds at the time `now`."""
        self.client._request_signer._credentials = Credentials(key[0], key[1], key[2] or None)
        self._answer = (200, {}, b"{}")
        with patch("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(now, UTC)):
            getattr(self.client, operation)(**arguments)
        sent: Any = self.sent
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in sent.headers.items()
        }
        return sent.method, "/" + sent.url.split("/", 3)[3], headers, sent.body

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        """Return the parsed response. Raises ErrorAnswer."""
        self._answer = (status, headers, body)
        arguments = {"resourceArn": "arn:cluster", "secretArn": "arn:secret:1", "sql": "SELECT 1"}
        return boto.Client(self.client).execute_statement(**arguments)

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.sent = request
        status, headers, body = self._answer
        received: Any = HeadersDict(headers)
        return AWSResponse(request.url, status, received, _Raw(body))


@cache
def botocore_client(region: str = REGION, url: str | None = None) -> Botocore:
    return Botocore(region, url)


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body
