"""What has to hold of a deployed stage that its clients do not see."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infrastructure import packaging, releases
from infrastructure.failures import Failure
from infrastructure.run import Run

MARK = "+rehearsed"
# What each role may do, of what any of them may: action and output of the database's stack.
READS_SECRET = ("secretsmanager:GetSecretValue", "ApplicationSecretArn")
RUNS_STATEMENTS = ("rds-data:ExecuteStatement", "ClusterArn")
ALLOWED: Mapping[str, set[tuple[str, str]]] = {
    "ApiHandlerRole": {READS_SECRET, RUNS_STATEMENTS},
    "AuthorizeRole": set(),
    "PurgeCustomersRole": {READS_SECRET, RUNS_STATEMENTS},
}
ASKED = [
    READS_SECRET,
    RUNS_STATEMENTS,
    ("secretsmanager:GetSecretValue", "MigrationsSecretArn"),
    ("secretsmanager:GetSecretValue", "CursorKeySecretArn"),
    ("rds-data:BatchExecuteStatement", "ClusterArn"),
    ("rds:DeleteDBCluster", "ClusterArn"),
]


def check_roles(run: Run) -> None:
    """Raise Failure where a function's role, as it was made, may do more or less than it should."""
    iam, database = run.session.client("iam"), run.outputs("database")
    names = {name: role for _, name, role in run.stack("api").resources() if name in ALLOWED}
    for name, allowed in ALLOWED.items():
        role = iam.get_role(RoleName=names[name])["Role"]["Arn"]
        for action, output in ASKED:
            decision = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[database[output]]
            )["EvaluationResults"][0]["EvalDecision"]
            if (decision == "allowed") != ((action, output) in allowed):
                raise Failure(f"{name}: {action} on {output} is {decision}")


def live_versions(run: Run) -> dict[str, int]:
    """Return the version that `live` names, of each function that clients reach."""
    client, outputs = run.session.client("lambda"), run.outputs("api")
    return {
        outputs[name]: int(releases.live_version(client, outputs[name]))
        for name in ("ApiFunctionName", "AuthorizerFunctionName")
    }


def expect(what: str, found: object, wanted: object) -> None:
    """Raise Failure where something is not as it should be."""
    if found != wanted:
        raise Failure(f"{what}: {found!r} instead of {wanted!r}")


@contextmanager
def next_version(directory: Path) -> Iterator[None]:
    """Have a version packaged that is the next one: it differs in what it says its version is."""
    source = packaging.ROOT
    for name in (*packaging.SOURCES, *packaging.LAYERS.values()):
        (directory / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        copy(source / name, directory / name)
    path = directory / "chalicelib" / "openapi.json"
    document: dict[str, Any] = json.loads(path.read_text())
    document["info"]["version"] += MARK
    path.write_text(json.dumps(document))
    packaging.ROOT = directory
    try:
        yield
    finally:
        packaging.ROOT = source
