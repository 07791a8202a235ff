"""A deleted stage can be provisioned again, although some of its resources still exist."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure import commands, parameters
from infrastructure.changes import Template
from infrastructure.run import Run
from infrastructure.stages import STAGES, Stage
from tests.infrastructure.cloudformation import Loader
from tests.infrastructure.cloudformation import Template as Resolved
from tests.infrastructure.pipeline import EVERY_STAGE

INFRASTRUCTURE = Path(__file__).parents[2] / "infrastructure"
PARTS = commands.PROVISIONED

each_part = pytest.mark.parametrize("part", PARTS)
each_stage = pytest.mark.parametrize("stage", EVERY_STAGE.values(), ids=EVERY_STAGE)


def _sent(part: str, stage: Stage) -> dict[str, Any]:
    """Return the template that `provision` sends to CloudFormation."""
    document: dict[str, Any] = yaml.load(
        commands._template(Run(None, stage), part).body,
        Loader,  # noqa: S506 (is safe)
    )
    return document


def _retained(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the names of the named resources that outlive their stack."""
    for resource in document["Resources"].values():
        if resource.get("DeletionPolicy", "Delete").startswith("Retain"):
            for key, value in resource["Properties"].items():
                if key.endswith("Name"):
                    yield resource["Type"], value


@each_stage
@each_part
def test_resources_that_outlive_their_stack_have_literal_names(part: str, stage: Stage) -> None:
    """CloudFormation can't import others, and fails with "already exists"."""
    for kind, name in _retained(_sent(part, stage)):
        assert isinstance(name, str), (kind, name)
        assert stage.name in name


def test_logs_and_vaults_outlive_their_stack() -> None:
    found = [kind for part in PARTS for kind, _ in _retained(_sent(part, STAGES["dev"]))]
    assert found == ["AWS::Logs::LogGroup"] * 2 + [
        "AWS::Backup::BackupVault",
        "AWS::Logs::LogGroup",
    ]


@pytest.mark.exhaustive
@each_stage
@each_part
def test_literal_names_equal_the_computed_ones(part: str, stage: Stage, tmp_path: Path) -> None:
    values = {"Stage": stage.name, **parameters.network(stage), "VpcId": "vpc-1"}
    sent = tmp_path / "sent.yaml"
    sent.write_text(commands._template(Run(None, stage), part).body)

    assert Resolved(sent, values).resources == (
        Resolved(INFRASTRUCTURE / f"{part}.yaml", values).resources
    )


def test_names_with_other_variables_keep_their_function() -> None:
    text = "    A:\n      TopicName: !Sub ${ApiName}-${Stage}\n      Name: !Sub a-${Stage}\n"
    assert Template.of_stage(text, "dev").body == text.replace("!Sub a-${Stage}", "a-dev")
