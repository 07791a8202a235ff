"""What each function may do in AWS, and nothing else.

One description for both ways of deploying: `documents` are the files of `.chalice`, which `chalice
deploy` gives to the functions, and `infrastructure/template.py` puts `policy` into the template.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from infrastructure.stages import Stage

Policy = dict[str, Any]

VERSION = "2012-10-17"

# By Chalice's names of the functions: the actions of the Data API that their code calls.
DATA_API: Mapping[str, Sequence[str]] = {
    "api_handler": ("rds-data:ExecuteStatement",),
    "authorize": (),
    "purge_customers": ("rds-data:ExecuteStatement",),
}


class Arns(NamedTuple):
    """What policies name. `*` stands for what is not known before a stage has its database."""

    cluster: str
    secret: str
    key: str
    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    @classmethod
    def unbound(cls, stage: str) -> "Arns":
        """Return those of the stage in any account and region: as narrow as names allow."""
        return cls(
            cluster=f"arn:aws:rds:*:*:cluster:customers-{stage}",
            secret=f"arn:aws:secretsmanager:*:*:secret:customers-{stage}/application-??????",
            key="arn:aws:kms:*:*:key/*",
        )

    @classmethod
    def bound(cls, outputs: Mapping[str, str]) -> "Arns":
        """Return those of a database by its stack's outputs; the functions are where it is."""
        cluster = outputs["ClusterArn"]
        _, partition, _, region, account, *_ = cluster.split(":")
        secret, key = outputs["ApplicationSecretArn"], outputs["KeyArn"]
        return cls(cluster, secret, key, partition, region, account)


def documents(stage: Stage, outputs: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """Return the policies of a stage by Chalice's names of its functions.

    `outputs` are those of the database's stack; without them the policies are for any account.
    """
    arns = Arns.bound(outputs) if outputs else Arns.unbound(stage.name)
    return {function: policy(stage, function, arns) for function in DATA_API}


def policy(stage: Stage, function: str, arns: Arns) -> Policy:
    """Return what a function may do."""
    statements = [*_database(function, arns), *basics(stage.lambda_name(function), arns)]
    return {"Version": VERSION, "Statement": statements}


def basics(lambda_name: str, arns: Arns) -> Iterator[Policy]:
    """Yield what every function may do: write its own log, and send traces."""
    where = f"arn:{arns.partition}:logs:{arns.region}:{arns.account}"
    log = f"{where}:log-group:/aws/lambda/{lambda_name}:*"
    yield allow("WriteItsLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log)
    # X-Ray has no resources to name
    yield allow("SendTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")


def allow(sid: str, actions: Sequence[str], resource: str | Sequence[str]) -> Policy:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _database(function: str, arns: Arns) -> Iterator[Policy]:
    """Yield the right to run statements; the Data API reads the secret with the caller's rights."""
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
