"""Prerequisites that are missing are found before anything is changed.

botocore's Stubber checks each request and response against AWS's model.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from infrastructure import checking, commands, config
from infrastructure.failures import Failure
from infrastructure.findings import Check, Finding, Findings
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import CONFIG, STAGES, Stage
from local.issuer import Issuer
from tests.infrastructure.stubbed import Aws

DEV = STAGES["dev"]
VERSION = checking.engine_version()
KEY = {"KeyMetadata": {"KeyId": "k", "KeyState": "Enabled"}}
CLUSTER = {"DBClusterIdentifier": "customers-dev", "EngineVersion": VERSION}
ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:customers-dev"
OUTPUTS = {"KeyArn": "k" * 12, "ClusterArn": ARN}
USELESS = b'{"keys": [{"kty": "RSA"}]}'


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def run(aws: Aws, heard: list[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS)
    monkeypatch.setattr(Stack, "exists", True)
    return Run(aws, DEV, is_agreed=True, say=heard.append)


def found(check: Check, run: Run) -> list[Finding]:
    return checking.find(run, [check])


def test_offered_version_is_no_finding(aws: Aws, run: Run) -> None:
    aws.says("rds", "describe_db_engine_versions", {"DBEngineVersions": [{}]})
    aws.says("rds", "describe_db_clusters", {"DBClusters": [CLUSTER]})
    assert found(checking.check_engine, run) == []


def test_version_that_the_region_does_not_offer_is_found(aws: Aws, run: Run) -> None:
    aws.says("rds", "describe_db_engine_versions", {"DBEngineVersions": []})
    aws.says("rds", "describe_db_clusters", {"DBClusters": []})
    (finding,) = found(checking.check_engine, run)
    assert finding.what == f"eu-west-1 does not offer aurora-mysql {VERSION}."


def test_drifted_version_is_found(aws: Aws, run: Run) -> None:
    drifted = CLUSTER | {"EngineVersion": "8.0.mysql_aurora.3.12.0"}
    aws.says("rds", "describe_db_engine_versions", {"DBEngineVersions": [{}]})
    aws.says("rds", "describe_db_clusters", {"DBClusters": [drifted]})
    (finding,) = found(checking.check_engine, run)
    assert "has version 8.0.mysql_aurora.3.12.0, and the template" in finding.what


@pytest.mark.parametrize(
    ("total", "unreserved", "words"),
    [
        (1000, 1000, None),
        (1000, 118, None),  # just enough for 10, 5, 1, 1 and the hook's 1
        (1000, 117, "dev reserves 18 concurrent executions, but 17 of the account's 1000"),
        (10, 10, "dev reserves 18 concurrent executions, but 0 of the account's 10"),
    ],
)
def test_quota_must_allow_the_reservation(
    aws: Aws, run: Run, total: int, unreserved: int, words: str | None
) -> None:
    limits = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": unreserved}
    aws.says("lambda", "get_account_settings", {"AccountLimit": limits})
    aws.functions("get_function_concurrency", exist=False)
    findings = found(checking.check_concurrency, run)
    assert [words in finding.what for finding in findings if words] == [True] * bool(words)
    assert bool(findings) == bool(words)


def test_existing_reservation_counts_as_free(aws: Aws, run: Run) -> None:
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 102}
    aws.says("lambda", "get_account_settings", {"AccountLimit": limits})
    for number in (10, 5, 1, 1):
        aws.says("lambda", "get_function_concurrency", {"ReservedConcurrentExecutions": number})
    assert found(checking.check_concurrency, run) == []


def test_stage_without_reservation_needs_no_quota(run: Run) -> None:
    assert (
        found(checking.check_concurrency, replace(run, stage=replace(DEV, concurrency=None))) == []
    )


@pytest.mark.parametrize("role", ["arn:aws:iam::123456789012:role/logs", None])
def test_missing_log_role_is_found(aws: Aws, run: Run, role: str | None) -> None:
    aws.says("apigateway", "get_account", {"cloudwatchRoleArn": role} if role else {})
    assert [finding.why for finding in found(checking.check_log_role, run)] == (
        [] if role else ["It rejects a stage with an access log, at the end of `deploy`."]
    )


@contextmanager
def issuer(body: bytes, status: int = 200, version: str = "HTTP/1.1") -> Iterator[str]:
    """Serve the keys of an issuer; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def key_set(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return json.dumps(Issuer(tmp_path_factory.mktemp("issuer"), "").jwks()).encode()


def test_usable_keys_of_the_issuer_are_no_finding(run: Run, key_set: bytes) -> None:
    with issuer(key_set) as url:
        settings = {"TokenIssuer": url, "TokenAudience": "customers"}
        assert found(checking.check_issuer, replace(run, values=settings)) == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (USELESS, 200, "the key set has no key for RS256 or ES256"),
        (b'{"keys": []}', 200, "the key set has no key for RS256 or ES256"),
        (b"<html>", 200, "the response is not a JSON Web Key Set"),
        (b"[]", 200, "the response is not a JSON Web Key Set"),
        (b"", 404, "the status is 404"),
        (b"", 302, "the status is 302"),
    ],
)
def test_keys_that_the_authorizer_could_not_use_are_found(
    run: Run, body: bytes, status: int, words: str
) -> None:
    with issuer(body, status) as url:
        settings = {"TokenIssuer": url, "TokenAudience": "customers"}
        (finding,) = found(checking.check_issuer, replace(run, values=settings))
    assert f"{url}/.well-known/jwks.json can't be used: {words}." in finding.what


def test_issuer_that_the_authorizer_does_not_understand_is_found(run: Run, key_set: bytes) -> None:
    with issuer(key_set, version="HTTP/1.0") as url:
        settings = {"TokenIssuer": url, "TokenAudience": "customers"}
        assert len(found(checking.check_issuer, replace(run, values=settings))) == 1


def test_unreachable_issuer_is_found(run: Run) -> None:
    url = "http://127.0.0.1:1"
    settings = {"TokenIssuer": url, "TokenAudience": "customers"}
    (finding,) = found(checking.check_issuer, replace(run, values=settings))
    assert f"{url}/.well-known/jwks.json can't be used: " in finding.what


def test_address_of_the_keys_must_be_https(run: Run) -> None:
    settings = {"TokenIssuer": "http://issuer.example", "TokenAudience": "customers"}
    (finding,) = found(checking.check_issuer, replace(run, values=settings))
    assert "must be an https:// URL." in finding.what


def test_unset_issuer_is_found(run: Run) -> None:
    (finding,) = found(checking.check_issuer, run)
    assert finding.what == "TOKEN_ISSUER or TOKEN_AUDIENCE of dev is not set."


def test_cluster_of_no_stack_is_found(aws: Aws, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "exists", False)
    aws.says("rds", "describe_db_clusters", {"DBClusters": [CLUSTER]})
    aws.functions("get_function_configuration", exist=False)
    (finding,) = found(checking.check_names, run)
    assert (
        finding.what == "A cluster customers-dev exists, but not the stack customers-dev-database."
    )


def test_function_of_no_stack_is_found(aws: Aws, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "exists", False)
    aws.says("rds", "describe_db_clusters", {"DBClusters": []})
    aws.functions("get_function_configuration", exist=True)
    (finding,) = found(checking.check_names, run)
    assert finding.what == "A function customers-dev exists, but not the stack customers-dev-api."


def test_names_of_the_stages_own_stacks_are_no_finding(run: Run) -> None:
    assert found(checking.check_names, run) == []


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
def test_unusable_key_is_found(aws: Aws, run: Run, state: str) -> None:
    aws.says("kms", "describe_key", {"KeyMetadata": {"KeyId": "k", "KeyState": state}})
    findings = [finding.what for finding in found(checking.check_key, run)]
    assert findings == (
        [] if state == "Enabled" else [f"The key {'k' * 12} of the database is {state}."]
    )


WITH_PROXY = replace(DEV, backend="mysql")
USER = {"DatabaseUserArn": "arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-1/functions"}
HEALTHY = {"TargetHealth": {"State": "AVAILABLE"}}
REJECTING = {"TargetHealth": {"State": "UNAVAILABLE", "Reason": "AUTH_FAILURE"}}


def test_stage_without_proxy_needs_none(run: Run) -> None:
    assert found(checking.check_proxy, run) == []


def test_missing_proxy_is_found(run: Run) -> None:
    (finding,) = found(checking.check_proxy, replace(run, stage=WITH_PROXY))
    said = "The backend of dev is mysql, and its database has no RDS Proxy for this backend."
    assert finding.what == said


@pytest.mark.parametrize(
    ("backend", "outputs"),
    [("mysql", {"DatabaseUrl": "u"}), ("mysql_password", {"DatabaseUrl": "u", **USER})],
)
def test_proxy_with_another_login_is_found(
    run: Run, backend: str, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS | outputs)
    (finding,) = found(checking.check_proxy, replace(run, stage=replace(DEV, backend=backend)))
    assert finding.remedy == "Run `provision --stage dev`, then `migrate`, then `deploy`."


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ([HEALTHY, REJECTING], None),
        ([REJECTING], "AUTH_FAILURE"),
        ([{}], "no target"),
        ([], "no target"),
    ],
)
def test_proxy_without_its_database_is_found(
    aws: Aws,
    run: Run,
    targets: list[Any],
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS | {"DatabaseUrl": "u"} | USER)
    aws.says("rds", "describe_db_proxy_targets", {"Targets": targets})
    findings = found(checking.check_proxy, replace(run, stage=WITH_PROXY))
    said = f"RDS Proxy customers-dev can't reach its database: {reason}."
    assert [finding.what for finding in findings] == ([said] if reason else [])


@pytest.mark.parametrize("bound", [ARN, ARN.replace("eu-west-1", "eu-central-1")])
def test_binding_to_another_cluster_is_found(
    run: Run, bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads(CONFIG.read_text())
    content["stages"]["dev"]["environment_variables"]["DATABASE_RESOURCE_ARN"] = bound
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    monkeypatch.setattr(checking, "read_config", lambda: config.read_config(path))
    findings = [finding.what for finding in found(checking.check_bound, run)]
    assert len(findings) == (bound != ARN)
    assert all("is bound to arn:aws:rds:eu-central-1:" in each for each in findings)


@pytest.mark.parametrize("bound", ["mysql://functions@p/customers?auth=iam", "mysql://other/c"])
def test_binding_to_another_proxy_is_found(
    run: Run, bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = replace(DEV, backend="mysql", min_capacity=0.5, seconds_until_pause=None)
    monkeypatch.setitem(cast("dict[str, Stage]", STAGES), "dev", stage)
    url = "mysql://functions@p/customers?auth=iam"
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS | {"DatabaseUrl": url})
    content = json.loads(CONFIG.read_text())
    content["stages"]["dev"]["environment_variables"]["DATABASE_URL"] = bound
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    monkeypatch.setattr(checking, "read_config", lambda: config.read_config(path))
    findings = [finding.what for finding in found(checking.check_bound, replace(run, stage=stage))]
    assert len(findings) == (bound != url)


def test_denied_check_stops_nothing(aws: Aws, run: Run, heard: list[str]) -> None:
    """A role that deploys may lack the permission for a check."""
    aws.denies("apigateway", "get_account")
    checking.require(run, [checking.check_log_role])
    assert "- The check log_role could not run." in heard[0]
    assert "lack permission for GetAccount" in heard[0]


def test_finding_says_what_why_and_what_to_do(aws: Aws, run: Run, heard: list[str]) -> None:
    aws.says("apigateway", "get_account", {})
    with pytest.raises(Failure, match="1 prerequisites are missing, so nothing was changed"):
        checking.require(run, [checking.check_log_role])
    assert [line.split()[0] for line in heard[0].splitlines()] == ["-", "Why:", "Do:"]


def _raise(*_: object) -> Findings:
    yield Finding("Something is wrong.", "It matters.", "Repair it.")


@pytest.mark.parametrize(
    ("command", "checks"),
    [
        (commands.check, "ALL"),
        (commands.provision, "BEFORE_PROVISION"),
        (commands.deploy, "BEFORE_DEPLOY"),
    ],
)
def test_commands_check_first(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: Callable[[Run], None], checks: str
) -> None:
    monkeypatch.setattr(checking, checks, (_raise,))
    monkeypatch.setattr(Stack, "update", lambda *_: pytest.fail("a stack was updated"))
    with pytest.raises(Failure, match="prerequisites are missing"):
        command(run)


def test_provision_announces_what_deploy_needs(
    run: Run, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "BEFORE_PROVISION", ())
    monkeypatch.setattr(checking, "BEFORE_DEPLOY", (_raise,))
    monkeypatch.setattr(commands, "_template", lambda *_: pytest.fail("as expected"))
    with pytest.raises(pytest.fail.Exception, match="as expected"):
        commands.provision(run)
    assert heard[0].startswith("- Before `deploy`: Something is wrong.")


def test_every_check_runs_in_the_command() -> None:
    defined = {name for name in vars(checking) if name.startswith("check_")}
    assert {each.__name__ for each in checking.ALL} == defined
