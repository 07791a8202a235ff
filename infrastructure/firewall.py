"""The web application firewall of a stage.

WAF inspects the first 16 KiB of a body. A body may have 64 KiB, a batch 1 MiB, and both may contain
free text. A path may contain an external id, which may be any text. So AWS's rules about sizes and
about text in bodies and paths only count and don't block. This is safe because the app parses only
JSON, serves no files, and passes values to SQL only as parameters.

Rate rules are approximate: usually, WAF notices within 30 seconds that a rate rises or falls. It
blocks all requests of the client in between, not only those above the limit. WAF reads no tokens,
so one caller with several tokens counts as several clients.

The log has only the requests that a rule blocked or counted. WAF can't leave out the address, so
CloudWatch masks addresses and names in the log. WAF leaves out query strings, which may contain
email addresses, and headers that contain credentials.

Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
        https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-caveats.html
        https://docs.aws.amazon.com/waf/latest/developerguide/logging-management.html
"""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.http import problems
from infrastructure.stages import CLIENT_SHARE, Stage

Rule = dict[str, Any]

ADDRESS_SECONDS = 300
TOKEN_SECONDS = 60  # the shortest window
LOWEST_LIMIT = 10  # AWS accepts no lower limit of a rate-based rule
COUNTED = (
    "SizeRestrictions_BODY",  # more than 8 KB
    "SizeRestrictions_QUERYSTRING",  # more than 2,048 bytes, which a search with a cursor may need
    "CrossSiteScripting_BODY",  # a company's name may contain <3
    "GenericRFI_BODY",  # metadata may contain URLs
    "GenericLFI_BODY",  # and paths
    "EC2MetaDataSSRF_BODY",  # nothing here follows URLs
    "CrossSiteScripting_URIPATH",  # external ids in a path may be any text
    "GenericRFI_URIPATH",
    "GenericLFI_URIPATH",
    "EC2MetaDataSSRF_URIPATH",
    "RestrictedExtensions_URIPATH",
    "NoUserAgent_HEADER",  # clients are programs without a required User-Agent
)
COUNTED_ADDRESSES = ("HostingProviderIPList",)  # clients are servers, which are in such networks
SECRET_HEADERS = ("authorization", "cookie", "x-api-key", "x-forwarded-for")
PERSONAL = ("Address", "EmailAddress", "IpAddress", "Name")
# AWS's own identifiers detect the numbers of six countries only. The regular expression may contain
# neither parentheses nor percent signs. In a path, + may be %2B.
PHONE = {"Name": "E164PhoneNumber", "Regex": "[+B][1-9][0-9]{6,14}"}
LOG_DAYS = 7  # so that erased data disappears after a week


def properties(stage: Stage) -> dict[str, Any]:
    """Return the properties of the stage's AWS::WAFv2::WebACL."""
    rules = [
        _managed("AWSManagedRulesCommonRuleSet", COUNTED),
        _managed("AWSManagedRulesKnownBadInputsRuleSet"),
        _managed("AWSManagedRulesAmazonIpReputationList"),
        _managed("AWSManagedRulesAnonymousIpList", COUNTED_ADDRESSES),
        *_rates(stage),
    ]
    return {
        "Name": f"customers-{stage.name}",
        "Description": f"Protects the customers API, {stage.name}",
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": _visibility(f"customers-{stage.name}"),
        "Rules": [{"Priority": n, **rule} for n, rule in enumerate(rules)],
        "CustomResponseBodies": {
            _body_key(seconds): {
                "ContentType": "APPLICATION_JSON",
                "Content": json.dumps(problems.body(_problem(seconds), "/", "firewall")),
            }
            for seconds in (ADDRESS_SECONDS, TOKEN_SECONDS)
        },
    }


def _managed(name: str, counted: Sequence[str] = ()) -> Rule:
    group: Rule = {"VendorName": "AWS", "Name": name}
    if counted:
        group["RuleActionOverrides"] = [
            {"Name": rule, "ActionToUse": {"Count": {}}} for rule in counted
        ]
    return {
        "Name": name,
        "Statement": {"ManagedRuleGroupStatement": group},
        "OverrideAction": {"None": {}},
        "VisibilityConfig": _visibility(name),
    }


def _rates(stage: Stage) -> list[Rule]:
    """Return the rules that block a client above a limit of requests.

    An address may use half of the stage's rate, and without a token a hundredth.
    """
    address = {"AggregateKeyType": "IP"}
    without_token = address | {"ScopeDownStatement": _without("authorization")}
    limits = stage.rate * ADDRESS_SECONDS // 2, stage.rate * ADDRESS_SECONDS // 100
    rules = [
        _rate("rate-of-an-address", address, limits[0], ADDRESS_SECONDS),
        _rate("rate-without-token", without_token, max(LOWEST_LIMIT, limits[1]), ADDRESS_SECONDS),
    ]
    if stage.limit_by == "token":
        limit = int(stage.rate * CLIENT_SHARE * TOKEN_SECONDS)
        rules.append(_rate("rate-of-a-token", _by("authorization"), limit, TOKEN_SECONDS))
    return rules


def _rate(name: str, statement: Rule, limit: int, seconds: int) -> Rule:
    rate = {**statement, "EvaluationWindowSec": seconds, "Limit": limit}
    return {
        "Name": name,
        "Statement": {"RateBasedStatement": rate},
        "Action": {"Block": {"CustomResponse": _limited(seconds)}},
        "VisibilityConfig": _visibility(name),
    }


def _by(header: str) -> Rule:
    """Return a statement that counts the requests with each value of a header.

    The log has the first 32 characters of the value, which are the same in all tokens.
    """
    key = {"Name": header, "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}
    return {"AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [{"Header": key}]}


def _without(header: str) -> Rule:
    """Return a statement that matches requests without a header."""
    present = {
        "FieldToMatch": {"SingleHeader": {"Name": header}},
        "ComparisonOperator": "GT",
        "Size": 0,
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
    }
    return {"NotStatement": {"Statement": {"SizeConstraintStatement": present}}}


def log_name(stage: Stage) -> str:
    """Return the name of the log group; AWS requires the prefix."""
    return f"aws-waf-logs-customers-{stage.name}"


def logging() -> dict[str, Any]:
    """Return the properties of AWS::WAFv2::LoggingConfiguration, except both ARNs."""
    stopped = [{"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")]
    kept = {"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": stopped}
    headers = [{"SingleHeader": {"Name": name}} for name in SECRET_HEADERS]
    return {
        "RedactedFields": [{"QueryString": {}}, *headers],
        "LoggingFilter": {"DefaultBehavior": "DROP", "Filters": [kept]},
    }


def masking(partition: str) -> dict[str, Any]:
    """Return the data protection policy that masks personal data in the log."""
    arn = f"arn:{partition}:dataprotection::aws:data-identifier"
    identifiers = [*(f"{arn}/{name}" for name in PERSONAL), PHONE["Name"]]
    operations: dict[str, Any] = {
        "audit": {"Audit": {"FindingsDestination": {}}},
        "mask": {"Deidentify": {"MaskConfig": {}}},
    }
    return {
        "Name": "personal-data",
        "Version": "2021-06-01",
        "Configuration": {"CustomDataIdentifier": [PHONE]},
        "Statement": [
            {"Sid": sid, "DataIdentifier": identifiers, "Operation": operation}
            for sid, operation in operations.items()
        ],
    }


def _limited(seconds: int) -> Rule:
    """Return the response to a client above its limit.

    WAF sends it instead of the gateway response WAF_FILTERED, which is 403. WAF inserts no
    variables, and chooses the Content-Type by the type of the body.

    Source: https://docs.aws.amazon.com/waf/latest/developerguide/customizing-the-response-for-blocked-requests.html
    """
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
        "Cache-Control": "no-store",
        **_problem(seconds).headers,
    }
    return {
        "ResponseCode": problems.TooManyRequests.status,
        "CustomResponseBodyKey": _body_key(seconds),
        "ResponseHeaders": [{"Name": name, "Value": value} for name, value in headers.items()],
    }


def _problem(seconds: int) -> problems.TooManyRequests:
    return problems.TooManyRequests(
        f"This address or token has sent too many requests. Send none for {seconds} seconds.",
        retry_after=seconds,
    )


def _body_key(seconds: int) -> str:
    return f"too-many-requests-{seconds}"


def _visibility(name: str) -> Rule:
    """Return the metric's configuration.

    Samples are disabled: they would show addresses and tokens.
    """
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,
    }
