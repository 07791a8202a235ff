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
LOGS_IN = ("rds-db:connect", "DatabaseUserArn")
# By backend, what the functions that use the database may do. The authorizer may do none of this.
ALLOWED: Mapping[str, set[tuple[str, str]]] = {
    "data_api": {READS_SECRET, RUNS_STATEMENTS},
    "mysql": {LOGS_IN},
    "mysql_password": {READS_SECRET},
}
USES_DATABASE = {
    "ApiHandlerRole": True,
    "AuthorizeRole": False,
    "PurgeCustomersRole": True,
    "RelayEventsRole": True,
}
SENDS_EVENTS = "RelayEventsRole"
CHECKED = [
    LOGS_IN,
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
    roles = {name: role for _, name, role in run.stack("api").resources()}
    for name, uses_database in USES_DATABASE.items():
        role = iam.get_role(RoleName=roles[name])["Role"]["Arn"]
        allowed = ALLOWED[run.stage.backend] if uses_database else set()
        for action, output in CHECKED:
            if output not in database:
                continue
            decision = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[database[output]]
            )["EvaluationResults"][0]["EvalDecision"]
            if (decision == "allowed") != ((action, output) in allowed):
                raise Failure(f"{name}: {action} on {output} is {decision}")
        bus = run.outputs("bus")["BusArn"]
        decision = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=["events:PutEvents"], ResourceArns=[bus]
        )["EvaluationResults"][0]["EvalDecision"]
        expect(f"{name}: events:PutEvents", decision == "allowed", name == SENDS_EVENTS)


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
