"""How traffic moves to a new version: checked before, by canary, and back when an alarm says so.

CodeDeploy moves the alias `live` of the function that answers, and of that which checks tokens. It
watches two alarms that look at single minutes, as a canary does not last long enough for those that
page, and two of the stage's operations.

Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.policies import VERSION, Arns, allow, basics
from infrastructure.stages import RUNTIME, Stage

JSONObject = dict[str, Any]

ALIAS = "live"
HOOK_LOG = "CheckVersionLogGroup"
HOOK_CODE = Path(__file__).parent / "hook" / "handler.py"
HOOK_SECONDS = 420  # two checks of six attempts at most, most of which fail at once
SHIFTED = ("api_handler", "authorize")
PAGING = ("server-errors-sent", "authorizer-failing")  # of operations.yaml
LEAST_FAILURES = 3
FAILING_PERCENT = 2


def preference(stage: Stage, function: str) -> JSONObject:
    """Return how a function's alias moves; only the API's version can be asked by itself."""
    if function not in SHIFTED:
        return {"Enabled": False}
    paging = [f"customers-{stage.name}-{name}" for name in PAGING]
    alarms = [{"Ref": "AnswersFailing"}, {"Ref": "FunctionsFailing"}, *paging]
    hooks = {"Hooks": {"PreTraffic": {"Ref": "CheckVersion"}}} if function == SHIFTED[0] else {}
    role = {"Role": {"Fn::GetAtt": ["CodeDeployRole", "Arn"]}}
    return {"Type": stage.deployment, "Alarms": alarms, **role, **hooks}


def hook_name(stage: Stage) -> str:
    """Return the hook's name, which has to begin so for CodeDeploy's role to invoke it."""
    return f"CodeDeployHook_customers-{stage.name}"


def resources(stage: Stage, arns: Arns) -> JSONObject:
    """Return the hook, its role, and the alarms; the hook's log group is HOOK_LOG."""
    return {
        "CheckVersion": _hook(stage),
        "CheckVersionRole": _hook_role(stage, arns),
        "CodeDeployRole": _codedeploy_role(arns),
        "AnswersFailing": _alarm(stage, "answers-failing", _answers(stage)),
        "FunctionsFailing": _alarm(stage, "functions-failing", _functions(stage)),
    }


def substituted(value: Any) -> Any:
    """Return the value with CloudFormation's Sub around every text that has a variable."""
    if isinstance(value, dict):
        return {name: substituted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [substituted(each) for each in value]
    is_variable = isinstance(value, str) and "${" in value
    return {"Fn::Sub": value} if is_variable else value


def _hook(stage: Stage) -> JSONObject:
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": hook_name(stage),
            "Description": "Asks a new version of the API whether it works",
            "Runtime": RUNTIME,
            "Handler": "index.handle",
            "InlineCode": HOOK_CODE.read_text(),
            "MemorySize": 256,
            "Timeout": HOOK_SECONDS,
            "Tracing": "Active",
            "ReservedConcurrentExecutions": 1,
            "Role": {"Fn::GetAtt": ["CheckVersionRole", "Arn"]},
            "Environment": {"Variables": {"VERSION": {"Ref": "APIHandler.Version"}}},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": {"Ref": HOOK_LOG}},
        },
    }


def _hook_role(stage: Stage, arns: Arns) -> JSONObject:
    """Return a role that may invoke published versions, and tell CodeDeploy of its deployments."""
    here = f"{arns.region}:{arns.account}"
    version = f"arn:{arns.partition}:lambda:{here}:function:{stage.lambda_name(SHIFTED[0])}:*"
    group = f"arn:{arns.partition}:codedeploy:{here}:deploymentgroup"
    statements = [
        allow("InvokeVersions", ["lambda:InvokeFunction"], version),
        allow(
            "AnswerCodeDeploy",
            ["codedeploy:PutLifecycleEventHookExecutionStatus"],
            f"{group}:${{ServerlessDeploymentApplication}}/*",
        ),
        *basics(hook_name(stage), arns),
    ]
    document = substituted({"Version": VERSION, "Statement": statements})
    return _role("lambda", Policies=[{"PolicyName": "own", "PolicyDocument": document}])


def _codedeploy_role(arns: Arns) -> JSONObject:
    """Return what SAM would make itself, but that a boundary can be put around it."""
    own = f"arn:{arns.partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"
    return _role("codedeploy", ManagedPolicyArns=substituted([own]))


def _role(service: str, **policies: Any) -> JSONObject:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    assumed = {"Version": VERSION, "Statement": [trust]}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": assumed, **policies},
    }


def _alarm(stage: Stage, name: str, metrics: list[JSONObject]) -> JSONObject:
    """Return an alarm for CodeDeploy alone: two minutes running, at once when it is over."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"customers-{stage.name}-{name}",
            "AlarmDescription": "Rolls a deployment back. The operations' alarms tell people.",
            "Metrics": metrics,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": FAILING_PERCENT,
            "EvaluationPeriods": 2,
            "TreatMissingData": "notBreaching",
        },
    }


def _answers(stage: Stage) -> list[JSONObject]:
    """Return the share of requests that the code answered 5xx, where they are enough to tell."""
    dimensions = {"Stage": stage.name}
    return [
        _share("faults", "requests"),
        _sum("faults", "Customers", "Faults", dimensions),
        _sum("requests", "Customers", "Requests", dimensions),
    ]


def _functions(stage: Stage) -> list[JSONObject]:
    """Return the share of invocations that ended without an answer: crashes and timeouts."""
    dimensions = {
        "FunctionName": stage.lambda_name(SHIFTED[0]),
        "Resource": f"{stage.lambda_name(SHIFTED[0])}:{ALIAS}",
    }
    return [
        _share("errors", "invocations"),
        _sum("errors", "AWS/Lambda", "Errors", dimensions),
        _sum("invocations", "AWS/Lambda", "Invocations", dimensions),
    ]


def _share(part: str, whole: str) -> JSONObject:
    expression = f"IF({part} >= {LEAST_FAILURES}, 100 * {part} / {whole}, 0)"
    return {"Id": "share", "Label": f"{part}, in percent", "Expression": expression}


def _sum(name: str, namespace: str, metric: str, dimensions: Mapping[str, str]) -> JSONObject:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {
        "Id": name,
        "ReturnData": False,
        "MetricStat": {
            "Stat": "Sum",
            "Period": 60,
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
        },
    }
