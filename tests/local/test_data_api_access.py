"""Access: signatures, and known clusters and secrets."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.data_api.signatures import BASIC_FORMAT
from local.database_server import DatabaseServer
from tests.local.data_api import ARNS, DataApi, connect, serving
from tests.local.test_data_api_server import run

ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = {"DATA_API_ACCESS_KEY_ID": ID, "DATA_API_SECRET_ACCESS_KEY": SECRET}
OTHER = "arn:aws:rds:eu-west-1:123456789012:cluster:other"
BODY = b'{"resourceArn": "%b", "secretArn": "%b", "sql": "SELECT 1"}' % tuple(
    arn.encode() for arn in ARNS.values()
)

Headers = dict[str, str]


@pytest.fixture(scope="module")
def url(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server with a key, two clusters and one secret."""
    options = ["--resource-arn", ARNS["resourceArn"], "--resource-arn", OTHER]
    options += ["--secret-arn", ARNS["secretArn"]]
    directory = tmp_path_factory.mktemp("access")
    with serving(database_server.url, directory, *options, environment=KEY) as (url, _):
        yield url


def signed(
    url: str,
    change: Callable[[Headers], Any] = lambda _: None,
    scope: tuple[str, str] = ("rds-data", "eu-central-1"),
    late: timedelta = timedelta(),
    more: Headers | None = None,
) -> Headers:
    """Return a signed call's headers, with `more` and later changes. The time is `late`."""
    request = AWSRequest("POST", _call(url).geturl(), {"X-Test": " a   b ", **(more or {})}, BODY)
    request.context["timestamp"] = format(datetime.now(UTC) + late, BASIC_FORMAT)
    signer = SigV4Auth(Credentials(ID, SECRET), *scope)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    request.headers["Authorization"] = ", ".join(
        [
            f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}",
            f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}",
            f"Signature={_signature(signer, request)}",
        ]
    )
    headers = dict(request.headers.items())
    change(headers)
    return headers


def _call(url: str) -> SplitResult:
    """Return the URL of a call; the server's URL may have a query."""
    return urlsplit(url)._replace(path="/Execute")


def _signature(signer: SigV4Auth, request: AWSRequest) -> str:
    return signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )


def send(url: str, headers: Headers, body: bytes = BODY) -> tuple[int, str, str]:
    """Send a raw call. Returns status, error type and message."""
    call = _call(url)
    connection = HTTPConnection(call.netloc, timeout=60)
    connection.request("POST", f"{call.path}?{call.query}", body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("x-amzn-ErrorType", ""), text


def test_right_key_may_call_every_operation(url: str) -> None:
    """boto3 with the key may call everything."""
    api = connect(url, (ID, SECRET))
    assert api.value("SELECT 1") == {"longValue": 1}
    api.batch("DO 1", [[]])
    api.rollback(api.begin())
    api.commit(api.begin())


@pytest.mark.parametrize(
    ("key_id", "secret", "code"),
    [
        (ID, "wrong", "InvalidSignatureException"),
        ("AKIDOTHER", SECRET, "UnrecognizedClientException"),
    ],
)
def test_wrong_key_is_rejected(url: str, key_id: str, secret: str, code: str) -> None:
    """boto3 with another key gets AWS's error, for every operation."""
    api = DataApi(url, (key_id, secret))
    for call in (
        lambda: api.execute("SELECT 1"),
        lambda: api.batch("SELECT 1", []),
        api.begin,
        lambda: api.commit("x"),
        lambda: api.rollback("x"),
    ):
        with pytest.raises(api.errors.ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_signed_request_is_accepted(url: str) -> None:
    """A signed header may contain extra spaces, which don't count."""
    assert send(url, signed(url))[0] == 200


def replace(name: str, old: str, new: str) -> Callable[[Headers], Any]:
    """Return a function that changes a header of a signed request."""

    def change(headers: Headers) -> None:
        assert old in headers[name]
        headers[name] = headers[name].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda headers: headers.pop("Authorization"), "MissingAuthenticationToken", "Missing"),
        (replace("Authorization", "AWS4", "Basic"), "MissingAuthenticationToken", "Missing"),
        (replace("Authorization", "Signature=", "S="), "IncompleteSignature", "'Signature'"),
        (replace("Authorization", "Credential=", ""), "IncompleteSignature", "'Credential'"),
        (replace("Authorization", "SignedHeaders", "H"), "IncompleteSignature", "'SignedHeaders'"),
        (lambda headers: headers.pop("X-Amz-Date"), "IncompleteSignature", "'X-Amz-Date'"),
        (replace("X-Amz-Date", "T", " "), "IncompleteSignature", "ISO-8601"),
        (replace("Authorization", "/eu-central-1", ""), "IncompleteSignature", "exactly 5"),
        (replace("Authorization", "host;", ""), "InvalidSignature", "'Host' must be"),
        (replace("Authorization", "aws4_request", "aws5"), "InvalidSignature", "terminator"),
        (replace("Authorization", f"{ID}/2", f"{ID}/1"), "InvalidSignature", "Date in Cred"),
        (replace("Authorization", "eu-central", "eu-west"), "InvalidSignature", "calculated"),
        (replace("Authorization", "Signature=", "Signature=é"), "InvalidSignature", "calculated"),
        (replace("Authorization", ID, "AKIDOTHER"), "UnrecognizedClient", "security token"),
        (replace("X-Test", "a", "c"), "InvalidSignature", "calculated"),
        (lambda headers: headers.pop("X-Test"), "InvalidSignature", "calculated"),
    ],
)
def test_invalid_signature_is_rejected(
    url: str, change: Callable[[Headers], Any], code: str, message: str
) -> None:
    """A missing, incomplete or wrong signature is AWS's error, 403."""
    status, error, answer = send(url, signed(url, change))
    assert (status, error) == (403, f"{code}Exception")
    assert message in answer


def test_changed_body_is_rejected(url: str) -> None:
    """A changed body does not match its signature."""
    status, error, _ = send(url, signed(url), BODY.replace(b"SELECT 1", b"SELECT 2"))
    assert (status, error) == (403, "InvalidSignatureException")


def test_unsigned_body_is_rejected(url: str) -> None:
    """A header may name the body's hash, as in the JavaScript SDK, but not declare it unsigned."""
    right = {"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()}
    assert send(url, signed(url, more=right))[0] == 200
    none = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    status, error, _ = send(url, signed(url, more=none))
    assert (status, error) == (403, "InvalidSignatureException")


def test_changed_session_token_is_rejected(url: str) -> None:
    """The token of temporary credentials is signed and can't be changed."""
    token = {"X-Amz-Security-Token": "FwoGZXIvYXdzEXAMPLE=="}
    assert send(url, signed(url, more=token))[0] == 200
    other = replace("X-Amz-Security-Token", "EXAMPLE", "OTHER")
    status, error, _ = send(url, signed(url, other, more=token))
    assert (status, error) == (403, "InvalidSignatureException")


def test_changed_query_is_rejected(url: str) -> None:
    """An added or changed query does not match the signature."""
    query = f"{url}?b=2&a=%20&a=1"
    assert send(query, signed(query))[0] == 200
    for other in (url, f"{url}?a=%20&a=2&b=2", f"{query}&c=3"):
        status, error, _ = send(other, signed(query))
        assert (status, error) == (403, "InvalidSignatureException"), other


def test_signature_for_another_region_is_rejected(url: str) -> None:
    """A server with known clusters rejects signatures for another region."""
    status, error, answer = send(url, signed(url, scope=("rds-data", "us-east-1")))
    assert (status, error) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to a valid region, not 'us-east-1'." in answer


def test_signature_for_another_service_is_rejected(url: str) -> None:
    """A signature for another service is rejected."""
    status, error, answer = send(url, signed(url, scope=("dynamodb", "eu-central-1")))
    assert (status, error) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to correct service: 'rds-data'." in answer


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(-4.9, None), (-5.1, "Signature expired: "), (4.9, None), (5.1, "Signature not yet current")],
)
def test_signature_is_valid_for_five_minutes(url: str, minutes: float, message: str | None) -> None:
    """A signature is valid for five minutes before and after its time."""
    status, error, answer = send(url, signed(url, late=timedelta(minutes=minutes)))
    if message is None:
        assert status == 200
    else:
        assert (status, error) == (403, "InvalidSignatureException")
        assert message in answer


def test_unknown_cluster_has_no_endpoint(url: str) -> None:
    """An unknown cluster is HttpEndpointNotEnabledException, with AWS's message."""
    api = connect(url, (ID, SECRET))
    api.client.execute_statement(**{**ARNS, "resourceArn": OTHER}, sql="SELECT 1")
    with pytest.raises(api.errors.HttpEndpointNotEnabledException) as caught:
        api.client.begin_transaction(**{**ARNS, "resourceArn": OTHER + "s"})
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["message"] == f"HttpEndpoint is not enabled for resource {OTHER}s"


def test_unknown_secret_is_not_found(url: str) -> None:
    """An unknown secret is SecretsErrorException."""
    api = connect(url, (ID, SECRET))
    with pytest.raises(api.errors.SecretsErrorException, match="can't find the specified secret"):
        api.client.begin_transaction(**{**ARNS, "secretArn": ARNS["secretArn"] + "s"})


def test_server_without_key_accepts_unsigned_requests(data_api: str) -> None:
    """A server without a key requires no signature, and accepts every ARN."""
    assert send(data_api, {})[0] == 200


def test_server_without_key_rejects_web_pages(data_api: str) -> None:
    """Otherwise any web page that the developer opens could call it from the browser."""
    answer = requests.post(
        f"{data_api}/Execute",
        data=json.dumps({**ARNS, "sql": "SELECT 1"}),
        headers={"Content-Type": "text/plain", "Origin": "http://evil.example"},
        timeout=60,
    )
    assert answer.status_code == 403
    assert "Web pages of other sites" in answer.json()["detail"]


def test_incomplete_key_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key without its secret ends the program, instead of granting access to everyone."""
    monkeypatch.setenv("DATA_API_ACCESS_KEY_ID", ID)
    told = run(url="mysql://user:hidden@127.0.0.1/customers")
    assert told.returncode == 2
    assert told.stderr.startswith("data-api: set both DATA_API_ACCESS_KEY_ID")
