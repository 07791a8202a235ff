"""The web application firewall of a stage.

WAF inspects the first 16 KiB of a body. A body may have 64 KiB, a batch 1 MiB, and both may contain
free text. So AWS's rules about sizes and about text in bodies only count and don't block. This is
safe because the app parses only JSON, and passes values to SQL only as parameters.

Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
"""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.http import problems
from infrastructure.stages import Stage

Rule = dict[str, Any]

ADDRESS_SECONDS = 300
BODY = "too-many-requests"
COUNTED = (
    "SizeRestrictions_BODY",  # more than 8 KB
    "SizeRestrictions_QUERYSTRING",  # more than 2,048 bytes, which a search with a cursor may need
    "CrossSiteScripting_BODY",  # a company's name may contain <3
    "GenericRFI_BODY",  # metadata may contain URLs
    "GenericLFI_BODY",  # and paths
    "EC2MetaDataSSRF_BODY",  # nothing here follows URLs
    "NoUserAgent_HEADER",  # clients are programs without a required User-Agent
)


def properties(stage: Stage) -> dict[str, Any]:
    """Return the properties of the stage's AWS::WAFv2::WebACL."""
    rules = [
        _managed("AWSManagedRulesCommonRuleSet", COUNTED),
        _managed("AWSManagedRulesKnownBadInputsRuleSet"),
        _rate(stage),
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


def _rate(stage: Stage) -> Rule:
    """Return the rule that limits each IP address to half of the stage's rate limit."""
    limit = stage.rate * ADDRESS_SECONDS // 2
    return {
        "Name": "rate-of-an-address",
        "Statement": {
            "RateBasedStatement": {
                "AggregateKeyType": "IP",
                "EvaluationWindowSec": ADDRESS_SECONDS,
                "Limit": limit,
            }
        },
        "Action": {"Block": {"CustomResponse": _limited()}},
        "VisibilityConfig": _visibility("rate-of-an-address"),
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
