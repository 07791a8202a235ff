"""The subscriptions that copy audit lines from the functions' logs to the trail of audit.yaml.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from infrastructure.stages import Stage

JSONObject = dict[str, Any]

NAME = "audit"
PATTERN = '{ $.message = "audit" }'
AUDITED = ("api_handler", "purge_customers")
"""The functions that write audit lines."""
HERE = "${AWS::Region}:${AWS::AccountId}"
STREAM = f"arn:${{AWS::Partition}}:firehose:{HERE}:deliverystream/customers-${{Stage}}-audit"
ROLE = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/customers-${Stage}-audit-subscription"


def resources(logs: Mapping[str, str]) -> JSONObject:
    """Return the subscriptions; `logs` has the logical id of each function's log group."""
    return {f"{logs[function]}Audit": _subscription(logs[function]) for function in AUDITED}


def subscribe(
    client: Any, stage: Stage, outputs: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Subscribe the logs of functions that `chalice deploy` created, unless they are subscribed.

    `outputs` are those of the audit trail's stack. Raises ClientError.
    """
    for function in AUDITED:
        wanted = {
            "logGroupName": f"/aws/lambda/{stage.lambda_name(function)}",
            "filterName": NAME,
            "filterPattern": PATTERN,
            "destinationArn": outputs["StreamArn"],
            "roleArn": outputs["SubscriptionRoleArn"],
        }
        found = client.describe_subscription_filters(
            logGroupName=wanted["logGroupName"], filterNamePrefix=NAME
        )["subscriptionFilters"]
        if not any(wanted.items() <= each.items() for each in found):
            client.put_subscription_filter(**wanted)
            say(f"audit lines of {stage.lambda_name(function)} go to the trail")


def _subscription(log: str) -> JSONObject:
    return {
        "Type": "AWS::Logs::SubscriptionFilter",
        "Properties": {
            "LogGroupName": {"Ref": log},
            "FilterName": NAME,
            "FilterPattern": PATTERN,
            "DestinationArn": {"Fn::Sub": STREAM},
            "RoleArn": {"Fn::Sub": ROLE},
        },
    }
