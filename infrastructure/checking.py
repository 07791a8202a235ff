"""What AWS or the issuer would reject, before a command spends twenty minutes to find out.

Each check yields findings: what is wrong, why it matters, and what to do. A check that AWS denies,
or that can't reach AWS, becomes a finding, too, which never stops a command.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.settings import SettingsError
from chalicelib.tokens import keys
from infrastructure import template
from infrastructure.clusters import ENGINE
from infrastructure.config import read_config, variables
from infrastructure.domains import check_domain
from infrastructure.failures import Failure, code_of, explain
from infrastructure.findings import Check, Finding, Findings
from infrastructure.run import Run
from infrastructure.stages import MYSQL, ROOT

UNRESERVED = 100
"""Concurrent executions that Lambda keeps for functions without a reservation."""
BOUND = {"DATABASE_RESOURCE_ARN": "ClusterArn", "DATABASE_URL": "DatabaseUrl"}
"""Outputs of the database's stack, by the variables to which `bind` writes them."""
VERSION = re.compile(r"EngineVersion: (\S+)")


def find(run: Run, checks: Sequence[Check]) -> list[Finding]:
    """Return the findings of the checks. Changes nothing."""
    return [finding for each in checks for finding in _checked(each, run)]


def require(run: Run, checks: Sequence[Check]) -> None:
    """Print the findings of the checks. Raises Failure if one would stop the command later."""
    found = find(run, checks)
    for finding in found:
        run.say(f"- {finding}")
    if certain := sum(finding.is_certain for finding in found):
        raise Failure(
            f"{certain} prerequisites are missing, so nothing was changed: see above. `python -m"
            f" infrastructure check --stage {run.stage.name}` checks again."
        )


def _checked(each: Check, run: Run) -> Findings:
    try:
        yield from each(run)
    except (BotoCoreError, ClientError) as error:
        yield Finding(
            f"The check {each.__name__.removeprefix('check_')} could not run.",
            "A fault that it would find may stop a deployment in the middle.",
            explain(error),
            is_certain=False,
        )


def check_engine(run: Run) -> Findings:
    """Look for the template's engine version in this region, and in the existing cluster."""
    client, wanted = run.session.client("rds"), engine_version()
    offered = client.describe_db_engine_versions(Engine=ENGINE, EngineVersion=wanted)
    if not offered["DBEngineVersions"]:
        yield Finding(
            f"{run.session.region_name} does not offer {ENGINE} {wanted}.",
            "RDS rejects the cluster after the network was created.",
            "Set EngineVersion in infrastructure/database.yaml to the latest patch of the long-term"
            f" support release that `aws rds describe-db-engine-versions --engine {ENGINE}` lists.",
        )
    found = _cluster(client, f"customers-{run.stage.name}")
    if found and found["EngineVersion"] != wanted:
        yield Finding(
            f"The cluster has version {found['EngineVersion']}, and the template {wanted}.",
            "The version has drifted, and RDS rejects a downgrade when the template changes.",
            "Set EngineVersion in infrastructure/database.yaml to the cluster's version, or upgrade"
            " the cluster in its maintenance window.",
        )


def engine_version() -> str:
    """Return the engine version of the database's template."""
    text = (ROOT / "infrastructure" / "database.yaml").read_text()
    (version,) = VERSION.findall(text)
    return str(version)


def check_concurrency(run: Run) -> Findings:
    """Compare the reservation with Lambda's quota: 10 in new accounts, 1,000 in others."""
    wanted = reservation(run)
    if not wanted:
        return
    limits = run.session.client("lambda").get_account_settings()["AccountLimit"]
    own = _reserved(run)
    free = limits["UnreservedConcurrentExecutions"] + own - UNRESERVED
    if wanted > free:
        yield Finding(
            f"{run.stage.name} reserves {wanted} concurrent executions, but {max(free, 0)} of the"
            f" account's {limits['ConcurrentExecutions']} can be reserved.",
            f"Lambda keeps {UNRESERVED} unreserved, and rejects the functions otherwise.",
            "Request a higher quota of 'Concurrent executions' in Service Quotas (often granted"
            f" within a day), or set concurrency=None for {run.stage.name} in"
            " infrastructure/stages.py, which reserves nothing.",
        )


def reservation(run: Run) -> int:
    """Return the concurrency that the stage's functions and its hook reserve."""
    shares = [each.concurrency for each in template.FUNCTIONS.values()]
    total = run.stage.concurrency
    return sum(max(1, int(total * share)) for share in (*shares, 0)) if total is not None else 0


def _reserved(run: Run) -> int:
    """Return what the stage's existing functions reserve already."""
    client, total = run.session.client("lambda"), 0
    for name in run.stage.lambda_names:
        try:
            found = client.get_function_concurrency(FunctionName=name)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
        else:
            total += found.get("ReservedConcurrentExecutions", 0)
    return total


def check_log_role(run: Run) -> Findings:
    """Look for the role with which API Gateway writes logs, once per account and region."""
    account = run.session.client("apigateway").get_account()
    if not account.get("cloudwatchRoleArn"):
        yield Finding(
            "API Gateway has no role for logs in this account and region.",
            "It rejects a stage with an access log, at the end of `deploy`.",
            "Create the role as docs/deploying.md, Prerequisites, Log role, shows.",
        )


def check_issuer(run: Run) -> Findings:
    """Fetch the keys of the tokens' issuer."""
    settings = {**variables(read_config(), run.stage), **_renamed(run.values)}
    issuer, audience = settings.get("TOKEN_ISSUER"), settings.get("TOKEN_AUDIENCE")
    if not (issuer and audience):
        yield Finding(
            f"TOKEN_ISSUER or TOKEN_AUDIENCE of {run.stage.name} is not set.",
            "`deploy` stops, because no client could call the API.",
            "Set both in .chalice/config.json, as docs/deploying.md, Prerequisites, shows.",
        )
        return
    url = settings.get("TOKEN_JWKS_URL") or f"{issuer.rstrip('/')}/.well-known/jwks.json"
    try:
        keys.read(url)
    except (SettingsError, keys.KeysUnavailable) as error:
        problem = str(error).removesuffix(".")
        yield Finding(
            f"The issuer's keys at {url} can't be used: {problem}.",
            "The authorizer rejects every token with 503.",
            "Open the address in a browser. If the issuer publishes its keys elsewhere (`jwks_uri`"
            " of its /.well-known/openid-configuration), set TOKEN_JWKS_URL.",
        )


def _renamed(values: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that `--set` replaces."""
    names = {"TokenIssuer": "TOKEN_ISSUER", "TokenAudience": "TOKEN_AUDIENCE"}
    names |= {"TokenJwksUrl": "TOKEN_JWKS_URL"}
    return {names[name]: value for name, value in values.items() if name in names}


def check_names(run: Run) -> Findings:
    """Look for resources outside the stage's stacks that have its names."""
    if not run.stack("database").exists:
        name = f"customers-{run.stage.name}"
        if _cluster(run.session.client("rds"), name):
            yield Finding(
                f"A cluster {name} exists, but not the stack {run.stage.stack('database')}.",
                "CloudFormation can't create a second cluster of this name.",
                "If the cluster holds data, restore the stack that owned it. Otherwise delete the"
                " cluster with a final snapshot: docs/restoring.md, Clean up.",
            )
    if not run.stack("api").exists:
        for name in run.stage.lambda_names:
            if _function(run, name):
                yield Finding(
                    f"A function {name} exists, but not the stack {run.stage.stack('api')}.",
                    "`deploy` can't create a second function of this name.",
                    "If `chalice deploy` created it elsewhere, continue there with `chalice"
                    f" deploy`, or run `chalice delete --stage {run.stage.name}`.",
                )
                return


def check_proxy(run: Run) -> Findings:
    """Look for RDS Proxy, if the stage's backend needs it, and for its way to the database."""
    if not (run.stage.has_proxy and run.stack("database").exists):
        return
    name, backend = f"customers-{run.stage.name}", run.stage.backend
    outputs = run.outputs("database")
    has_iam_login = "DatabaseUserArn" in outputs
    if "DatabaseUrl" not in outputs or has_iam_login != (backend == MYSQL):
        yield Finding(
            f"The backend of {run.stage.name} is {backend}, and its database has no RDS Proxy for"
            " this backend.",
            "`deploy` would create functions that can't reach the database.",
            f"Run `provision --stage {run.stage.name}`, then `migrate`, then `deploy`.",
        )
        return
    targets = run.session.client("rds").describe_db_proxy_targets(DBProxyName=name)["Targets"]
    states = [target.get("TargetHealth", {}) for target in targets]
    if not any(state.get("State") == "AVAILABLE" for state in states):
        why = ", ".join(sorted({state.get("Reason") or "no target" for state in states}))
        yield Finding(
            f"RDS Proxy {name} can't reach its database: {why or 'no target'}.",
            "Every request would fail with 503.",
            "If it was just created, wait until it is available. AUTH_FAILURE: run `migrate`,"
            " which creates the database's users.",
        )


def check_bound(run: Run) -> Findings:
    """Compare what `bind` wrote with the stage's stack in this account and region."""
    bound = variables(read_config(), run.stage)
    names = BOUND.keys() & bound.keys()
    if not names or not run.stack("database").exists:
        return
    outputs = run.outputs("database")
    for name in names:
        ours, stacks = bound[name], outputs.get(BOUND[name])
        if ours != stacks:
            yield Finding(
                f".chalice/config.json is bound to {ours}, and this stage's database is {stacks}.",
                "`chalice deploy` would create functions that may not use this database.",
                f"Run `bind --stage {run.stage.name}` again, or use the account and region that you"
                " bound.",
            )


def check_key(run: Run) -> Findings:
    """Check that the key of the stage's database can be used."""
    if not run.stack("database").exists:
        return
    key = run.outputs("database")["KeyArn"]
    state = run.session.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        yield Finding(
            f"The key {key} of the database is {state}.",
            "The database, its backups, its secrets and its logs can't be read without the key.",
            f"Run `aws kms cancel-key-deletion --key-id {key}` and `aws kms enable-key --key-id"
            f" {key}`.",
        )


def _function(run: Run, name: str) -> bool:
    try:
        run.session.client("lambda").get_function_configuration(FunctionName=name)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return False
        raise
    return True


def _cluster(client: Any, name: str) -> dict[str, Any] | None:
    found = client.describe_db_clusters(Filters=[{"Name": "db-cluster-id", "Values": [name]}])
    return next(map(dict, found["DBClusters"]), None)


BEFORE_PROVISION: tuple[Check, ...] = (check_engine, check_names, check_key, check_domain)
BEFORE_DEPLOY: tuple[Check, ...] = (check_concurrency, check_log_role, check_issuer, check_proxy)
ALL: tuple[Check, ...] = (*BEFORE_PROVISION, *BEFORE_DEPLOY, check_bound)
