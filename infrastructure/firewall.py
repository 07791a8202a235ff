"""The web application firewall of a stage.

WAF inspects the first 16 KiB of a body. A body may have 64 KiB, a batch 1 MiB, and both may contain
free text. So AWS's rules about sizes and about text in bodies only count and don't block. This is
safe because the app parses only JSON, and passes values to SQL only as parameters.

The log has only the requests that a rule blocked or counted. WAF can't leave out the address, so
CloudWatch masks addresses and names in the log. WAF leaves out query strings, which may contain
email addresses, and headers that contain credentials.

Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
        https://docs.aws.amazon.com/waf/latest/developerguide/logging-management.html
"""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.http import problems
from infrastructure.stages import Stage

Rule = dict[str, Any]

ADDRESS_SECONDS = 300
BODY = "too-many-requests"
LOWEST_LIMIT = 10  # AWS accepts no lower limit of a rate-based rule
COUNTED = (
    "SizeRestrictions_BODY",  # more than 8 KB
    "SizeRestrictions_QUERYSTRING",  # more than 2,048 bytes, which a search with a cursor may need
    "CrossSiteScripting_BODY",  # a company's name may contain <3
    "GenericRFI_BODY",  # metadata may contain URLs
    "GenericLFI_BODY",  # and paths
    "EC2MetaDataSSRF_BODY",  # nothing here follows URLs
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
        _rate("rate-of-an-address", stage.rate * ADDRESS_SECONDS // 2),
        _rate(
            "rate-without-token",
            max(LOWEST_LIMIT, stage.rate * ADDRESS_SECONDS // 100),
            {"ScopeDownStatement": _without("authorization")},
        ),
    ]
    return {
        "Name": f"customers-{stage.name}",
        "Description": f"Protects the customers API, {stage.name}",
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": _visibility(f"customers-{stage.name}"),
        "Rules": [{"Priority": n, **rule} for n, rule in enumerate(rules)],
        "CustomResponseBodies": {
            BODY: {"ContentType": "APPLICATION_JSON", "Content": json.dumps(_too_many_requests())}
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


def _rate(name: str, limit: int, more: Rule | None = None) -> Rule:
    """Return a rule that blocks an IP address above a limit of requests in five minutes.

    An address may use half of the stage's rate limit, and without a token a hundredth.
    """
    statement = {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": ADDRESS_SECONDS,
        "Limit": limit,
        **(more or {}),
    }
    return {
        "Name": name,
        "Statement": {"RateBasedStatement": statement},
        "Action": {"Block": {"CustomResponse": _limited()}},
        "VisibilityConfig": _visibility(name),
    }


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


def _limited() -> Rule:
    """Return the response to an address above its limit.

    WAF sends it instead of the gateway response WAF_FILTERED, which is 403. WAF inserts no
    variables, and chooses the Content-Type by the type of the body.

    Source: https://docs.aws.amazon.com/waf/latest/developerguide/customizing-the-response-for-blocked-requests.html
    """
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
        "Cache-Control": "no-store",
        "Retry-After": str(ADDRESS_SECONDS),
    }
    return {
        "ResponseCode": problems.TooManyRequests.status,
        "CustomResponseBodyKey": BODY,
        "ResponseHeaders": [{"Name": name, "Value": value} for name, value in headers.items()],
    }


def _too_many_requests() -> Rule:
    problem = problems.TooManyRequests(
        f"This address has sent too many requests. Wait {ADDRESS_SECONDS} seconds."
    )
    return dict(problems.body(problem, "/", "firewall"))


def _visibility(name: str) -> Rule:
    """Return the metric's configuration.

    Samples are disabled: they would show addresses and tokens.
    """
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,
    }
