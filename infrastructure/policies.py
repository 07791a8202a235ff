"""IAM policies: the least privileges of each function.

Both deployment methods use them: `documents` returns the files of `.chalice` for `chalice deploy`,
and `infrastructure/template.py` inserts `policy` into the template.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from infrastructure.stages import Stage

Policy = dict[str, Any]

VERSION = "2012-10-17"

# The actions of the Data API that each function calls, by Chalice's names of the functions.
DATA_API: Mapping[str, Sequence[str]] = {
    "api_handler": ("rds-data:ExecuteStatement",),
    "authorize": (),
    "purge_customers": ("rds-data:ExecuteStatement",),
}


class Arns(NamedTuple):
    """The ARNs in the policies. `*` replaces what is unknown before a stage has its database."""

    cluster: str
    secret: str
    key: str
    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    @classmethod
    def unbound(cls, stage: str) -> "Arns":
        """Return the ARNs for a stage in any account and region, as narrow as the names allow."""
        return cls(
            cluster=f"arn:aws:rds:*:*:cluster:customers-{stage}",
            secret=f"arn:aws:secretsmanager:*:*:secret:customers-{stage}/application-??????",
            key="arn:aws:kms:*:*:key/*",
        )

    @classmethod
    def bound(cls, outputs: Mapping[str, str]) -> "Arns":
        """Return the ARNs from the database stack's outputs; the functions are in its region."""
        cluster = outputs["ClusterArn"]
        _, partition, _, region, account, *_ = cluster.split(":")
        secret, key = outputs["ApplicationSecretArn"], outputs["KeyArn"]
        return cls(cluster, secret, key, partition, region, account)


def documents(stage: Stage, outputs: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """Return the policies of a stage by Chalice's names of its functions.

    `outputs` are those of the database's stack; if omitted, the policies apply to any account.
    """
    arns = Arns.bound(outputs) if outputs else Arns.unbound(stage.name)
    return {function: policy(stage, function, arns) for function in DATA_API}


def policy(stage: Stage, function: str, arns: Arns) -> Policy:
    """Return the policy of a function."""
    statements = [*_database(function, arns), *basics(stage.lambda_name(function), arns)]
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


def _database(function: str, arns: Arns) -> Iterator[Policy]:
    """Yield the permission to run statements. The Data API reads the secret as the caller."""
    if not (actions := DATA_API[function]):
        return
    yield allow("RunStatements", actions, arns.cluster)
    yield allow("ReadItsSecret", ["secretsmanager:GetSecretValue"], arns.secret)
    yield allow("DecryptItsSecret", ["kms:Decrypt"], arns.key) | {
        "Condition": {
            "StringLike": {
                "kms:ViaService": f"secretsmanager.{arns.region}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": arns.secret,
            }
        }
    }
