"""The package is reproducible, small and complete, and its template follows our rules."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from copy import deepcopy
from hashlib import sha256
from importlib.metadata import packages_distributions, version
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.utils import canonicalize_name

from infrastructure import interpreters, packaging
from infrastructure.sbom import NAME
from infrastructure.stages import PYTHON, RUNTIME, STAGES
from tests.contract import rules
from tests.contract.translated import JSONObject, translate

AUDIT = packaging.ROOT / ".venv" / "audit" / "bin"  # has CycloneDX's library
MAX_CODE_BYTES = 920_000  # zipped; a third are the rules of phone numbers (decision 0025)

# Imports what a request imports, with only the package and Python's standard library
SERVES = """
import os, sys
from types import SimpleNamespace
sys.path[:0] = sys.argv[1:]
os.environ |= {"AWS_LAMBDA_FUNCTION_NAME": "x", "CURSOR_KEY": "k" * 64}
import app
from chalicelib.customers import queries, schemas
document = {"email": "ada@ex\\u00e4mple.com", "given_name": "Ada", "time_zone": "Europe/London"}
assert schemas.load_customer(document)["time_zone"] == "Europe/London"
route = {"httpMethod": "GET", "path": "/", "requestId": "x"}
more = ("multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
for path in ("/health", "/openapi.json", "/problems"):
    event = {"requestContext": route | {"resourcePath": path}, "headers": {}} | dict.fromkeys(more)
    answer = app.app(event, SimpleNamespace(aws_request_id="x"))
    assert answer["statusCode"] == 200, answer
assert "dns" not in sys.modules and "boto3" not in sys.modules
"""
# Fails if Python compiles a module of the package
COMPILES_NOTHING = """
import sys
from importlib.machinery import SourceFileLoader
def compiling(self, data, path, **more):
    assert not path.startswith(tuple(sys.argv[1:])), path
    return compile(data, path, "exec")
SourceFileLoader.source_to_code = compiling
"""
CHECKS_TOKENS = """
import sys
sys.path[:0] = sys.argv[1:]
import cryptography, app
from base64 import urlsafe_b64encode
from chalicelib.tokens import jws
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
def encoded(part):
    return urlsafe_b64encode(part).rstrip(b"=").decode()
def verify(algorithm, sign, **jwk):
    signed = encoded(b'{"alg":"%b"}' % algorithm) + "." + encoded(b"{}")
    token = signed + "." + encoded(sign(signed.encode()))
    return jws.verify(jws.parse(token), jws.public_key(jwk | {"kid": "a"}))
key = ec.generate_private_key(ec.SECP256R1())
point = key.public_key().public_numbers()
def sign(text):
    r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)
x, y = (encoded(n.to_bytes(32)) for n in (point.x, point.y))
assert verify(b"ES256", sign, kty="EC", crv="P-256", x=x, y=y)
other = rsa.generate_private_key(65_537, 2_048)
n = encoded(other.public_key().public_numbers().n.to_bytes(256))
assert verify(
    b"RS256", lambda text: other.sign(text, padding.PKCS1v15(), SHA256()), kty="RSA", e="AQAB", n=n
)
assert cryptography.__file__.startswith(sys.argv[1])
assert "cryptography.x509" not in sys.modules
"""
HAS_MAGIC_NUMBER = """
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
files = {path.suffix: path for path in Path(sys.argv[1]).rglob("*.py*") if path.parts[-2] != "data"}
assert files.keys() == {".pyc"}, files
assert {path.read_bytes()[:4] for path in Path(sys.argv[1]).rglob("*.pyc")} == {MAGIC_NUMBER}
"""
TRACES = """
import sys
sys.path[:0] = sys.argv[1:]
from chalicelib.observability import tracing
assert tracing.recorder()
import aws_xray_sdk
assert aws_xray_sdk.__file__.startswith(sys.argv[1])
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package")
    packaging.build(STAGES["prod"], out)
    return out


@pytest.fixture(scope="module")
def template(package: Path) -> JSONObject:
    return translate(package / "sam.json")


def unpacked(archive: Path, directory: Path) -> Path:
    target = directory / archive.stem
    with ZipFile(archive) as opened:
        opened.extractall(target)
    return target


def run(program: str, *path: Path) -> None:
    """Run a program on the functions' Python, with only the named folders as packages."""
    python = interpreters.find(PYTHON)
    if not python:
        pytest.skip(f"this machine has no Python {PYTHON}, so nothing can run as in a function")
    command = [str(python), "-I", "-S", "-c", program, *map(str, path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_package_is_reproducible(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder, time and AWS settings don't change the bytes."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    previous = os.umask(0o077)
    try:
        packaging.build(STAGES["prod"], tmp_path)
    finally:
        os.umask(previous)

    expected = {path.name: path.read_bytes() for path in package.iterdir() if path.name != NAME}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected
    assert expected.keys() == {
        *("sam.json", "gateway.json"),
        *("deployment.zip", "authorizer.zip", "rotation.zip", "tracing.zip"),
    }


@pytest.fixture(scope="module")
def sbom(package: Path) -> JSONObject:
    """Run `make sbom` on the package, without building it again."""
    return _describe(package)


def _describe(package: Path, seed: str = "1") -> JSONObject:
    command = [str(AUDIT / "python"), "-m", "infrastructure.sbom", str(package)]
    subprocess.run(command, cwd=packaging.ROOT, env={"PYTHONHASHSEED": seed}, check=True)
    document: JSONObject = json.loads((package / NAME).read_text())
    return document


def _modules(names: Iterable[str]) -> set[str]:
    """Return the top-level modules of others in an archive."""
    tops = {name.removeprefix("python/").split("/")[0] for name in names}
    modules = {top.partition(".")[0] for top in tops if not top.endswith(".dist-info")}
    return modules - {"__pycache__", "app", "chalicelib", "rotation"}


def test_sbom_lists_exactly_what_the_archives_contain(package: Path, sbom: JSONObject) -> None:
    """The installed distributions tell which modules belong to which distribution."""
    owners = packages_distributions()
    listed = {each["ref"]: each.get("dependsOn", []) for each in sbom["dependencies"]}
    for archive in package.glob("*.zip"):
        modules = _modules(ZipFile(archive).namelist())
        expected = {canonicalize_name(owner) for module in modules for owner in owners[module]}
        urls = [re.fullmatch(r"pkg:pypi/(.+)@(.+)", url) for url in listed[archive.name]]

        assert {url[1] for url in urls if url} == expected, archive.name
        assert {url[2] for url in urls if url} == {version(url[1]) for url in urls if url}
    assert listed["deployment.zip"]
    assert listed["authorizer.zip"]


def test_sbom_is_connected_to_the_archives_by_their_hashes(package: Path, sbom: JSONObject) -> None:
    hashes = {
        each["name"]: each["hashes"][0]["content"]
        for each in sbom["components"]
        if each["type"] == "file"
    }
    archives = {path.name: path.read_bytes() for path in package.glob("*.zip")}

    assert hashes == {name: sha256(content).hexdigest() for name, content in archives.items()}


def test_sbom_is_valid_and_reproducible(package: Path, sbom: JSONObject) -> None:
    program = (
        "import sys; from cyclonedx.schema import SchemaVersion;"
        "from cyclonedx.validation.json import JsonStrictValidator as Validator;"
        "print(Validator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))"
    )
    written = (package / NAME).read_text()
    command = [str(AUDIT / "python"), "-c", program]
    done = subprocess.run(command, input=written, capture_output=True, text=True, check=True)

    assert done.stdout == "None\n"  # no error
    assert _describe(package, seed="2") == sbom
    assert (package / NAME).read_text() == written


def test_code_is_small_and_contains_only_runtime_packages(package: Path) -> None:
    archive = package / "deployment.zip"
    with ZipFile(archive) as opened:
        names = opened.namelist()
    top = {name.split("/")[0] for name in names}

    assert archive.stat().st_size <= MAX_CODE_BYTES
    assert {"app.pyc", "chalice", "chalicelib", "marshmallow", "pymysql"} <= top
    unwanted = {"boto3", "botocore", "tests", "local", "jwt", "cryptography", "dns", "migrations"}
    assert not top & unwanted
    assert not [name for name in names if name.endswith((".so", ".env"))]
    assert "chalicelib/openapi.json" in names


def test_layers_contain_only_what_the_runtime_lacks(package: Path) -> None:
    tops = {}
    for name in packaging.LAYERS:
        with ZipFile(package / f"{name}.zip") as opened:
            assert all(item.startswith("python/") for item in opened.namelist())
            tops[name] = {item.split("/")[1].split(".")[0] for item in opened.namelist()}

    assert "cryptography" in tops["authorizer"]
    assert not tops["authorizer"] & {"cffi", "jwt", "pycparser"}
    assert {"aws_xray_sdk", "wrapt"} <= tops["tracing"]
    assert not (tops["authorizer"] | tops["tracing"]) & {"boto3", "botocore", "urllib3"}


def test_functions_and_layers_have_one_runtime(package: Path, template: JSONObject) -> None:
    """The Python that packages doesn't change the runtime."""
    functions = rules.of_type(template, "AWS::Lambda::Function").values()
    layers = rules.of_type(template, "AWS::Lambda::LayerVersion").values()
    tag = RUNTIME.replace("python", "cpython-").replace(".", "")
    made = [name for each in package.glob("*.zip") for name in ZipFile(each).namelist()]
    machine_code = [name for name in made if name.endswith(".so") and ".abi3." not in name]

    assert {each["Runtime"] for each in functions} == {RUNTIME}
    assert [each["CompatibleRuntimes"] for each in layers] == [[RUNTIME]] * 2
    assert machine_code
    assert [name for name in machine_code if f".{tag}-x86_64-" not in name] == []


def test_bytecode_is_that_of_the_runtime(package: Path, tmp_path: Path) -> None:
    """Without sources, bytecode of another version would not run at all."""
    for name in ("deployment", *packaging.LAYERS):
        run(HAS_MAGIC_NUMBER, unpacked(package / f"{name}.zip", tmp_path))


def test_package_serves_without_other_packages(package: Path, tmp_path: Path) -> None:
    run(SERVES, unpacked(package / "deployment.zip", tmp_path))


def test_function_compiles_nothing(package: Path, tmp_path: Path) -> None:
    """A function can't save bytecode, because its code is read-only."""
    code = unpacked(package / "deployment.zip", tmp_path)
    layer = unpacked(package / "authorizer.zip", tmp_path) / "python"

    run(COMPILES_NOTHING + SERVES, code)
    run(COMPILES_NOTHING + CHECKS_TOKENS, layer, code)
    (code / "app.py").touch()  # Python prefers sources
    with pytest.raises(AssertionError, match=r"AssertionError: .*app\.py"):
        run(COMPILES_NOTHING + SERVES, code)


def test_authorizer_verifies_tokens_with_its_layer(package: Path, tmp_path: Path) -> None:
    layer = unpacked(package / "authorizer.zip", tmp_path) / "python"
    run(CHECKS_TOKENS, layer, unpacked(package / "deployment.zip", tmp_path))


def test_functions_trace_with_their_layer(package: Path, tmp_path: Path) -> None:
    """The SDK needs botocore. The Lambda runtime has it, and so does this machine."""
    layer = unpacked(package / "tracing.zip", tmp_path) / "python"
    runtime = [Path(item) for item in sys.path if item.endswith("site-packages")]
    run(TRACES, layer, unpacked(package / "deployment.zip", tmp_path), *runtime)


def test_local_settings_are_not_packaged(package: Path) -> None:
    """`bind` writes ARNs and a key to config.json, which must not get into a template."""
    functions = json.loads((package / "sam.json").read_text())["Resources"]
    for function in ("APIHandler", "Authorize", "PurgeCustomers", "RelayEvents"):
        variables = functions[function]["Properties"]["Environment"]["Variables"]
        assert all(isinstance(value, dict) for value in variables.values())
    key = functions["APIHandler"]["Properties"]["Environment"]["Variables"]["CURSOR_KEY"]
    assert "resolve:secretsmanager" in key["Fn::Sub"]


def test_wrong_hash_is_rejected(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("wrapt==2.5.2 --hash=sha256:" + "0" * 64 + "\n")

    with pytest.raises(packaging.PackagingError, match=r"(?s)pip.*HASH"):
        packaging._install(requirements, tmp_path / "target")


@pytest.mark.parametrize("name", rules.RULES)
def test_template_follows_the_rule(template: JSONObject, name: str) -> None:
    assert list(rules.RULES[name](template)) == []


def properties(template: JSONObject, name: str) -> JSONObject:
    found: JSONObject = template["Resources"][name]["Properties"]
    return found


def first_operation(template: JSONObject) -> JSONObject:
    found: JSONObject = properties(template, "RestAPI")["Body"]["paths"]["/customers"]["post"]
    return found


def on_latest(template: JSONObject) -> None:
    uri = "arn:aws:apigateway:eu-west-1:lambda:path/x/functions/${APIHandler.Arn}/invocations"
    first_operation(template)["x-amazon-apigateway-integration"]["uri"] = {"Fn::Sub": uri}


def permitted_on_latest(template: JSONObject) -> None:
    properties(template, "APIHandlerInvokePermission")["FunctionName"] = {"Ref": "APIHandler"}


def scheduled_on_latest(template: JSONObject) -> None:
    event = properties(template, "PurgeCustomersPurgeCustomersEvent")
    event["Targets"][0]["Arn"] = {"Fn::GetAtt": ["PurgeCustomers", "Arn"]}


def misspelt(template: JSONObject) -> None:
    properties(template, "UsagePlan")["Description"] = {"Ref": "ApiHandler"}


def circular(template: JSONObject) -> None:
    properties(template, "ApiHandlerRole")["Description"] = {"Ref": "APIHandler"}


def stray_stage(template: JSONObject) -> None:
    template["Resources"]["Stray"] = {
        "Type": "AWS::ApiGateway::Stage",
        "Properties": {**properties(template, "RestAPIprodStage"), "StageName": "Stage"},
    }


def unencrypted(template: JSONObject) -> None:
    settings = properties(template, "RestAPIprodStage")["MethodSettings"]
    settings[1] = settings[1] | {"CacheDataEncrypted": False}


def without_access_log(template: JSONObject) -> None:
    del properties(template, "RestAPIprodStage")["AccessLogSetting"]


def without_firewall(template: JSONObject) -> None:
    del template["Resources"]["FirewallAssociation"]


def over_http(template: JSONObject) -> None:
    properties(template, "RestAPI")["Body"]["schemes"] = ["http", "https"]


def without_validator(template: JSONObject) -> None:
    del first_operation(template)["x-amazon-apigateway-request-validator"]


def any_action(template: JSONObject) -> None:
    policy = properties(template, "ApiHandlerRole")["Policies"][0]["PolicyDocument"]
    policy["Statement"][0]["Action"] = ["rds-data:*"]


def one_role(template: JSONObject) -> None:
    role = properties(template, "APIHandler")["Role"]
    properties(template, "PurgeCustomers")["Role"] = role


def database_for_all(template: JSONObject) -> None:
    policies = properties(template, "ApiHandlerRole")["Policies"]
    properties(template, "AuthorizeRole")["Policies"] = policies


def unbounded(template: JSONObject) -> None:
    del properties(template, "Authorize")["ReservedConcurrentExecutions"]


def long_timeout(template: JSONObject) -> None:
    properties(template, "APIHandler")["Timeout"] = 29


def without_traffic_shifting(template: JSONObject) -> None:
    del template["Resources"]["APIHandlerAliaslive"]["UpdatePolicy"]


def kept_forever(template: JSONObject) -> None:
    del properties(template, "AuthorizeLogGroup")["RetentionInDays"]


def another_log(template: JSONObject) -> None:
    name = {"Fn::Sub": "/aws/lambda/${ApiHandler}"}
    properties(template, "ApiHandlerLogGroup")["LogGroupName"] = name


FAULTS: dict[Callable[[JSONObject], None], str] = {
    on_latest: "every_integration_calls_an_alias",
    permitted_on_latest: "every_permission_is_for_an_alias",
    scheduled_on_latest: "every_schedule_calls_an_alias",
    misspelt: "every_reference_exists",
    circular: "dependencies_have_no_cycle",
    stray_stage: "api_has_one_stage",
    unencrypted: "stage_throttles_and_encrypts",
    without_access_log: "stage_logs_and_traces",
    without_firewall: "every_stage_has_a_firewall",
    over_http: "api_is_regional_and_https_only",
    without_validator: "bodies_are_validated",
    any_action: "permissions_have_no_wildcards",
    one_role: "every_function_has_its_own_role",
    database_for_all: "authorizer_has_no_database",
    unbounded: "every_function_is_bounded",
    long_timeout: "timeouts_are_nested",
    without_traffic_shifting: "traffic_is_shifted_and_rolled_back",
    kept_forever: "logs_expire_and_are_encrypted",
    another_log: "logs_are_named_after_their_functions",
}


@pytest.mark.parametrize("break_it", FAULTS, ids=lambda fault: fault.__name__)
def test_rule_detects_its_fault(
    template: JSONObject, break_it: Callable[[JSONObject], None]
) -> None:
    faulty = deepcopy(template)
    break_it(faulty)

    assert FAULTS[break_it] in rules.broken(faulty)


def test_every_rule_has_a_fault() -> None:
    assert set(FAULTS.values()) == rules.RULES.keys()


def test_chalice_alone_breaks_the_rules(package: Path, tmp_path: Path) -> None:
    """Without `OpenApiVersion`, SAM creates a second stage, which our rule rejects."""
    completed = json.loads((package / "sam.json").read_text())
    del completed["Resources"]["RestAPI"]["Properties"]["OpenApiVersion"]
    path = tmp_path / "sam.json"
    path.write_text(json.dumps(completed))

    assert rules.broken(translate(path)) == {"api_has_one_stage"}


def test_function_versions_change_only_with_the_release(
    package: Path, template: JSONObject
) -> None:
    again = translate(package / "sam.json", TokenIssuer="https://other.example.com")
    other = translate(package / "sam.json", Release="1" * 64)
    versions = [
        rules.of_type(item, "AWS::Lambda::Version").keys() for item in (template, again, other)
    ]

    assert versions[0] == versions[1]
    assert not versions[0] & versions[2]
    assert len(versions[0]) == 4
