"""The web application firewall before a stage: what it turns away unseen.

It looks at the first 16 KiB of a body. A body may have 64 KiB, a batch 1 MiB, and either may hold a
customer's words, so what AWS's rules think of sizes and of text in bodies is counted, not blocked:
the app reads JSON only, and SQL has parameters only.

Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
"""

from collections.abc import Sequence
from typing import Any

from infrastructure.stages import Stage

Rule = dict[str, Any]

ADDRESS_SECONDS = 300
COUNTED = (
    "SizeRestrictions_BODY",  # more than 8 KB
    "SizeRestrictions_QUERYSTRING",  # more than 2,048 bytes: a search and a cursor may have them
    "CrossSiteScripting_BODY",  # a company may be called <3
    "GenericRFI_BODY",  # metadata may hold addresses of the web
    "GenericLFI_BODY",  # and paths
    "EC2MetaDataSSRF_BODY",  # which nothing here follows
    "NoUserAgent_HEADER",  # clients are programs, and need not say which
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
        "Description": f"Before the customers API, {stage.name}",
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
    """Return the rule that no address takes more than half of what the stage takes."""
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
    """Return how it is counted; samples would show addresses and tokens."""
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,
    }
