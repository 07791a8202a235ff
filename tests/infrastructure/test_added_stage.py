"""A stage works everywhere, with each backend, after its entry in STAGES and `make stages`."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any, cast
from unittest.mock import Mock

import pytest

from infrastructure import (
    __main__,
    binding,
    changes,
    checking,
    commands,
    firewall,
    parameters,
    stage_files,
)
from infrastructure.config import read_config
from infrastructure.policies import documents
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import BACKENDS, CONFIG, STAGES, Stage, policy_file
from tests.infrastructure.cloudformation import Template
from tests.infrastructure.pipeline import ADDED, REQUIRED, with_backend
from tests.infrastructure.plan import Plan

BOUND = {
    "ClusterArn": f"arn:aws:rds:eu-west-1:123456789012:cluster:customers-{ADDED.name}",
    "ApplicationSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a",
    "KeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
    "DatabaseName": "customers",
    "DatabaseUrl": "mysql://functions@proxy.example.com/customers?auth=iam",
    "PrivateSubnets": "subnet-1,subnet-2",
    "FunctionSecurityGroup": "sg-1",
}
"""Outputs of the stacks that `bind` reads."""
INFRASTRUCTURE = Path(commands.__file__).parent
OUTPUTS: dict[str, dict[str, str]] = {
    "network": dict.fromkeys(parameters.FROM_NETWORK, "vpc-1"),
    "database": {"ClusterIdentifier": "customers-added"},
    "operations": {
        "RunbookUrl": "docs",
        "ErrorBudgetPercent": "0.1",
        "ServerErrorPercent": "5",
        "LatencyMilliseconds": "2500",
    },
}


@pytest.fixture
def added(request: pytest.FixtureRequest) -> Stage:
    """Return the stage, with the backend of `each_backend`."""
    return with_backend(ADDED, getattr(request, "param", ADDED.backend))


each_backend = pytest.mark.parametrize("added", BACKENDS, indirect=True)


@pytest.fixture
def path(added: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Add the stage, run `make stages` on a copy of .chalice, and return the copy's config.json."""
    copied = copytree(CONFIG.parent, tmp_path / ".chalice") / CONFIG.name
    monkeypatch.setitem(cast("dict[str, Any]", STAGES), added.name, added)
    monkeypatch.setattr(stage_files, "CONFIG", copied)
    stage_files.main()
    return copied


def test_files_have_every_stage() -> None:
    """After a change of STAGES: `make stages`."""
    assert stage_files.complete(read_config()) == read_config()
    names = {path.name for path in CONFIG.parent.glob("policy-*.json")}
    assert names == stage_files.policy_files().keys()


@each_backend
def test_configuration_is_accepted_and_both_methods_use_it(added: Stage, path: Path) -> None:
    plan = Plan(read_config(path), added, path.parents[1])

    assert {f"customers-{ADDED.name}"} < {each.function_name for each in plan.functions}
    assert plan.by_chalice("tags") == plan.by_deploy("Tags")
    (tags,) = map(json.loads, plan.by_deploy("Tags"))
    assert tags.items() >= {"project": "customers", "stage": ADDED.name}.items()
    assert plan.template["Firewall"]["Properties"]["Name"] == f"customers-{ADDED.name}"
    assert firewall.log_name(ADDED) in json.dumps(plan.document)
    for name in STAGES.keys() - {ADDED.name}:
        assert f"customers-{name}" not in json.dumps(plan.document)


@each_backend
def test_functions_get_policies_of_their_stage_and_backend(added: Stage, path: Path) -> None:
    for function, policy in documents(added).items():
        assert json.loads(path.with_name(policy_file(added, function)).read_text()) == policy


def test_settings_of_other_stages_stay(path: Path) -> None:
    config = json.loads(path.read_text())
    config["stages"]["dev"]["environment_variables"]["CORS_ORIGINS"] = "https://a.example"
    path.write_text(json.dumps(config))
    stage_files.main()

    assert json.loads(path.read_text()) == config


def test_files_of_a_removed_stage_are_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[str, Any]", STAGES), ADDED.name)
    stage_files.main()

    assert json.loads(path.read_text()) == json.loads(CONFIG.read_text())
    assert not list(path.parent.glob(f"*{ADDED.name}*"))


@each_backend
@pytest.mark.usefixtures("path")
def test_provision_passes_values_that_every_template_accepts(
    added: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {}

    def update(stack: Stack, template: object, values: dict[str, str], _: object) -> bool:
        sent[stack.name] = values
        return template is not None

    monkeypatch.setattr(Stack, "update", update)
    monkeypatch.setattr(Run, "outputs", lambda _, part: OUTPUTS[part])
    monkeypatch.setattr(checking, "require", Mock())
    monkeypatch.setattr(checking, "find", lambda *_: [])
    monkeypatch.setattr(changes.Template, "parameters", lambda *_: {})
    commands.provision(Run(Mock(), added, say=Mock()))

    parts = [part for part in commands.PROVISIONED if part != "bus" or added.has_events]
    assert list(sent) == [f"customers-{ADDED.name}-{part}" for part in parts]
    for part, values in zip(parts, sent.values(), strict=True):
        template = Template(INFRASTRUCTURE / f"{part}.yaml", values)
        assert template.refusals() == []
        assert values.keys() <= template.values.keys()
        assert template.resources


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("command", sorted(__main__.COMMANDS))
def test_commands_know_the_stage(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called = Mock()
    monkeypatch.setitem(cast("dict[str, Any]", __main__.COMMANDS), command, (called, ""))
    monkeypatch.setattr(__main__, "_check_account", Mock())
    arguments = [command, "--stage", ADDED.name, *REQUIRED.get(command, [])]

    assert __main__.main(arguments) == 0
    (run,) = called.call_args.args
    assert run.stage == ADDED


@each_backend
def test_bound_files_are_those_of_the_stage(added: Stage, path: Path) -> None:
    layer = f"arn:aws:lambda:eu-west-1:123456789012:layer:customers-{added.name}-"
    layers = {name: f"{layer}{name}:1" for name in binding.LAYERS}
    binding.write_bound(path, added, BOUND, "k" * 64, layers)

    own = read_config(path)["stages"][added.name]
    assert own["layers"] == [layers["tracing"]]
    assert own["environment_variables"] == {"STAGE": added.name}
    database = own["lambda_functions"]["purge_customers"]["environment_variables"]
    assert ("DATABASE_URL" in database) == added.has_proxy
