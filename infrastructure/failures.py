"""What went wrong, in one line for operators: what, where and what to do."""

from collections.abc import Callable

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    WaiterError,
)
from botocore.exceptions import ConnectionError as NotConnected


class Failure(Exception):
    """A command can't go on; the message says what is wrong, where, and what to do."""


LOG_IN = "log in (`aws sso login`, or as docs/deploying.md says), and run the command again"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEY = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}
_LIMITS = {"LimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"}

_LOCAL: tuple[tuple[tuple[type[Exception], ...], Callable[[Exception], str]], ...] = (
    ((NoCredentialsError,), lambda _: f"There are no AWS credentials here: {LOG_IN}."),
    (
        (PartialCredentialsError,),
        lambda error: f"Half of the AWS credentials is missing ({error}): {LOG_IN}.",
    ),
    ((SSOError, TokenRetrievalError), lambda _: f"The AWS session has expired: {LOG_IN}."),
    (
        (NoRegionError,),
        lambda _: (
            "No AWS region is named: set AWS_DEFAULT_REGION, as by"
            " `export AWS_DEFAULT_REGION=eu-west-1`."
        ),
    ),
    (
        (ProfileNotFound,),
        lambda error: f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`.",
    ),
    (
        (EndpointConnectionError, NotConnected),
        lambda error: f"AWS can't be reached: {error} Look at network, proxy and region.",
    ),
)


def explain(error: BotoCoreError | ClientError) -> str:
    """Return what an error of AWS's SDK means, and what to do, without a line break."""
    if isinstance(error, ClientError):
        text = _of_answer(error)
    else:
        found = (say(error) for kinds, say in _LOCAL if isinstance(error, kinds))
        text = next(found, f"AWS's SDK can't go on: {error}.")
    return " ".join(text.split())


def code_of(error: ClientError | WaiterError) -> str:
    """Return AWS's name of the error."""
    return str(error.response.get("Error", {}).get("Code", ""))  # type: ignore[union-attr]


def _of_answer(error: ClientError) -> str:
    code, asked = code_of(error), error.operation_name
    said = str(error.response["Error"].get("Message", "")).rstrip(".")
    if code in _EXPIRED:
        return f"The AWS session has expired ({asked}): {LOG_IN}."
    if code in _UNKNOWN_KEY:
        return f"AWS does not know these credentials ({asked}: {code}): {LOG_IN}."
    if code in _DENIED:
        return (
            f"These credentials may not do {asked}: {said}. Use the role that deploys this stage"
            " (`aws sts get-caller-identity` names the present one), or give it that permission."
        )
    if code in _THROTTLED:
        return f"AWS takes no more calls of {asked} for now: run the command again in a minute."
    if code in _LIMITS:
        return (
            f"A quota of the account is used up ({asked}: {said}): ask for more in Service Quotas."
        )
    return f"AWS refused {asked}: {said} ({code})."
