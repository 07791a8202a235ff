"""The parameters of each template: from the stage, config.json, and the outputs of other stacks."""

from collections.abc import Mapping
from typing import Any

from chalicelib.settings import TokenSettings
from infrastructure import rotating
from infrastructure.config import variables
from infrastructure.failures import Failure
from infrastructure.stages import Domain, Stage

Values = dict[str, str]

# Parameter names by variables of config.json.
FROM_CONFIG = {
    "TOKEN_ISSUER": "TokenIssuer",
    "TOKEN_AUDIENCE": "TokenAudience",
    "TOKEN_JWKS_URL": "TokenJwksUrl",
    "TOKEN_SCOPE_PREFIX": "TokenScopePrefix",
    "CORS_ORIGINS": "CorsOrigins",
    "RETENTION_DAYS": "RetentionDays",
    "DEEP_HEALTH": "DeepHealth",
    "DATA_API_CLIENT": "DataApiClient",
}
# Parameter names by outputs of the database's stack.
FROM_DATABASE = {
    "ClusterArn": "DatabaseResourceArn",
    "ApplicationSecretArn": "DatabaseSecretArn",
    "MasterSecretArn": "DatabaseMasterSecretArn",
    "DatabaseName": "DatabaseName",
    "KeyArn": "DatabaseKeyArn",
    "CursorKeySecretArn": "CursorKeySecretArn",
}
# The same for functions that connect to RDS Proxy, by outputs of the network's stack, too.
FROM_PROXY = {
    "DatabaseUrl": "DatabaseUrl",
    "DatabaseUserArn": "DatabaseUserArn",
    "PrivateSubnets": "FunctionSubnets",
    "FunctionSecurityGroup": "FunctionSecurityGroup",
}
FROM_NETWORK = ("VpcId", "PrivateSubnets", "DatabaseSecurityGroup")
WATCHED = (
    "ApiFunctionName",
    "AuthorizerFunctionName",
    "PurgeFunctionName",
    "RelayFunctionName",
)
SHOWN = ("RunbookUrl", "ErrorBudgetPercent", "ServerErrorPercent", "LatencyMilliseconds")
"""Outputs of the operations stack, which are its parameters."""


def network(stage: Stage) -> Values:
    return {**_common(stage), "Backend": stage.backend}


def _common(stage: Stage) -> Values:
    return {"Stage": stage.name, "LogRetentionDays": str(stage.log_retention_days)}


def database(stage: Stage, of_network: Mapping[str, str]) -> Values:
    pause = stage.seconds_until_pause
    return {
        **network(stage),
        "MinCapacity": str(stage.min_capacity),
        "MaxCapacity": str(stage.max_capacity),
        **({} if pause is None else {"SecondsUntilAutoPause": str(pause)}),
        "Instances": str(stage.instances),
        "BackupDays": str(stage.backup_days),
        "CopyVaultArn": stage.copy_vault,
        "DeletionProtection": str(stage.is_protected).lower(),
        **{name: of_network[name] for name in FROM_NETWORK},
    }


def audit(stage: Stage) -> Values:
    return {"Stage": stage.name, "AuditDays": str(stage.audit_days)}


def bus(stage: Stage) -> Values:
    return {"Stage": stage.name, "ArchiveDays": str(stage.log_retention_days)}


def operations(stage: Stage, of_database: Mapping[str, str]) -> Values:
    return {
        **_common(stage),
        **_watched(stage, of_database),
        "RotationFunctionName": rotating.name(stage),
        "MonthlyBudget": str(stage.monthly_budget),
    }


def dashboard(
    stage: Stage, of_database: Mapping[str, str], of_operations: Mapping[str, str]
) -> Values:
    return {
        "Stage": stage.name,
        **_watched(stage, of_database),
        **{name: of_operations[name] for name in SHOWN},
    }


def _watched(stage: Stage, of_database: Mapping[str, str]) -> Values:
    return {
        "ExpectsTraffic": str(stage.expects_traffic).lower(),
        "HasEvents": str(stage.has_events).lower(),
        "DatabaseClusterIdentifier": of_database["ClusterIdentifier"],
        **dict(zip(WATCHED, stage.lambda_names, strict=True)),
    }


def domain(of_stage: Domain) -> Values:
    return {
        "DomainName": of_stage.name,
        "HostedZoneId": of_stage.hosted_zone,
        "CertificateArn": of_stage.certificate,
        "TruststoreUri": of_stage.truststore,
        "TruststoreVersion": of_stage.truststore_version,
    }


def api(
    stage: Stage,
    config: Mapping[str, Any],
    outputs: Mapping[str, str],
    of_operations: Mapping[str, str],
) -> Values:
    """Return all parameters except Release, which depends on the package.

    `outputs` are those of the network's and the database's stack. Raises Failure if config.json has
    a variable whose value comes from a stack.
    """
    own = variables(config, stage)
    if bound := sorted(own.keys() - FROM_CONFIG.keys() - {"STAGE"}):
        raise Failure(
            f".chalice/config.json sets {', '.join(bound)} for {stage.name}, but `deploy` takes"
            " values of the stacks. `bind` wrote yours for `chalice deploy`: undo it with `git"
            " checkout .chalice`."
        )
    return {
        "Stage": stage.name,
        **{parameter: own[name] for name, parameter in FROM_CONFIG.items() if name in own},
        **{parameter: outputs[output] for output, parameter in FROM_DATABASE.items()},
        **_of_proxy(stage, outputs),
        "LogsKeyArn": of_operations["KeyArn"],
    }


def _of_proxy(stage: Stage, outputs: Mapping[str, str]) -> Values:
    """Return the parameters of functions in the network. Only IAM's login has a DatabaseUserArn."""
    if not stage.has_proxy:
        return {}
    return {name: outputs[output] for output, name in FROM_PROXY.items() if output in outputs}


def check_tokens(environ: Mapping[str, str]) -> None:
    """Raise SettingsError if the authorizer would reject these settings."""
    if {"TOKEN_ISSUER", "TOKEN_AUDIENCE"} <= environ.keys():
        TokenSettings.from_environ(environ)


def environ(values: Mapping[str, str]) -> Values:
    """Return the variables that these parameters of the API's template set."""
    return {name: values[each] for name, each in FROM_CONFIG.items() if each in values}
