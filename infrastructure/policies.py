"""IAM policies: the least privileges of each function.

Both deployment methods use them: `documents` returns the files of `.chalice` for `chalice deploy`,
and `infrastructure/template.py` inserts `policy` into the template. After a change here or of a
stage's backend, `make stages` writes the files.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from infrastructure import stages
from infrastructure.stages import Stage

Policy = dict[str, Any]

VERSION = "2012-10-17"

# The actions of the Data API that each function calls, by Chalice's names of the functions.
DATA_API: Mapping[str, Sequence[str]] = {
    "api_handler": ("rds-data:ExecuteStatement",),
    "authorize": (),
    "purge_customers": ("rds-data:ExecuteStatement",),
    "relay_events": ("rds-data:ExecuteStatement",),
}

# With these actions, Lambda creates the network interfaces of functions in a network.
INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class Arns(NamedTuple):
    """The ARNs in the policies. `*` replaces what is unknown before a stage has its database."""

    cluster: str
    secret: str
    key: str
    partition: str = "aws"
    region: str = "*"
    account: str = "*"
    user: str = ""
    """The functions' database user at RDS Proxy, if they log in with IAM."""

    @classmethod
    def unbound(cls, stage: str) -> "Arns":
        """Return the ARNs for a stage in any account and region, as narrow as the names allow."""
        return cls(
            cluster=f"arn:aws:rds:*:*:cluster:customers-{stage}",
            secret=f"arn:aws:secretsmanager:*:*:secret:customers-{stage}/application-??????",
            key="arn:aws:kms:*:*:key/*",
            user="arn:aws:rds-db:*:*:dbuser:prx-*/functions",
        )

    @classmethod
    def bound(cls, outputs: Mapping[str, str]) -> "Arns":
        """Return the ARNs from the database stack's outputs; the functions are in its region."""
        user = outputs.get("DatabaseUserArn", "")
        cluster = outputs["ClusterArn"]
        _, partition, _, region, account, *_ = cluster.split(":")
        secret, key = outputs["ApplicationSecretArn"], outputs["KeyArn"]
        return cls(cluster, secret, key, partition, region, account, user)


def documents(stage: Stage, outputs: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """Return the policies of a stage by Chalice's names of its functions.

    `outputs` are those of the database's stack; if omitted, the policies apply to any account.
    """
    arns = Arns.bound(outputs) if outputs else Arns.unbound(stage.name)
    return {function: policy(stage, function, arns) for function in DATA_API}


def policy(stage: Stage, function: str, arns: Arns) -> Policy:
    """Return the policy of a function."""
    lambda_name = stage.lambda_name(function)
    statements = [*basics(lambda_name, arns)]
    if DATA_API[function]:
        database = {
            stages.DATA_API: _data_api(function, arns),
            stages.MYSQL: _log_in(arns),
            stages.MYSQL_PASSWORD: _read_secret(arns),
        }[stage.backend]
        network = _join_network(lambda_name, arns) if stage.has_proxy else ()
        statements = [*database, *network, *statements]
    if function == "relay_events" and stage.has_events:
        statements = [_put_events(stage, arns), *statements]
    return {"Version": VERSION, "Statement": statements}


def basics(lambda_name: str, arns: Arns) -> Iterator[Policy]:
    """Yield what every function needs: to write its own log, and to send traces."""
    prefix = f"arn:{arns.partition}:logs:{arns.region}:{arns.account}"
    log = f"{prefix}:log-group:/aws/lambda/{lambda_name}:*"
    yield allow("WriteItsLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log)
    # X-Ray has no resource-level permissions
    yield allow("SendTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")


def allow(sid: str, actions: Sequence[str], resource: str | Sequence[str]) -> Policy:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _data_api(function: str, arns: Arns) -> Iterator[Policy]:
    """Yield the permission to run statements. The Data API reads the secret as the caller."""
    yield allow("RunStatements", DATA_API[function], arns.cluster)
    yield from _read_secret(arns)


def _log_in(arns: Arns) -> Iterator[Policy]:
    """Yield the permission to log in to RDS Proxy as one user."""
    yield allow("LogIn", ["rds-db:connect"], arns.user)


def _put_events(stage: Stage, arns: Arns) -> Policy:
    """Return the permission to put events on the stage's own bus."""
    bus = f"arn:{arns.partition}:events:{arns.region}:{arns.account}:event-bus/{stage.event_bus}"
    return allow("PutEvents", ["events:PutEvents"], bus)


def _read_secret(arns: Arns) -> Iterator[Policy]:
    yield allow("ReadItsSecret", ["secretsmanager:GetSecretValue"], arns.secret)
    yield allow("DecryptItsSecret", ["kms:Decrypt"], arns.key) | {
        "Condition": {
            "StringLike": {
                "kms:ViaService": f"secretsmanager.{arns.region}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": arns.secret,
            }
        }
    }


def _join_network(lambda_name: str, arns: Arns) -> Iterator[Policy]:
    """Yield what Lambda needs to connect a function to a network, and deny it to the code.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    own = f"arn:{arns.partition}:lambda:{arns.region}:{arns.account}:function:{lambda_name}"
    joining = allow("JoinNetwork", INTERFACES, "*")  # the interfaces have no names
    code = {"ArnLike": {"lambda:SourceFunctionArn": own}}
    yield joining
    yield joining | {"Sid": "OnlyByLambda", "Effect": "Deny", "Condition": code}
