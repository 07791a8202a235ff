"""Checks of a deployed stage that its clients can't make: roles and live versions."""

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
# Permissions: an action, and the output of the database's stack that names the resource.
READS_SECRET = ("secretsmanager:GetSecretValue", "ApplicationSecretArn")
RUNS_STATEMENTS = ("rds-data:ExecuteStatement", "ClusterArn")
ALLOWED: Mapping[str, set[tuple[str, str]]] = {
    "ApiHandlerRole": {READS_SECRET, RUNS_STATEMENTS},
    "AuthorizeRole": set(),
    "PurgeCustomersRole": {READS_SECRET, RUNS_STATEMENTS},
}
CHECKED = [
    READS_SECRET,
    RUNS_STATEMENTS,
    ("secretsmanager:GetSecretValue", "MigrationsSecretArn"),
    ("secretsmanager:GetSecretValue", "CursorKeySecretArn"),
    ("rds-data:BatchExecuteStatement", "ClusterArn"),
    ("rds:DeleteDBCluster", "ClusterArn"),
]


def check_roles(run: Run) -> None:
    """Raise Failure if the deployed role of a function allows more or less than it should."""
    iam, database = run.session.client("iam"), run.outputs("database")
    names = {name: role for _, name, role in run.stack("api").resources() if name in ALLOWED}
    for name, allowed in ALLOWED.items():
        role = iam.get_role(RoleName=names[name])["Role"]["Arn"]
        for action, output in CHECKED:
            decision = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[database[output]]
            )["EvaluationResults"][0]["EvalDecision"]
            if (decision == "allowed") != ((action, output) in allowed):
                raise Failure(f"{name}: {action} on {output} is {decision}")


def live_versions(run: Run) -> dict[str, int]:
    """Return the version that the `live` alias selects, for each function that clients reach."""
    client, outputs = run.session.client("lambda"), run.outputs("api")
    return {
        outputs[name]: int(releases.live_version(client, outputs[name]))
        for name in ("ApiFunctionName", "AuthorizerFunctionName")
    }


def expect(subject: str, found: object, wanted: object) -> None:
    """Raise Failure unless the found value equals the wanted one."""
    if found != wanted:
        raise Failure(f"{subject}: {found!r} instead of {wanted!r}")


@contextmanager
def next_version(directory: Path) -> Iterator[None]:
    """Package a copy of the code whose document states another version."""
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
