"""`chalice deploy --stage prod`, bound to a stage's stacks, and `apply` after it, against moto."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

import app
from infrastructure import applying, binding, gateway, policies
from infrastructure.config import read_config
from infrastructure.stages import STAGES, Domain, Stage
from tests.contract.aws import ACCOUNT, REGION, moto

ROOT = Path(__file__).parents[2]
CHALICE = "import sys; from chalice.cli import main; sys.argv[0] = 'chalice'; sys.exit(main())"
DOMAIN = "api.example.com"
PROD = replace(STAGES["prod"], domain=Domain(DOMAIN, base_path="crm"))
KEY = "k" * 64
OUTPUTS = {
    "ClusterArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:customers-prod",
    "ApplicationSecretArn": (
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:customers-prod/application-AbCdEf"
    ),
    "DatabaseName": "customers",
    "KeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/6f1c0b6e-0000-4000-8000-000000000000",
}
ACCESS_LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/customers/prod/access"
NAMES = {
    "customers-prod",
    "customers-prod-authorize",
    "customers-prod-purge_customers",
    "customers-prod-relay_events",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the project, bound to a stage with the outputs of a database stack."""
    directory = tmp_path_factory.mktemp("deploy")
    copy = directory / "project"
    copy.mkdir()
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    for name in ("chalicelib", ".chalice"):
        unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
        shutil.copytree(ROOT / name, copy / name, ignore=unwanted)
    with moto(directory):
        layers = dict.fromkeys(binding.LAYERS, "")
        for name in layers:
            package = directory / f"{name}.zip"
            package.write_bytes(name.encode())
            client = boto3.client("lambda")
            layers[name] = binding.publish_layer(client, f"customers-prod-{name}", package, print)
            again = binding.publish_layer(client, f"customers-prod-{name}", package, print)
            assert again == layers[name]
        binding.write_bound(copy / ".chalice" / "config.json", PROD, OUTPUTS, KEY, layers)
        yield copy


def chalice(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CHALICE, *arguments],
        cwd=project,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def deployed(project: Path) -> dict[str, Any]:
    path = project / ".chalice" / "deployed" / "prod.json"
    return {resource["name"]: resource for resource in json.loads(path.read_text())["resources"]}


@pytest.fixture(scope="module")
def api(project: Path) -> str:
    chalice(project, "deploy", "--stage", "prod")
    return str(deployed(project)["rest_api"]["rest_api_id"])


@pytest.fixture(scope="module")
def said(api: str) -> list[str]:
    """Return what the first `apply` prints."""
    client = boto3.client("apigateway")
    client.create_domain_name(domainName=DOMAIN)
    # moto fails if a domain has no mapping at all
    client.create_base_path_mapping(domainName=DOMAIN, basePath="other", restApiId=api)
    lines: list[str] = []
    apply(api, lines)
    return lines


def apply(api: str, lines: list[str]) -> bool:
    one = applying.Gateway(boto3.client("apigateway"), api, lines.append)
    return applying.apply(one, "prod", gateway.document(PROD), ACCESS_LOG)


@pytest.mark.usefixtures("api")
def test_functions_have_only_the_variables_and_layers_they_need() -> None:
    client = boto3.client("lambda")
    found = {
        function["FunctionName"]: function for function in client.list_functions()["Functions"]
    }
    variables = {name: set(item["Environment"]["Variables"]) for name, item in found.items()}
    database = {"DATABASE_RESOURCE_ARN", "DATABASE_SECRET_ARN", "DATABASE_NAME"}

    assert variables == {
        "customers-prod": {"STAGE", "CURSOR_KEY", *database},
        "customers-prod-authorize": {"STAGE"},
        "customers-prod-purge_customers": {"STAGE", *database},
        "customers-prod-relay_events": {"STAGE", "EVENT_BUS", *database},
    }
    layers = {
        name: [layer["Arn"].split(":")[6] for layer in element["Layers"]]
        for name, element in found.items()
    }
    assert layers == {
        "customers-prod": ["customers-prod-tracing"],
        "customers-prod-authorize": ["customers-prod-tracing", "customers-prod-authorizer"],
        "customers-prod-purge_customers": ["customers-prod-tracing"],
        "customers-prod-relay_events": ["customers-prod-tracing"],
    }


@pytest.mark.usefixtures("api")
def test_each_function_has_a_role_with_its_own_policy() -> None:
    iam, functions = boto3.client("iam"), boto3.client("lambda").list_functions()["Functions"]
    roles = {
        function["FunctionName"]: function["Role"].rpartition("/")[2] for function in functions
    }
    assert len(set(roles.values())) == len(NAMES)

    wanted = policies.documents(PROD, OUTPUTS)
    for function, document in wanted.items():
        role = roles[PROD.lambda_name(function)]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        found = iam.get_role_policy(RoleName=role, PolicyName=name)
        assert found["PolicyDocument"] == document


def test_api_has_the_routes_and_the_stage(api: str) -> None:
    client = boto3.client("apigateway")
    paths = {
        item["path"]: set(item.get("resourceMethods", {}))
        for item in client.get_resources(restApiId=api, limit=500)["items"]
    }
    wanted: dict[str, set[str]] = {}
    for operation in app.operation.table.values():
        wanted.setdefault(operation.path, set()).update(operation.methods)

    assert {path: methods <= paths[path] for path, methods in wanted.items()} == dict.fromkeys(
        wanted, True
    )
    assert [item["stageName"] for item in client.get_stages(restApiId=api)["item"]] == ["prod"]


@pytest.mark.usefixtures("said")
def test_bodies_are_validated(api: str) -> None:
    client = boto3.client("apigateway")
    resources = client.get_resources(restApiId=api, limit=500)["items"]
    ids = {resource["path"]: resource["id"] for resource in resources}
    (validator,) = client.get_request_validators(restApiId=api)["items"]
    assert (validator["validateRequestBody"], validator["validateRequestParameters"]) == (
        True,
        False,
    )
    bodies = gateway.bodies()
    assert bodies
    for path, methods in bodies.items():
        for method, models in methods.items():
            found = client.get_method(restApiId=api, resourceId=ids[path], httpMethod=method)
            assert found["requestValidatorId"] == validator["id"]
            assert found["requestModels"] == models
    schemas = {
        item["name"]: json.loads(item["schema"])
        for item in client.get_models(restApiId=api)["items"]
    }
    assert gateway.models().items() <= schemas.items()


@pytest.mark.usefixtures("said")
def test_stage_is_throttled_logged_and_not_cached(api: str) -> None:
    stage = boto3.client("apigateway").get_stage(restApiId=api, stageName="prod")
    every = stage["methodSettings"]["*/*"]

    assert (every["throttlingRateLimit"], every["throttlingBurstLimit"]) == (PROD.rate, PROD.burst)
    assert every["metricsEnabled"]
    assert not every["dataTraceEnabled"]
    assert not every["cachingEnabled"]
    batch = stage["methodSettings"]["~1customers~1batch/POST"]
    assert batch["throttlingRateLimit"] < PROD.rate
    assert stage["accessLogSettings"]["destinationArn"] == ACCESS_LOG
    assert "sourceIp" not in stage["accessLogSettings"]["format"]
    assert stage["tracingEnabled"]


@pytest.mark.usefixtures("said")
def test_gateway_responses_are_problems(api: str) -> None:
    client = boto3.client("apigateway")
    for wanted in gateway.document(PROD)["responses"]:
        found = client.get_gateway_response(restApiId=api, responseType=wanted["ResponseType"])
        assert found["statusCode"] == wanted["StatusCode"]
        assert found["responseTemplates"] == wanted["ResponseTemplates"]
        assert found["responseParameters"] == wanted["ResponseParameters"]


def test_domain_is_mapped_and_the_default_address_is_off(api: str, said: list[str]) -> None:
    client = boto3.client("apigateway")
    found = client.get_base_path_mappings(domainName=DOMAIN)["items"]
    mappings = {each["basePath"]: (each["restApiId"], each.get("stage")) for each in found}

    assert mappings["crm"] == (api, "prod")
    assert client.get_rest_api(restApiId=api)["disableExecuteApiEndpoint"] is True
    # If the mapping fails, the API is still reachable. The deployment closes the address.
    assert said.index(f"{DOMAIN} (crm): mapped") < said.index("the default address is off")
    assert said.index("the default address is off") < said.index("stage prod: redeployed")


def test_second_apply_changes_nothing(api: str, said: list[str]) -> None:
    assert len(said) > 20
    lines: list[str] = []
    assert not apply(api, lines)
    assert lines == ["nothing to change"]


@pytest.mark.usefixtures("said")
def test_manual_changes_are_reverted(api: str) -> None:
    client = boto3.client("apigateway")
    path = "/*/*/throttling/rateLimit"
    patch: Any = [{"op": "replace", "path": path, "value": "9"}]
    client.update_stage(restApiId=api, stageName="prod", patchOperations=patch)
    patch = [{"op": "replace", "path": "/schema", "value": "{}"}]
    model = min(gateway.models())
    client.update_model(restApiId=api, modelName=model, patchOperations=patch)

    lines: list[str] = []
    assert apply(api, lines)

    # moto creates the stage again with each deployment; AWS keeps its settings
    assert lines[:2] == [f"model {model}", "stage prod: redeployed"]
    assert f"stage prod: {path} 2000" in lines
    assert not any(line.startswith("gateway response") for line in lines)


@contextmanager
def bound_to_proxy(project: Path) -> Iterator[tuple[str, str]]:
    """Bind the stage with the backend mysql, in a network of moto; yield its subnet and group."""
    client: Any = boto3.client("ec2")
    vpc = client.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/25")["Subnet"]["SubnetId"]
    group = client.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    folder = project / ".chalice"
    before = {path: path.read_text() for path in folder.glob("*.json")}
    shutil.copy(ROOT / ".chalice" / "config.json", folder)
    layers = json.loads(before[folder / "config.json"])["stages"]["prod"]["lambda_functions"]
    tracing, authorizer = layers["authorize"]["layers"]
    outputs = {
        **OUTPUTS,
        "DatabaseUrl": "mysql://functions@p.example.com/customers?auth=iam",
        "DatabaseUserArn": f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:prx-1/functions",
        "PrivateSubnets": subnet,
        "FunctionSecurityGroup": group,
    }
    stage = replace(PROD, backend="mysql")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(cast("dict[str, Stage]", STAGES), "prod", stage)
        named = {"tracing": tracing, "authorizer": authorizer}
        binding.write_bound(folder / "config.json", stage, outputs, KEY, named)
    yield subnet, group
    for path, content in before.items():
        path.write_text(content)


@pytest.mark.usefixtures("said")
def test_redeploy_apply_and_delete_succeed(project: Path, api: str) -> None:
    """The redeployment changes the backend, and so the network of two functions."""
    with bound_to_proxy(project) as (subnet, group):
        chalice(project, "deploy", "--stage", "prod")
    functions = boto3.client("lambda").list_functions()["Functions"]
    networks = {
        each["FunctionName"]: (
            each.get("VpcConfig", {}).get("SubnetIds", []),
            each.get("VpcConfig", {}).get("SecurityGroupIds", []),
        )
        for each in functions
    }
    assert networks == {
        "customers-prod": ([subnet], [group]),
        "customers-prod-authorize": ([], []),
        "customers-prod-purge_customers": ([subnet], [group]),
        "customers-prod-relay_events": ([subnet], [group]),
    }
    for each in functions:
        settings = each["Environment"]["Variables"].keys()
        assert ("DATABASE_URL" in settings) == (each["FunctionName"] != "customers-prod-authorize")
        assert "DATABASE_RESOURCE_ARN" not in settings
    assert deployed(project)["rest_api"]["rest_api_id"] == api
    lines: list[str] = []
    assert apply(api, lines)
    assert any(line.startswith("POST /customers: bodies are") for line in lines)

    chalice(project, "delete", "--stage", "prod")

    assert boto3.client("lambda").list_functions()["Functions"] == []
    assert boto3.client("apigateway").get_rest_apis()["items"] == []
    assert boto3.client("iam").list_roles()["Roles"] == []


def test_bound_configuration_is_valid(project: Path) -> None:
    path = project / ".chalice" / "config.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_config(path)["stages"]["dev"] == read_config()["stages"]["dev"]
