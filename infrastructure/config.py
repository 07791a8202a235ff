"""The stages' file, .chalice/config.json, and how both deployment methods treat its keys.

Chalice ignores unknown stages and keys, and `deploy` completes Chalice's template, so it could drop
a key that Chalice respects. `read_config` therefore rejects by name whatever either method ignores.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from infrastructure.failures import Failure
from infrastructure.stages import CONFIG, FUNCTIONS, LOCAL, STAGES, Stage, policy_file, suggest

# The keys that a function, a stage and the file may have. Both methods respect their values.
FUNCTION_KEYS = frozenset(
    {
        "autogen_policy",
        "environment_variables",
        "iam_policy_file",
        "lambda_memory_size",
        "lambda_timeout",
        "layers",
        "log_retention_in_days",
        "reserved_concurrency",
        "security_group_ids",
        "subnet_ids",
        "tags",
        "xray",
    }
)
STAGE_KEYS = FUNCTION_KEYS | {
    "api_gateway_endpoint_type",
    "api_gateway_policy_file",
    "api_gateway_stage",
    "lambda_functions",
    "minimum_compression_size",
}
FILE_KEYS = STAGE_KEYS | {"app_name", "stages", "version"}

_OWN_ROLES = "each function has its own role with the least privileges"
_UNDO = "remove it, or undo an earlier `bind` with `git checkout .chalice`"
# The keys that Chalice respects, but at least one deployment method would not, and why.
REJECTED: Mapping[str, str] = {
    "api_gateway_custom_domain": "set `domain` of the stage in infrastructure/stages.py, which both"
    " methods respect: docs/deploying.md, Custom domain",
    "api_gateway_endpoint_vpce": "the API is regional, not private",
    "automatic_layer": "the packages of the functions are in the deployment package",
    "iam_role_arn": _OWN_ROLES,
    "lambda_architecture": "the layers are built for x86_64",
    "manage_iam_role": _OWN_ROLES,
    "profile": "set AWS_PROFILE, which all commands respect",
    "websocket_api_custom_domain": "the API has no websockets",
}
# The only value that a key may have, and why.
FIXED: Mapping[str, tuple[object, str]] = {
    "api_gateway_endpoint_type": ("REGIONAL", "proxies of other types would weaken ETags"),
    "app_name": ("customers", "permissions, alarms and stacks refer to this name"),
    "autogen_policy": (False, "Chalice can't find out what the functions may do"),
    "version": ("2.0", "it is the version of Chalice's format"),
    "xray": (True, "traces and the dashboard depend on it"),
}
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
        "DEEP_HEALTH",
        "EVENT_BUS",
        "RETENTION_DAYS",
        "STAGE",
        "TOKEN_AUDIENCE",
        "TOKEN_ISSUER",
        "TOKEN_JWKS_URL",
        "TOKEN_SCOPE_PREFIX",
    }
)
# What `bind` writes for the functions that use the database; the stage's backend decides which.
NETWORK_KEYS = frozenset({"security_group_ids", "subnet_ids"})
BOUND_FUNCTIONS = ("api_handler", "purge_customers", "relay_events")
PROXY_VARIABLES = frozenset({"DATABASE_URL"})
DATA_API_VARIABLES = frozenset({"DATABASE_NAME", "DATABASE_RESOURCE_ARN", "DATABASE_SECRET_ARN"})
# Variables that a deployed stage can't have, and why.
LOCAL_VARIABLES: Mapping[str, str] = {
    "AWS_ENDPOINT_URL_RDS_DATA": "functions use AWS's own address",
}


def read_config(path: Path = CONFIG) -> dict[str, Any]:
    """Return .chalice/config.json. Raises Failure if a deployment would ignore a part of it."""
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
        if name != LOCAL:
            _check_deployed(path, STAGES[name], config)
    return dict(config)


def variables(config: Mapping[str, Any], stage: Stage) -> dict[str, str]:
    """Return the environment variables of all the stage's functions, merged."""
    found: dict[str, str] = {}
    for part in _parts(config, stage):
        found |= part.content.get("environment_variables", {})
    return found


class _Part(NamedTuple):
    """A part of the file: its place, the function that it is for, and its content."""

    place: str
    function: str
    content: Mapping[str, Any]


def _parts(config: Mapping[str, Any], stage: Stage) -> Iterator[_Part]:
    """Yield the parts that apply to a stage, the general ones first."""
    own = config.get("stages", {}).get(stage.name, {})
    for place, content in (("", config), (f"stages.{stage.name}.", own)):
        yield _Part(place, FUNCTIONS[0], content)
        for name, function in content.get("lambda_functions", {}).items():
            yield _Part(f"{place}lambda_functions.{name}.", name, function)


def _check_deployed(path: Path, stage: Stage, config: Mapping[str, Any]) -> None:
    """Raise Failure if the stage has a value that `deploy` or `chalice deploy` would ignore."""
    for place, function, content in _parts(config, stage):
        values = content.get("environment_variables", {})
        named = {
            "api_gateway_stage": (content.get("api_gateway_stage"), stage.name),
            "environment_variables.STAGE": (values.get("STAGE"), stage.name),
            "iam_policy_file": (content.get("iam_policy_file"), policy_file(stage, function)),
        }
        for name, (value, wanted) in named.items():
            if value not in {None, wanted}:
                _reject(path, place + name, f"it must be {wanted!r}, the name for this stage")
        for name in values.keys() & LOCAL_VARIABLES.keys():
            reason = f"{LOCAL_VARIABLES[name]}; remove it"
            _reject(path, f"{place}environment_variables.{name}", reason)
        _check_backend(path, stage, place, content)
        for layer in content.get("layers", ()):
            if f":layer:customers-{stage.name}-" not in layer:
                _reject(path, f"{place}layers", "a stage has only the layers that `bind` writes")


def _check_backend(path: Path, stage: Stage, place: str, content: Mapping[str, Any]) -> None:
    """Raise Failure if a part belongs to another backend than the stage's, or to no function."""
    foreign = DATA_API_VARIABLES | {"DATA_API_CLIENT"} if stage.has_proxy else PROXY_VARIABLES
    for name in sorted(content.get("environment_variables", {}).keys() & foreign):
        reason = f"the backend of {stage.name} is {stage.backend} (infrastructure/stages.py)"
        _reject(path, f"{place}environment_variables.{name}", f"{reason}; {_UNDO}")
    bound = [f"stages.{stage.name}.lambda_functions.{function}." for function in BOUND_FUNCTIONS]
    for name in sorted(content.keys() & NETWORK_KEYS):
        if not (stage.has_proxy and place in bound):
            reason = "only `bind` writes it, for the functions that connect to RDS Proxy"
            _reject(path, place + name, f"{reason}; {_UNDO}")


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
    for key, value in found.items():
        place = f"{where}.{key}" if where else key
        if key in REJECTED:
            _reject(path, place, f"{REJECTED[key]}; remove it")
        if key not in set(known):
            raise Failure(
                f"{path}: Chalice would ignore the unknown key {place}. {suggest(key, known)}"
            )
        if key in FIXED and value != FIXED[key][0]:
            wanted, reason = FIXED[key]
            _reject(path, place, f"it must be {json.dumps(wanted)}, because {reason}")


def _reject(path: Path, place: str, reason: str) -> None:
    raise Failure(f"{path}: a deployment would ignore {place}: {reason}.")
