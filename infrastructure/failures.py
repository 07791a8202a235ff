"""Explain errors to operators in one line: what is wrong, where, and what to do."""

from collections.abc import Mapping

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
    """A command can't continue. The message says what is wrong, where, and what to do."""


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

_EXPIRED_SESSION = f"The AWS session has expired: {LOG_IN}."
_NO_CONNECTION = "Can't connect to AWS: {error} Check network, proxy and region."
_LOCAL: Mapping[type[Exception], str] = {
    NoCredentialsError: f"AWS credentials not found: {LOG_IN}.",
    PartialCredentialsError: f"The AWS credentials are incomplete ({{error}}): {LOG_IN}.",
    SSOError: _EXPIRED_SESSION,
    TokenRetrievalError: _EXPIRED_SESSION,
    NoRegionError: (
        "The AWS region is not set: set AWS_DEFAULT_REGION, as by"
        " `export AWS_DEFAULT_REGION=eu-west-1`."
    ),
    ProfileNotFound: "{error}: set AWS_PROFILE to one of `aws configure list-profiles`.",
    EndpointConnectionError: _NO_CONNECTION,
    NotConnected: _NO_CONNECTION,
}


def explain(error: BotoCoreError | ClientError) -> str:
    """Return the meaning of an AWS SDK error, and what to do, in one line."""
    if isinstance(error, ClientError):
        text = _explain_response(error)
    else:
        texts = (text for kind, text in _LOCAL.items() if isinstance(error, kind))
        text = next(texts, "The AWS SDK failed: {error}.").format(error=error)
    return " ".join(text.split())


def code_of(error: ClientError | WaiterError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))  # type: ignore[union-attr]


def _explain_response(error: ClientError) -> str:
    code, operation = code_of(error), error.operation_name
    message = str(error.response["Error"].get("Message", "")).rstrip(".")
    if code in _EXPIRED:
        return f"The AWS session has expired ({operation}): {LOG_IN}."
    if code in _UNKNOWN_KEY:
        return f"AWS rejected these credentials ({operation}: {code}): {LOG_IN}."
    if code in _DENIED:
        return (
            f"These credentials lack permission for {operation}: {message}. Use the role that"
            " deploys this stage (`aws sts get-caller-identity` prints the current one), or extend"
            " this role."
        )
    if code in _THROTTLED:
        return f"AWS throttles {operation}: run the command again in a minute."
    if code in _LIMITS:
        return f"A quota is used up ({operation}: {message}): request more in Service Quotas."
    return f"AWS rejected {operation}: {message} ({code})."
