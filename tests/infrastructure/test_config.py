"""Each key of .chalice/config.json is respected by both deployment methods, or rejected by name."""

import inspect
import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from chalice import config as chalice_config

from infrastructure import binding, parameters, template
from infrastructure.config import FIXED, NETWORK_KEYS, REJECTED, read_config, variables
from infrastructure.failures import Failure
from infrastructure.stages import FUNCTIONS, STAGES, Stage
from tests.infrastructure.plan import Plan

DEV = STAGES["dev"]
# Every name that Chalice looks up in its configuration.
CHALICES_KEYS = set(
    re.findall(r"_chain_(?:lookup|merge)\(\s*'(\w+)'", inspect.getsource(chalice_config))
)
NOT_OF_THE_FILE = {"chalice_app", "project_dir"}  # Chalice's own arguments

# Keys whose value must name the stage, so that both methods and the templates agree.
NAMES_THE_STAGE = {"api_gateway_stage", "iam_policy_file"}


def _with(path: Path, key: str, value: Any) -> dict[str, Any]:
    """Return the committed configuration with a key of the stage, as the commands read it."""
    config = deepcopy(read_config())
    for function in FUNCTIONS:
        config["lambda_functions"].get(function, {}).pop(key, None)
    config["stages"]["dev"][key] = value
    path.write_text(json.dumps(config))
    return read_config(path)


LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:customers-dev-tracing:1"
POLICY = {"Version": "2012-10-17", "Statement": []}


def _check_variables(plan: Plan) -> None:
    assert '"7"' in str(plan.by_chalice("environment_variables"))
    assert plan.parameters["RetentionDays"] == "7"


def _check_compression(plan: Plan) -> None:
    assert plan.api.minimum_compression == "2048"
    assert plan.template["RestAPI"]["Properties"]["MinimumCompressionSize"] == 2048


def _check_retention(plan: Plan) -> None:
    assert all(each.log_group.retention_in_days == 14 for each in plan.functions if each.log_group)
    groups = [plan.template[each.log]["Properties"] for each in template.FUNCTIONS.values()]
    assert {group["RetentionInDays"] for group in groups} == {14}


def _check_policy(plan: Plan) -> None:
    body = plan.template["RestAPI"]["Properties"]["DefinitionBody"]
    assert plan.api.policy
    assert plan.api.policy.document == body["x-amazon-apigateway-policy"] == POLICY


def _check_layers(plan: Plan) -> None:
    """`bind` publishes the same layers that `deploy` has in its template."""
    assert plan.by_chalice("layers") == {json.dumps([LAYER])}
    assert json.dumps([{"Ref": "TracingLayer"}]) in plan.by_deploy("Layers")


def _check_tags(plan: Plan) -> None:
    for found in (plan.by_chalice("tags"), plan.by_deploy("Tags")):
        assert all(json.loads(each)["team"] == "crm" for each in found)


def _both(chalices: str, property_name: str, value: int) -> Callable[[Plan], None]:
    def check(plan: Plan) -> None:
        assert plan.by_chalice(chalices) == plan.by_deploy(property_name) == {str(value)}

    return check


# A value of each key, and a check that both methods respect it.
EXAMPLES: dict[str, tuple[Any, Callable[[Plan], None]]] = {
    "api_gateway_policy_file": ("policy.json", _check_policy),
    "environment_variables": ({"STAGE": "dev", "RETENTION_DAYS": "7"}, _check_variables),
    "lambda_memory_size": (1024, _both("memory_size", "MemorySize", 1024)),
    "lambda_timeout": (20, _both("timeout", "Timeout", 20)),
    "layers": ([LAYER], _check_layers),
    "log_retention_in_days": (14, _check_retention),
    "minimum_compression_size": (2048, _check_compression),
    "reserved_concurrency": (
        5,
        _both("reserved_concurrency", "ReservedConcurrentExecutions", 5),
    ),
    "tags": ({"team": "crm"}, _check_tags),
}


def test_every_key_of_chalice_is_respected_or_rejected() -> None:
    treated = {*EXAMPLES, *REJECTED, *FIXED, *NAMES_THE_STAGE, *NETWORK_KEYS} - {"version"}

    assert treated == CHALICES_KEYS - NOT_OF_THE_FILE
    assert len(treated) > 20


@pytest.mark.parametrize("key", sorted(CHALICES_KEYS - NOT_OF_THE_FILE))
def test_key_of_chalice_is_respected_by_both_methods_or_rejected(key: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    if key in EXAMPLES:
        value, check = EXAMPLES[key]
        if key == "api_gateway_policy_file":
            value = str(tmp_path / value)
            Path(value).write_text(json.dumps(POLICY))
        check(Plan(_with(path, key, value), DEV))
        return
    with pytest.raises(Failure, match=rf"would ignore .*stages\.dev\.{key}\b"):
        _with(path, key, "other")


@pytest.mark.parametrize(
    ("key", "chalices", "property_name"),
    [
        ("lambda_memory_size", "memory_size", "MemorySize"),
        ("lambda_timeout", "timeout", "Timeout"),
        ("reserved_concurrency", "reserved_concurrency", "ReservedConcurrentExecutions"),
    ],
)
def test_value_of_one_function_is_respected_by_both_methods(
    key: str, chalices: str, property_name: str, tmp_path: Path
) -> None:
    path, config = tmp_path / "config.json", deepcopy(read_config())
    config["stages"]["dev"].setdefault("lambda_functions", {})["authorize"] = {key: 777}
    path.write_text(json.dumps(config))

    plan = Plan(read_config(path), DEV)

    (by_chalice,) = [each for each in plan.functions if each.resource_name == "authorize"]
    by_deploy = {name: plan.template[each.id] for name, each in template.FUNCTIONS.items()}
    assert getattr(by_chalice, chalices) == 777
    assert [
        name for name, each in by_deploy.items() if each["Properties"][property_name] == 777
    ] == ["authorize"]


def test_keys_of_chalice_are_read_only_by_these_functions() -> None:
    """Otherwise a key could be missing in `CHALICES_KEYS`: `_chain_lookup` and `_chain_merge`."""
    source = inspect.getsource(chalice_config.Config)
    read = set(re.findall(r"_config_from_disk\.get\(\s*'(\w+)'", source))
    calls = re.findall(r"self\._chain_(?:lookup|merge)\(", source)

    assert read == {"lambda_functions", "stages", "version"}
    assert len(calls) == len(re.findall(r"self\._chain_(?:lookup|merge)\(\s*'", source))


def test_logs_expire_without_a_key(tmp_path: Path) -> None:
    config = _with(tmp_path / "config.json", "tags", {})
    del config["stages"]["dev"]["log_retention_in_days"]
    groups = [Plan(config, DEV).template[each.log] for each in template.FUNCTIONS.values()]
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {7}


@pytest.mark.parametrize("key", sorted(REJECTED))
def test_key_is_rejected_everywhere(key: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for config in ({key: 1}, {"lambda_functions": {"authorize": {key: 1}}}):
        path.write_text(json.dumps(config))
        with pytest.raises(Failure, match=rf"{key}: .+; remove it\.$"):
            read_config(path)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (
            {"environment_variables": {"DATABASE_URL": "mysql://a"}},
            "DATABASE_URL: the backend of dev is data_api (infrastructure/stages.py)",
        ),
        (
            {"lambda_functions": {"api_handler": {"subnet_ids": ["subnet-1"]}}},
            "subnet_ids: only `bind` writes it",
        ),
        ({"environment_variables": {"STAGE": "prod"}}, "STAGE: it must be 'dev'"),
        ({"layers": ["arn:aws:lambda:eu-west-1:1:layer:mine:1"]}, "only the layers that `bind`"),
        ({"lambda_functions": {"authorize": {"xray": False}}}, "xray: it must be true, because"),
        (
            {"lambda_functions": {"authorize": {"iam_policy_file": "policy-dev.json"}}},
            "it must be 'policy-dev-authorize.json'",
        ),
    ],
)
def test_values_that_a_deployment_would_ignore_are_rejected(
    stage: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"stages": {"dev": stage}}))
    with pytest.raises(Failure, match=re.escape(words)):
        read_config(path)


SUBNETS, GROUPS = ["subnet-1", "subnet-2"], ["sg-1"]
OUTPUTS = {
    "ClusterArn": "arn:aws:rds:eu-west-1:123456789012:cluster:customers-dev",
    "ApplicationSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a",
    "DatabaseName": "customers",
    "KeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k",
    "DatabaseUrl": "mysql://functions@p.example.com/customers?auth=iam",
    "DatabaseUserArn": "arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-1/functions",
    "PrivateSubnets": ",".join(SUBNETS),
    "FunctionSecurityGroup": "sg-1",
}
MYSQL = replace(DEV, backend="mysql", min_capacity=0.5, seconds_until_pause=None)


@pytest.fixture
def with_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, Stage]", STAGES), "dev", MYSQL)


def _bound(path: Path, stage: Stage) -> dict[str, Any]:
    """Return the configuration as `bind` writes it."""
    if not path.exists():
        path.write_text(json.dumps(read_config()))
    layers = {name: LAYER.replace("tracing", name) for name in binding.LAYERS}
    binding.write_bound(path, stage, OUTPUTS, "k" * 64, layers)
    return read_config(path)


@pytest.mark.usefixtures("with_proxy")
def test_both_methods_put_the_same_functions_into_the_network(tmp_path: Path) -> None:
    plan = Plan(_bound(tmp_path / "config.json", MYSQL), MYSQL)
    by_chalice = {each.resource_name: each for each in plan.functions}

    for name, function in template.FUNCTIONS.items():
        found, is_inside = by_chalice[name], function.uses_database
        expected = (SUBNETS, GROUPS) if is_inside else ([], [])
        assert (found.subnet_ids, found.security_group_ids) == expected
        assert ("VpcConfig" in plan.template[function.id]["Properties"]) == is_inside
        url = found.environment_variables.get("DATABASE_URL")
        assert url == (OUTPUTS["DatabaseUrl"] if is_inside else None)
    assert {"FunctionSubnets", "FunctionSecurityGroup"} <= plan.parameters.keys()


@pytest.mark.usefixtures("with_proxy")
def test_binding_for_another_backend_is_rejected_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    _bound(path, MYSQL)
    monkeypatch.setitem(cast("dict[str, Stage]", STAGES), "dev", DEV)
    with pytest.raises(Failure, match="undo an earlier `bind` with `git checkout"):
        read_config(path)


@pytest.mark.usefixtures("with_proxy")
@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (
            {"environment_variables": {"DATABASE_RESOURCE_ARN": "arn:aws:rds:a"}},
            "DATABASE_RESOURCE_ARN: the backend of dev is mysql",
        ),
        (
            {"environment_variables": {"DATA_API_CLIENT": "slim"}},
            "DATA_API_CLIENT: the backend of dev is mysql",
        ),
        ({"subnet_ids": SUBNETS}, "subnet_ids: only `bind` writes it"),
        (
            {"lambda_functions": {"authorize": {"security_group_ids": GROUPS}}},
            "security_group_ids: only `bind` writes it",
        ),
    ],
)
def test_values_of_another_backend_are_rejected(
    stage: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"stages": {"dev": stage}}))
    with pytest.raises(Failure, match=re.escape(words)):
        read_config(path)


def test_local_stage_may_have_its_own_database(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    own = {"environment_variables": {"DATABASE_URL": "mysql://a"}}
    path.write_text(json.dumps({"stages": {"local": own}}))
    assert read_config(path)


def test_bound_values_are_not_ignored_by_deploy() -> None:
    config = read_config()
    config["stages"]["dev"]["environment_variables"]["CURSOR_KEY"] = "k"
    with pytest.raises(Failure, match="sets CURSOR_KEY for dev, but `deploy` takes"):
        parameters.api(DEV, config, {}, {})


def test_committed_configuration_is_valid() -> None:
    assert read_config()["stages"].keys() == {"local", *STAGES}


@pytest.mark.parametrize(
    ("config", "where", "suggestion"),
    [
        ({"lambda_timout": 28}, "lambda_timout", "lambda_timeout"),
        ({"stages": {"prd": {}}}, "stages.prd", "prod"),
        ({"stages": {"prod": {"log_retention": 9}}}, "stages.prod.log_retention", None),
        (
            {"stages": {"dev": {"lambda_functions": {"api_handlr": {}}}}},
            "stages.dev.lambda_functions.api_handlr",
            "api_handler",
        ),
        (
            {"stages": {"dev": {"environment_variables": {"TOKEN_AUDIANCE": "x"}}}},
            "stages.dev.environment_variables.TOKEN_AUDIANCE",
            "TOKEN_AUDIENCE",
        ),
        (
            {"lambda_functions": {"authorize": {"layer": []}}},
            "lambda_functions.authorize.layer",
            "layers",
        ),
    ],
)
def test_unknown_key_is_an_error(
    tmp_path: Path, config: dict[str, Any], where: str, suggestion: str | None
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(Failure) as failure:
        read_config(path)
    assert f"the unknown key {where}." in str(failure.value)
    if suggestion:
        assert f"Did you mean {suggestion!r}?" in str(failure.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"stages": []}'])
def test_invalid_configuration_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(Failure):
        read_config(path)


def test_number_as_a_variable_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"environment_variables": {"RETENTION_DAYS": 30}}')
    with pytest.raises(Failure, match="RETENTION_DAYS is not a string"):
        read_config(path)


def test_variables_are_merged_over_all_functions() -> None:
    config = {
        "environment_variables": {"STAGE": "no"},
        "stages": {
            "dev": {
                "environment_variables": {"STAGE": "dev"},
                "lambda_functions": {
                    FUNCTIONS[1]: {"environment_variables": {"TOKEN_ISSUER": "https://i"}}
                },
            }
        },
    }
    assert variables(config, STAGES["dev"]) == {"STAGE": "dev", "TOKEN_ISSUER": "https://i"}
