"""The slim client sends exactly the bytes that botocore would send."""

import time
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings

from chalicelib.database import StatementFailed
from chalicelib.database.slim import Client, endpoints
from chalicelib.database.slim.credentials import Key
from tests.slim.botocore_client import KEY, Request, botocore_client
from tests.slim.requests import CASES

OURS = {"host", "accept-encoding", "user-agent"}
THEIRS = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
ARNS = {"resourceArn": "arn:aws:rds:c", "secretArn": "arn:aws:secret"}


def client(region: str, url: str | None, key: tuple[str, str, str]) -> Client:
    held = Key(*key)
    return Client(endpoints.choose({}, region, url), region, lambda: held)


def sent(client: Client, operation: str, arguments: dict[str, Any], now: float) -> Request:
    """Return the raw request that the client sends."""
    with (
        patch("chalicelib.database.slim.signatures.gmtime", lambda: time.gmtime(now)),
        patch.object(client._connections, "send", side_effect=InterruptedError) as send,
        patch("chalicelib.database.slim.DatabaseUnavailable", KeyError),
        pytest.raises(KeyError),
    ):
        getattr(client, operation)(**arguments)
    head, _, body = send.call_args.args[0].partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    method, path, version = first.split(" ")
    assert version == "HTTP/1.1"
    headers = dict(line.split(":", 1) for line in lines)
    assert len(headers) == len(lines)
    return method, path, {name.lower(): value for name, value in headers.items()}, body


def compare(case: Any) -> None:
    """Compare one call with botocore's. botocore's signature includes the header Host."""
    (operation, arguments), key, (region, url), now = case
    theirs = botocore_client(region, url).request(operation, arguments, key, now)
    ours = sent(client(region, url, key), operation, arguments, now)

    assert without(ours, OURS) == without(theirs, THEIRS)


def without(request: Request, names: set[str]) -> Request:
    method, path, headers, body = request
    return method, path, {n: value for n, value in headers.items() if n not in names}, body


@settings(max_examples=300)
@given(CASES)
@pytest.mark.exhaustive
def test_request_is_identical_to_botocores(case: Any) -> None:
    compare(case)


def test_signing_key_is_renewed_daily_and_per_key() -> None:
    """The signer caches signing keys, but each request still equals botocore's."""
    keys = [Key(*KEY), Key("AKIDOTHER", "other", "token")]
    held = keys[0]
    ours = Client(endpoints.choose({}, "eu-west-1", None), "eu-west-1", lambda: held)
    for held in keys:
        for now in (0, 86_399, 86_400, 86_399):
            theirs = botocore_client().request(
                "begin_transaction", ARNS, (held.id, held.secret, held.token), now
            )
            mine = sent(ours, "begin_transaction", ARNS, now)
            assert without(mine, OURS) == without(theirs, THEIRS)


@pytest.mark.parametrize(
    "value", [{"doubleValue": float("nan")}, {"doubleValue": float("inf")}, {"blobValue": object()}]
)
def test_value_without_json_form_is_not_sent(value: dict[str, Any]) -> None:
    ours = client("eu-west-1", None, KEY)

    with pytest.raises(StatementFailed, match="can't be sent") as caught:
        ours.execute_statement(**ARNS, sql="x", parameters=[{"name": "a", "value": value}])
    assert caught.value.__suppress_context__
