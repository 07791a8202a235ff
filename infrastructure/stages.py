"""The deployed stages, their differences, and their file, .chalice/config.json.

Chalice ignores unknown stages and keys in the file. `read_config` rejects them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from infrastructure.failures import Failure

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".chalice" / "config.json"
LOCAL = "local"
FUNCTIONS = ("api_handler", "authorize", "purge_customers")
"""Chalice's names of the functions in app.py."""
PYTHON = "3.13"
"""The functions' Python version, regardless of this process's version: decision 0020."""
RUNTIME = f"python{PYTHON}"
"""Lambda's name of the version."""

# The keys that chalice.config.Config reads in a function, in a stage, and in the file.
FUNCTION_KEYS = frozenset(
    {
        "autogen_policy",
        "environment_variables",
        "iam_policy_file",
        "iam_role_arn",
        "lambda_memory_size",
        "lambda_timeout",
        "layers",
        "log_retention_in_days",
        "manage_iam_role",
        "reserved_concurrency",
        "security_group_ids",
        "subnet_ids",
        "tags",
        "xray",
    }
)
STAGE_KEYS = FUNCTION_KEYS | {
    "api_gateway_custom_domain",
    "api_gateway_endpoint_type",
    "api_gateway_endpoint_vpce",
    "api_gateway_policy_file",
    "api_gateway_stage",
    "automatic_layer",
    "lambda_functions",
    "minimum_compression_size",
}
FILE_KEYS = STAGE_KEYS | {"app_name", "stages", "version"}
# The variables that chalicelib.settings reads.
VARIABLES = frozenset(
    {
        "AWS_ENDPOINT_URL_RDS_DATA",
        "CORS_ORIGINS",
        "CURSOR_KEY",
        "DATABASE_NAME",
        "DATABASE_RESOURCE_ARN",
        "DATABASE_SECRET_ARN",
        "DATABASE_URL",
        "DATA_API_CLIENT",
        "RETENTION_DAYS",
        "STAGE",
        "TOKEN_AUDIENCE",
        "TOKEN_ISSUER",
        "TOKEN_JWKS_URL",
    }
)


@dataclass(frozen=True)
class Stage:
    """A stage's limits: capacities in ACU (about 2 GiB each), rates in requests per second.

    `seconds_until_pause` is None if the database never pauses; otherwise `min_capacity` must be 0.
    """

    name: str
    min_capacity: float
    max_capacity: float
    seconds_until_pause: int | None
    instances: int
    backup_days: int
    is_protected: bool
    rate: int
    burst: int
    concurrency: int
    log_retention_days: int
    deployment: str
    """CodeDeploy's configuration: how traffic shifts to a new version."""
    copy_vault: str
    """ARN of a backup vault elsewhere that receives copies of backups, or "": docs/restoring.md."""
    snap_start: bool
    """Whether the functions that clients wait for use SnapStart: docs/snapstart.md."""

    def stack(self, part: str) -> str:
        """Return the name of a stack; `part` is network, database, api or operations."""
        return f"customers-{self.name}-{part}"

    def lambda_name(self, function: str) -> str:
        """Return a function's name in Lambda.

        Both deployment methods use Chalice's name, so a stage can't use both by mistake.
        """
        own = "" if function == "api_handler" else f"-{function}"
        return f"customers-{self.name}{own}"

    @property
    def lambda_names(self) -> list[str]:
        return [self.lambda_name(function) for function in FUNCTIONS]


STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="dev",
            min_capacity=0,
            max_capacity=2,
            seconds_until_pause=600,
            instances=1,
            backup_days=1,
            is_protected=False,
            rate=50,
            burst=100,
            concurrency=10,
            log_retention_days=7,
            deployment="AllAtOnce",
            copy_vault="",
            snap_start=False,
        ),
        Stage(
            name="staging",
            min_capacity=0.5,
            max_capacity=8,
            seconds_until_pause=None,
            instances=1,
            backup_days=7,
            is_protected=False,
            rate=500,
            burst=1_000,
            concurrency=100,
            log_retention_days=30,
            deployment="Canary10Percent5Minutes",
            copy_vault="",
            snap_start=False,
        ),
        Stage(
            name="prod",
            min_capacity=0.5,
            max_capacity=64,
            seconds_until_pause=None,
            instances=2,
            backup_days=14,
            is_protected=True,
            rate=2_000,
            burst=4_000,
            concurrency=400,
            log_retention_days=90,
            deployment="Canary10Percent5Minutes",
            copy_vault="",
            snap_start=False,
        ),
    )
}


def named(name: str) -> Stage:
    """Return the stage of that name. Raises Failure, which suggests the closest name."""
    if name in STAGES:
        return STAGES[name]
    raise Failure(f"Unknown stage {name!r}. {suggest(name, STAGES)}")


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the known word closest to `word`."""
    known = sorted(known)
    if near := get_close_matches(word, known, n=1, cutoff=0.5):
        return f"Did you mean {near[0]!r}?"
    return f"Use one of: {', '.join(known)}."


def read_config(path: Path = CONFIG) -> dict[str, Any]:
    """Return .chalice/config.json. Raises Failure if Chalice would ignore a part of it."""
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise Failure(f"{path} does not exist: restore it with `git checkout {path}`.") from None
    except ValueError as error:
        raise Failure(f"{path} is not valid JSON: {error}. Fix it at this position.") from None
    _check(path, "", config, FILE_KEYS)
    _check(path, "stages", config.get("stages", {}), {LOCAL, *STAGES})
    _check_functions(path, "", config)
    for name, stage in config.get("stages", {}).items():
        _check(path, f"stages.{name}", stage, STAGE_KEYS)
        _check_functions(path, f"stages.{name}.", stage)
    return dict(config)


def variables(config: Mapping[str, Any], stage: Stage) -> dict[str, str]:
    """Return the environment variables of all the stage's functions, merged."""
    own = config.get("stages", {}).get(stage.name, {})
    functions = [own.get("lambda_functions", {}).get(name, {}) for name in FUNCTIONS]
    found: dict[str, str] = {}
    for part in (config, own, *functions):
        found |= part.get("environment_variables", {})
    return found


def _check_functions(path: Path, where: str, part: Mapping[str, Any]) -> None:
    functions = part.get("lambda_functions", {})
    _check(path, f"{where}lambda_functions", functions, FUNCTIONS)
    _check_variables(path, where, part)
    for name, function in functions.items():
        _check(path, f"{where}lambda_functions.{name}", function, FUNCTION_KEYS)
        _check_variables(path, f"{where}lambda_functions.{name}.", function)


def _check_variables(path: Path, where: str, part: Mapping[str, Any]) -> None:
    values = part.get("environment_variables", {})
    _check(path, f"{where}environment_variables", values, VARIABLES)
    for name, value in values.items():
        if not isinstance(value, str):
            raise Failure(
                f"{path}: {where}environment_variables.{name} is not a string: put it in quotes."
            )


def _check(path: Path, where: str, found: Any, known: Iterable[str]) -> None:
    if not isinstance(found, dict):
        raise Failure(f"{path}: {where or 'the file'} is not a JSON object: use {{...}}.")
    for key in found:
        if key not in set(known):
            place = f"{where}.{key}" if where else key
            raise Failure(
                f"{path}: Chalice would ignore the unknown key {place}. {suggest(key, known)}"
            )
