"""Who may call: signatures, and the clusters and secrets that are known."""

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
from local.mariadb import MariaDB
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
def url(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server that has a key, two clusters and one secret."""
    options = ["--resource-arn", ARNS["resourceArn"], "--resource-arn", OTHER]
    options += ["--secret-arn", ARNS["secretArn"]]
    directory = tmp_path_factory.mktemp("access")
    with serving(mariadb.url, directory, *options, environment=KEY) as (url, _):
        yield url


def signed(
    url: str,
    change: Callable[[Headers], Any] = lambda _: None,
    scope: tuple[str, str] = ("rds-data", "eu-central-1"),
    late: timedelta = timedelta(),
    more: Headers | None = None,
) -> Headers:
    """Return the headers of a signed call, with some `more`, changed after that; signed `late`."""
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
    """Return the URL of a call; that of the server may have a query."""
    return urlsplit(url)._replace(path="/Execute")


def _signature(signer: SigV4Auth, request: AWSRequest) -> str:
    return signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )


def send(url: str, headers: Headers, body: bytes = BODY) -> tuple[int, str, str]:
    """Send a call as it is; returns status, error type and message."""
    call = _call(url)
    connection = HTTPConnection(call.netloc, timeout=10)
    connection.request("POST", f"{call.path}?{call.query}", body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("x-amzn-ErrorType", ""), text


def test_the_right_key_may_call(url: str) -> None:
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
def test_a_wrong_key_may_not(url: str, key_id: str, secret: str, code: str) -> None:
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


def test_a_signed_request_is_taken(url: str) -> None:
    """A header may be signed with its spaces, which do not count."""
    assert send(url, signed(url))[0] == 200


def replace(name: str, old: str, new: str) -> Callable[[Headers], Any]:
    """Return what changes a header of a signed request."""

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
def test_a_signature_is_checked(
    url: str, change: Callable[[Headers], Any], code: str, message: str
) -> None:
    """A signature that is missing, incomplete or of another request is AWS's error, 403."""
    status, error, answer = send(url, signed(url, change))
    assert (status, error) == (403, f"{code}Exception")
    assert message in answer


def test_the_body_is_signed(url: str) -> None:
    """A body that was changed on its way does not fit its signature."""
    status, error, _ = send(url, signed(url), BODY.replace(b"SELECT 1", b"SELECT 2"))
    assert (status, error) == (403, "InvalidSignatureException")


def test_the_body_may_not_be_left_unsigned(url: str) -> None:
    """A client may name its body's hash in a header, as the SDK for JavaScript does, not none."""
    right = {"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()}
    assert send(url, signed(url, more=right))[0] == 200
    none = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    status, error, _ = send(url, signed(url, more=none))
    assert (status, error) == (403, "InvalidSignatureException")


def test_a_session_token_is_signed(url: str) -> None:
    """The token of temporary credentials goes with the signature, and cannot be another."""
    token = {"X-Amz-Security-Token": "FwoGZXIvYXdzEXAMPLE=="}
    assert send(url, signed(url, more=token))[0] == 200
    other = replace("X-Amz-Security-Token", "EXAMPLE", "OTHER")
    status, error, _ = send(url, signed(url, other, more=token))
    assert (status, error) == (403, "InvalidSignatureException")


def test_the_query_is_signed(url: str) -> None:
    """A query that was added or changed on its way does not fit the signature."""
    query = f"{url}?b=2&a=%20&a=1"
    assert send(query, signed(query))[0] == 200
    for other in (url, f"{url}?a=%20&a=2&b=2", f"{query}&c=3"):
        status, error, _ = send(other, signed(query))
        assert (status, error) == (403, "InvalidSignatureException"), other


def test_the_region_is_the_clusters(url: str) -> None:
    """A server that knows its clusters takes no signature for another region than theirs."""
    status, error, answer = send(url, signed(url, scope=("rds-data", "us-east-1")))
    assert (status, error) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to a valid region, not 'us-east-1'." in answer


def test_the_service_is_signed(url: str) -> None:
    """A signature for another service is not taken."""
    status, error, answer = send(url, signed(url, scope=("dynamodb", "eu-central-1")))
    assert (status, error) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to correct service: 'rds-data'." in answer


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(-4.9, None), (-5.1, "Signature expired: "), (4.9, None), (5.1, "Signature not yet current")],
)
def test_clocks_may_differ_a_little(url: str, minutes: float, message: str | None) -> None:
    """A signature holds five minutes before and after its time."""
    status, error, answer = send(url, signed(url, late=timedelta(minutes=minutes)))
    if message is None:
        assert status == 200
    else:
        assert (status, error) == (403, "InvalidSignatureException")
        assert message in answer


def test_an_unknown_cluster_has_no_endpoint(url: str) -> None:
    """A cluster that is not here is HttpEndpointNotEnabledException, in AWS's words."""
    api = connect(url, (ID, SECRET))
    api.client.execute_statement(**{**ARNS, "resourceArn": OTHER}, sql="SELECT 1")
    with pytest.raises(api.errors.HttpEndpointNotEnabledException) as caught:
        api.client.begin_transaction(**{**ARNS, "resourceArn": OTHER + "s"})
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["message"] == f"HttpEndpoint is not enabled for resource {OTHER}s"


def test_an_unknown_secret_is_not_found(url: str) -> None:
    """A secret that is not here is SecretsErrorException."""
    api = connect(url, (ID, SECRET))
    with pytest.raises(api.errors.SecretsErrorException, match="can't find the specified secret"):
        api.client.begin_transaction(**{**ARNS, "secretArn": ARNS["secretArn"] + "s"})


def test_without_a_key_anyone_may_call(data_api: str) -> None:
    """A server that was given no key asks for no signature, and knows every ARN."""
    assert send(data_api, {})[0] == 200


def test_without_a_key_no_web_page_may_call(data_api: str) -> None:
    """A browser would send it for any page that the developer looks at."""
    answer = requests.post(
        f"{data_api}/Execute",
        data=json.dumps({**ARNS, "sql": "SELECT 1"}),
        headers={"Content-Type": "text/plain", "Origin": "http://evil.example"},
        timeout=9,
    )
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "ForbiddenException"


def test_half_a_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key without its secret ends the program, and does not open it to everyone."""
    monkeypatch.setenv("DATA_API_ACCESS_KEY_ID", ID)
    told = run(url="mysql://user:hidden@127.0.0.1/customers")
    assert told.returncode == 2
    assert told.stderr.startswith("data-api: set both DATA_API_ACCESS_KEY_ID")
