"""Deploy new versions as a canary: check them first, and roll back if an alarm fires.

CodeDeploy moves the alias `live` of the API's function and of the authorizer. It watches two of the
stage's paging alarms, and two alarms of its own with periods of one minute, because a canary is too
short for the paging alarms' periods.

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
HOOK_SECONDS = 420  # two checks with up to six attempts each, most of which fail immediately
SHIFTED = ("api_handler", "authorize")
PAGING = ("server-errors-sent", "authorizer-failing")  # in operations.yaml
# A canary gets a tenth of the requests, so a version that fails every tenth of these fails 1 % of
# all. The target is 0.1 %. Two of five minutes must fail, because one failure may be a coincidence.
FAILING_PERCENT = 0.5
CANARY_MINUTES = 5
FAILING_MINUTES = 2


def preference(stage: Stage, function: str) -> JSONObject:
    """Return how a function's alias moves. Only the API's versions can be checked before."""
    if function not in SHIFTED:
        return {"Enabled": False}
    paging = [f"customers-{stage.name}-{name}" for name in PAGING]
    alarms = [{"Ref": "ResponsesFailing"}, {"Ref": "FunctionsFailing"}, *paging]
    hooks = {"Hooks": {"PreTraffic": {"Ref": "CheckVersion"}}} if function == SHIFTED[0] else {}
    role = {"Role": {"Fn::GetAtt": ["CodeDeployRole", "Arn"]}}
    return {"Type": stage.deployment, "Alarms": alarms, **role, **hooks}


def hook_name(stage: Stage) -> str:
    """Return the hook's name. CodeDeploy's role may invoke only names with this prefix."""
    return f"CodeDeployHook_customers-{stage.name}"


def resources(stage: Stage, arns: Arns) -> JSONObject:
    """Return the hook, the roles and the alarms, without the hook's log group, HOOK_LOG."""
    return {
        "CheckVersion": _hook(stage),
        "CheckVersionRole": _hook_role(stage, arns),
        "CodeDeployRole": _codedeploy_role(arns),
        "ResponsesFailing": _alarm(stage, "responses-failing", _responses(stage)),
        "FunctionsFailing": _alarm(stage, "functions-failing", _functions(stage)),
    }


def substituted(value: Any) -> Any:
    """Return the value with Fn::Sub around each text that contains a variable."""
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
            "Description": "Checks a new version of the API before it gets traffic",
            "Runtime": RUNTIME,
            "Handler": "index.handle",
            "InlineCode": HOOK_CODE.read_text(),
            "MemorySize": 256,
            "Timeout": HOOK_SECONDS,
            "Tracing": "Active",
            **({} if stage.concurrency is None else {"ReservedConcurrentExecutions": 1}),
            "Role": {"Fn::GetAtt": ["CheckVersionRole", "Arn"]},
            "Environment": {"Variables": {"VERSION": {"Ref": "APIHandler.Version"}}},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": {"Ref": HOOK_LOG}},
        },
    }


def _hook_role(stage: Stage, arns: Arns) -> JSONObject:
    """Return a role that may invoke published versions, and report to CodeDeploy."""
    here = f"{arns.region}:{arns.account}"
    version = f"arn:{arns.partition}:lambda:{here}:function:{stage.lambda_name(SHIFTED[0])}:*"
    group = f"arn:{arns.partition}:codedeploy:{here}:deploymentgroup"
    statements = [
        allow("InvokeVersions", ["lambda:InvokeFunction"], version),
        allow(
            "ReportToCodeDeploy",
            ["codedeploy:PutLifecycleEventHookExecutionStatus"],
            f"{group}:${{ServerlessDeploymentApplication}}/*",
        ),
        *basics(hook_name(stage), arns),
    ]
    document = substituted({"Version": VERSION, "Statement": statements})
    return role("lambda", Policies=[{"PolicyName": "own", "PolicyDocument": document}])


def _codedeploy_role(arns: Arns) -> JSONObject:
    """Return the role that SAM would create, so that it can have a permissions boundary."""
    own = f"arn:{arns.partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"
    return role("codedeploy", ManagedPolicyArns=substituted([own]))


def role(service: str, **policies: Any) -> JSONObject:
    """Return a role that a service of AWS assumes."""
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
    """Return an alarm for CodeDeploy, which fires during a canary."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"customers-{stage.name}-{name}",
            "AlarmDescription": "Rolls back a deployment. The operations alarms notify people.",
            "Metrics": metrics,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": FAILING_PERCENT,
            "EvaluationPeriods": CANARY_MINUTES,
            "DatapointsToAlarm": FAILING_MINUTES,
            "TreatMissingData": "notBreaching",
        },
    }


def _responses(stage: Stage) -> list[JSONObject]:
    """Return the share of requests for which the code returned 5xx."""
    dimensions = {"Stage": stage.name}
    return [
        _share("faults", "requests"),
        _sum("faults", "Customers", "Faults", dimensions),
        _sum("requests", "Customers", "Requests", dimensions),
    ]


def _functions(stage: Stage) -> list[JSONObject]:
    """Return the share of invocations that returned no response: crashes and timeouts."""
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
    expression = f"100 * {part} / {whole}"  # without requests it is no data
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
