"""The web application firewall of a stage.

WAF inspects the first 16 KiB of a body. A body may have 64 KiB, a batch 1 MiB, and both may contain
free text. So AWS's rules about sizes and about text in bodies only count and don't block. This is
safe because the app parses only JSON, and passes values to SQL only as parameters.

Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
"""

from collections.abc import Sequence
from typing import Any

from infrastructure.stages import Stage

Rule = dict[str, Any]

ADDRESS_SECONDS = 300
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
        "Action": {"Block": {}},
        "VisibilityConfig": _visibility("rate-of-an-address"),
    }


def _visibility(name: str) -> Rule:
    """Return the metric's configuration.

    Samples are disabled: they would show addresses and tokens.
    """
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,
    }
