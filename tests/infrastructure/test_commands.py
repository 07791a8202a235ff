"""Errors for operators if a command can't continue: one line, and an exit code."""

import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    UnauthorizedSSOTokenError,
)
from botocore.stub import Stubber

from chalicelib.settings import SettingsError
from infrastructure import (
    __main__,
    applying,
    audit,
    checking,
    commands,
    interpreters,
    parameters,
    releases,
)
from infrastructure.changes import Change
from infrastructure.failures import Failure, explain
from infrastructure.parameters import FROM_DATABASE
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import PYTHON, RUNTIME, STAGES
from tests.infrastructure.pipeline import REQUIRED

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command without credentials. Return its exit code and its error output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "eu-west-1"}
    nowhere |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    done = subprocess.run(
        [sys.executable, "-m", "infrastructure", *arguments],
        cwd=ROOT,
        env=kept | nowhere | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_missing_credentials_are_reported_in_one_line() -> None:
    code, said = run("status", "--stage", "dev")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("error: AWS credentials not found: log in")


def test_misspelt_stage_suggests_the_nearest() -> None:
    assert run("destroy", "--stage", "prd") == (
        1,
        "error: Unknown stage 'prd'. Did you mean 'prod'?\n",
    )


def test_missing_region_is_an_error() -> None:
    """STS works without a region.

    AWS_REGION is only read by the AWS CLI, not by boto3 or Chalice.
    """
    code, said = run("status", "--stage", "dev", AWS_DEFAULT_REGION="", AWS_REGION="eu-west-1")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("error: The AWS region is not set: set AWS_DEFAULT_REGION")


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError(), "log in"),
        (NoRegionError(), "set AWS_DEFAULT_REGION"),
        (UnauthorizedSSOTokenError(), "session has expired"),
        (EndpointConnectionError(endpoint_url="https://x"), "Can't connect to AWS"),
        (refused("ExpiredToken"), "session has expired"),
        (refused("InvalidClientTokenId"), "rejected these credentials"),
        (
            refused("AccessDenied", "not\nallowed."),
            "lack permission for CreateChangeSet: not allowed.",
        ),
        (refused("Throttling"), "again in a minute"),
        (refused("LimitExceededException"), "Service Quotas"),
        (refused("Other", "why"), "AWS rejected CreateChangeSet: why (Other)."),
    ],
)
def test_aws_error_is_reported_in_one_line(error: BotoCoreError | ClientError, words: str) -> None:
    said = explain(error)
    assert words in said
    assert "\n" not in said


LOSS = Change("Remove", "Cluster", "AWS::RDS::DBCluster", replaced=False)
HARMLESS = Change("Modify", "Function", "AWS::Lambda::Function", replaced=True)


def test_option_yes_never_confirms_loss_of_state() -> None:
    agreed = Run(None, STAGES["prod"], is_agreed=True)
    assert agreed.confirm([HARMLESS])
    with pytest.raises(Failure, match="may delete the data in Cluster"):
        agreed.confirm([HARMLESS, LOSS])


@pytest.mark.parametrize(("typed", "goes_on"), [("prod", True), ("y", False), ("", False)])
def test_loss_of_state_is_confirmed_with_the_stages_name(typed: str, goes_on: bool) -> None:  # noqa: FBT001
    operator = Run(None, STAGES["prod"], is_agreed=True, ask=lambda _: typed)
    assert operator.confirm([LOSS]) is goes_on


def test_confirmation_without_terminal_is_an_error() -> None:
    with pytest.raises(Failure, match="No terminal: run the command in a terminal"):
        Run(None, STAGES["dev"]).confirm([HARMLESS])


def test_end_of_input_declines() -> None:
    def ended(_: str) -> str:
        raise EOFError

    assert not Run(None, STAGES["prod"], ask=ended).confirm([HARMLESS])


def test_deploy_without_bucket_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "status", None)
    monkeypatch.setattr(checking, "require", Mock())
    run = Run(Mock(), STAGES["dev"])
    with pytest.raises(Failure, match=r"name your own bucket with --bucket\.$"):
        commands.deploy(run)


def test_layers_are_not_bound_for_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """`chalice deploy` takes the running Python's version for the functions'."""
    monkeypatch.setattr(Stack, "status", None)
    monkeypatch.setattr(interpreters, "running", lambda: "3.99")
    message = rf"functions with python3\.99, .* from \.venv/{PYTHON}/bin\.$"
    with pytest.raises(Failure, match=message):
        commands.bind(Run(Mock(), STAGES["dev"]))


COGNITO = {
    "TOKEN_ISSUER": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf",
    "TOKEN_AUDIENCE": "4example",
}
IN_STAGE = {"stages": {"dev": {"environment_variables": COGNITO}}}


def test_cognito_without_scope_prefix_is_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "status", None)
    monkeypatch.setattr(interpreters, "running", lambda: PYTHON)
    monkeypatch.setattr(commands, "read_config", lambda: IN_STAGE)
    with pytest.raises(SettingsError, match="TOKEN_SCOPE_PREFIX"):
        commands.bind(Run(Mock(), STAGES["dev"]))


@pytest.mark.parametrize("config", [IN_STAGE, {}])
def test_cognito_without_scope_prefix_is_not_deployed(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, object]
) -> None:
    values = {parameters.FROM_CONFIG[name]: value for name, value in COGNITO.items()}
    monkeypatch.setattr(Run, "outputs", lambda *_: dict.fromkeys((*FROM_DATABASE, "KeyArn"), ""))
    monkeypatch.setattr(commands, "read_config", lambda: config)
    monkeypatch.setattr(commands, "_refuse_both", Mock())
    monkeypatch.setattr(checking, "require", Mock())
    monkeypatch.setattr(commands, "_packaged", lambda _: pytest.fail("it was packaged"))
    run = Run(Mock(), STAGES["dev"], bucket="own", values={} if config else values)
    with pytest.raises(SettingsError, match="TOKEN_SCOPE_PREFIX"):
        commands.deploy(run)


@pytest.mark.parametrize(("runtime", "goes_on"), [(RUNTIME, True), ("python3.99", False)])
def test_functions_of_another_python_are_reported(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    runtime: str,
    goes_on: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "gateway.json").write_text("{}")
    deployed = {"rest_api": {"rest_api_id": "a"}}
    session, applied, subscribed = Mock(), Mock(), Mock()
    session.client("lambda").get_function_configuration.return_value = {"Runtime": runtime}
    monkeypatch.setattr(commands, "_packaged", lambda _: tmp_path)
    monkeypatch.setattr(commands, "_deployed", lambda _: deployed)
    monkeypatch.setattr(Run, "outputs", lambda *_: {"AccessLogGroupArn": ""})
    monkeypatch.setattr(applying, "apply", applied)
    monkeypatch.setattr(audit, "subscribe", subscribed)

    with (
        nullcontext()
        if goes_on
        else pytest.raises(Failure, match=r"on python3\.99, but its layers")
    ):
        commands.apply(Run(session, STAGES["dev"]))
    assert applied.called is subscribed.called is goes_on


def test_declined_deployment_keeps_a_rollback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sam.json").write_text('{"Parameters": {"Release": {"Default": ""}}}')
    outputs = dict.fromkeys((*FROM_DATABASE, "KeyArn"), "")
    monkeypatch.setattr(Run, "outputs", lambda *_: outputs)
    monkeypatch.setattr(Stack, "update", lambda *_: False)
    monkeypatch.setattr(Stack, "status", "UPDATE_COMPLETE")
    monkeypatch.setattr(commands, "_refuse_both", Mock())
    monkeypatch.setattr(checking, "require", Mock())
    monkeypatch.setattr(commands, "_packaged", lambda _: tmp_path)
    monkeypatch.setattr(releases, "upload", Mock())
    monkeypatch.setattr(releases, "live_versions", lambda *_: {})
    monkeypatch.setattr(releases, "catch_up", lambda *_: pytest.fail("live was moved"))

    commands.deploy(Run(Mock(), STAGES["prod"], bucket="own"))


@pytest.mark.parametrize("account", ["", "123456789012"])
def test_account_of_the_stage_is_accepted(account: str) -> None:
    __main__._check_account(_session("123456789012"), replace(STAGES["prod"], account=account))


def test_other_account_is_rejected_before_anything_is_changed() -> None:
    with pytest.raises(
        Failure, match=r"prod belongs to the account 123456789012 .+ for 210987654321"
    ):
        __main__._check_account(
            _session("210987654321"), replace(STAGES["prod"], account="123456789012")
        )


ONLINE = sorted(__main__.COMMANDS.keys() - __main__.OFFLINE)


@pytest.mark.parametrize("command", ONLINE)
def test_every_command_rejects_another_account(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = replace(STAGES["prod"], account="123456789012")
    monkeypatch.setitem(cast("dict[str, Any]", STAGES), "prod", own)
    monkeypatch.setattr(boto3, "Session", lambda: _session("210987654321"))
    called = Mock()
    monkeypatch.setitem(cast("dict[str, Any]", __main__.COMMANDS), command, (called, ""))
    arguments = [command, "--stage", "prod", *REQUIRED.get(command, [])]

    assert __main__.main(arguments) == 1
    assert "Nothing was changed." in capsys.readouterr().err
    assert not called.called


def _session(account: str) -> Mock:
    session = Mock()
    session.client.return_value.get_caller_identity.return_value = {"Account": account}
    return session


def test_protected_stage_is_not_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the API would be gone before AWS rejects the deletion of the database below it."""
    monkeypatch.setattr(Stack, "delete", lambda stack: pytest.fail(stack.name))
    cluster = {"DBClusterIdentifier": "customers-prod", "DeletionProtection": True}
    session = Mock()
    session.client.return_value.describe_db_clusters.return_value = {"DBClusters": [cluster]}
    with pytest.raises(Failure, match="customers-prod is protected, so nothing was deleted"):
        commands.destroy(Run(session, STAGES["prod"], ask=lambda _: "prod"))


@pytest.mark.parametrize("suffix", ["restored", "replaced"])
def test_stage_with_a_cluster_of_a_restore_is_not_destroyed(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS would delete the stage's own database, but not the subnet group that both use."""
    monkeypatch.setattr(Stack, "delete", lambda stack: pytest.fail(stack.name))
    client = boto3.client("rds", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    names = ["customers-dev", "customers-dev-restored", "customers-dev-replaced"]
    left = {"DBClusterIdentifier": f"customers-dev-{suffix}", "DeletionProtection": False}
    filters = [{"Name": "db-cluster-id", "Values": names}]
    with Stubber(client) as stubber:
        stubber.add_response("describe_db_clusters", {"DBClusters": [left]}, {"Filters": filters})
        with pytest.raises(Failure, match=f"customers-dev-{suffix}, which a restore has left"):
            commands.destroy(Run(Mock(client=lambda _: client), STAGES["dev"], is_agreed=True))


@pytest.mark.parametrize("kind", ["AWS::RDS::DBCluster", "AWS::KMS::Key", "AWS::S3::Bucket"])
def test_replacement_of_stateful_resource_loses_state(kind: str) -> None:
    assert Change("Modify", "A", kind, replaced=True).loses_state
    assert not Change("Modify", "A", kind, replaced=False).loses_state
    assert not Change("Add", "A", kind, replaced=False).loses_state
