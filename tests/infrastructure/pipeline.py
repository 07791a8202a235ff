"""The pipeline's templates, with parameter values for tests, and a stage that STAGES lacks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from infrastructure.stages import DATA_API, STAGES, Stage
from tests.infrastructure.cloudformation import Template

PATH = Path(__file__).parents[2] / "infrastructure" / "pipeline.yaml"
PATH_OF_STAGE = PATH.with_name("pipeline-stage.yaml")
VALUES = {"Repository": "example/customers", "OwnerId": "123456", "RepositoryId": "456789"}
TEMPLATE = Template(PATH, {})
ADDED = replace(STAGES["dev"], name="added")
REQUIRED = {
    "restore": ["--to", "latest"],
    "admit": ["--caller", "client"],
    "block": ["--caller", "client"],
}
"""The arguments that a command requires besides the stage."""
EVERY_STAGE: Mapping[str, Stage] = {**STAGES, ADDED.name: ADDED}


def of_stage(stage: str, **values: str) -> Template:
    return Template(PATH_OF_STAGE, {"Stage": stage, **VALUES, **values})


def with_backend(stage: Stage, backend: str) -> Stage:
    """Return the stage with another backend. A database behind RDS Proxy never pauses."""
    if backend == DATA_API:
        return replace(stage, backend=backend)
    return replace(stage, backend=backend, min_capacity=0.5, seconds_until_pause=None)
