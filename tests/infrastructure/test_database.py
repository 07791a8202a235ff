"""The database template: no data loss, no leaks, and the same settings as the tests' MariaDB."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.database.address import Address
from infrastructure import parameters
from infrastructure.stages import STAGES, Stage
from local.database_server import SETTINGS, SQL_MODES
from tests.infrastructure import rules
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template

PATH = Path(__file__).parents[2] / "infrastructure" / "database.yaml"
NETWORK = {
    "VpcId": "vpc-1",
    "PrivateSubnets": "subnet-1,subnet-2",
    "DatabaseSecurityGroup": "sg-1",
}
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
DAYS_OF_PROD = 14


def dimensions(stage: Stage) -> dict[str, str]:
    return parameters.database(stage, NETWORK)


PROXY = {"Backend": "mysql", "PermissionsBoundary": BOUNDARY}
TEMPLATES = {stage.name: Template(PATH, dimensions(stage)) for stage in STAGES.values()}
PROD = TEMPLATES["prod"]
PROXIED = Template(PATH, dimensions(STAGES["prod"]) | PROXY)
WITH_SECRET = Template(PATH, dimensions(STAGES["prod"]) | {"Backend": "mysql_password"})
DEFAULT = Template(PATH, NETWORK | {"Stage": "prod"})
ALL = TEMPLATES | {
    "prod with a proxy": PROXIED,
    "prod with a proxy and a secret": WITH_SECRET,
    "prod by default": DEFAULT,
}

each = pytest.mark.parametrize("template", ALL.values(), ids=ALL)


def only(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    found: list[dict[str, Any]] = list(template.of_type(f"AWS::{kind}").values())
    (properties,) = found
    return properties


def find_data_loss_risks(template: Template) -> list[str]:
    """Return the faults that could lose data."""
    cluster, resource = only(template, "RDS::DBCluster"), template.resources["Cluster"]
    days, protected = int(cluster["BackupRetentionPeriod"]), cluster["DeletionProtection"]
    faults = {
        "no snapshot when it is deleted": resource["DeletionPolicy"] != "Snapshot",
        "no snapshot when it is replaced": resource["UpdateReplacePolicy"] != "Snapshot",
        "no deletion protection": protected != "true",
        "too few days of backups": days < DAYS_OF_PROD,
        "its snapshots have no tags": not cluster["CopyTagsToSnapshot"],
        "its key may be deleted with it": template.resources["Key"]["DeletionPolicy"] == "Delete",
        "one zone only": len(template.of_type("AWS::RDS::DBInstance")) < 2,
    }
    return [fault for fault, is_there in faults.items() if is_there]


def find_leak_risks(template: Template) -> list[str]:
    """Return the faults that could leak data."""
    cluster = only(template, "RDS::DBCluster")
    parameters = only(template, "RDS::DBClusterParameterGroup")["Parameters"]
    key = template.resolve({"Fn::GetAtt": ["Key", "Arn"]})
    instances = template.of_type("AWS::RDS::DBInstance").values()
    proxies = template.of_type("AWS::RDS::DBProxy").values()
    secrets = template.of_type("AWS::SecretsManager::Secret").values()
    logs = template.of_type("AWS::Logs::LogGroup").values()
    faults = {
        "not encrypted": not (cluster.get("StorageEncrypted") and cluster["KmsKeyId"] == key),
        "no TLS": parameters.get("require_secure_transport") != "ON",
        "no TLS to the proxy": not all(proxy["RequireTLS"] for proxy in proxies),
        "a password for the proxy": template.values["Backend"] == "mysql"
        and any("Auth" in proxy or proxy["DefaultAuthScheme"] != "IAM_AUTH" for proxy in proxies),
        "statements in the proxy's log": any(proxy["DebugLogging"] for proxy in proxies),
        "public": any(instance.get("PubliclyAccessible", True) for instance in instances),
        "a master password in the template": "MasterUserPassword" in cluster
        or not cluster["ManageMasterUserPassword"],
        "statements in the audit log": "QUERY_DML" in parameters["server_audit_events"],
        "a secret without our key": not all(secret.get("KmsKeyId") == key for secret in secrets),
        "a log without our key": not all(log.get("KmsKeyId") == key for log in logs),
        "a key for ever": not only(template, "KMS::Key")["EnableKeyRotation"],
    }
    return [fault for fault, is_there in faults.items() if is_there]


@each
def test_template_violates_no_rule(template: Template) -> None:
    assert template.refusals() == []
    assert rules.all_of(template) == []
    assert find_leak_risks(template) == []


def test_prod_cannot_lose_data() -> None:
    for template in (PROD, PROXIED, DEFAULT):
        assert find_data_loss_risks(template) == []


def test_deleted_stages_keep_a_snapshot() -> None:
    for name in ("dev", "staging"):
        assert {"no deletion protection", "one zone only", "too few days of backups"} == set(
            find_data_loss_risks(TEMPLATES[name])
        )


def test_defaults_equal_prods_parameters() -> None:
    assert {name: str(value) for name, value in DEFAULT.values.items()} == {
        name: str(value) for name, value in PROD.values.items()
    }


@pytest.mark.parametrize(
    ("where", "value", "fault"),
    [
        (("Cluster", "DeletionPolicy"), "Delete", "no snapshot when it is deleted"),
        (("Cluster", "UpdateReplacePolicy"), "Delete", "no snapshot when it is replaced"),
        (("Cluster", "Properties", "DeletionProtection"), "false", "no deletion protection"),
        (("Cluster", "Properties", "BackupRetentionPeriod"), 13, "too few days of backups"),
        (("Cluster", "Properties", "CopyTagsToSnapshot"), False, "its snapshots have no tags"),
        (("Key", "DeletionPolicy"), "Delete", "its key may be deleted with it"),
        (("Reader", "Condition"), "HasBoundary", "one zone only"),
        (("Cluster", "Properties", "StorageEncrypted"), False, "not encrypted"),
        (("Cluster", "Properties", "KmsKeyId"), "alias/aws/rds", "not encrypted"),
        (("Cluster", "Properties", "MasterUserPassword"), "x", "a master password in the template"),
        (("Writer", "Properties", "PubliclyAccessible"), True, "public"),
        (("Proxy", "Properties", "RequireTLS"), False, "no TLS to the proxy"),
        (("Proxy", "Properties", "DebugLogging"), True, "statements in the proxy's log"),
        (("Proxy", "Properties", "Auth"), [{"IAMAuth": "DISABLED"}], "a password for the proxy"),
        (("Proxy", "Properties", "DefaultAuthScheme"), "NONE", "a password for the proxy"),
        (("CursorKeySecret", "Properties", "KmsKeyId"), None, "a secret without our key"),
        (("AuditLog", "Properties", "KmsKeyId"), None, "a log without our key"),
        (("Key", "Properties", "EnableKeyRotation"), False, "a key for ever"),
        (
            ("ParameterGroup", "Properties", "Parameters", "require_secure_transport"),
            "OFF",
            "no TLS",
        ),
        (
            ("ParameterGroup", "Properties", "Parameters", "server_audit_events"),
            "CONNECT,QUERY_DML",
            "statements in the audit log",
        ),
    ],
)
def test_rules_detect_faults(where: tuple[str, ...], value: Any, fault: str) -> None:
    def break_it(document: dict[str, Any]) -> None:
        *path, last = where
        part = document["Resources"]
        for name in path:
            part = part[name]
        part[last] = value

    values = dimensions(STAGES["prod"]) | {"Backend": "mysql"}
    broken = Template(PATH, values, break_it)

    assert any(
        found.startswith(fault)
        for found in [*find_data_loss_risks(broken), *find_leak_risks(broken)]
    )


# ------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MinCapacity": "0", "Backend": "mysql"}, "RDS Proxy keeps connections open"),
        ({"MinCapacity": "0", "Backend": "mysql_password"}, "RDS Proxy keeps connections open"),
        ({"Backend": "postgres"}, "Backend"),
        (
            {"MinCapacity": "0", "SecondsUntilAutoPause": "0"},
            "SecondsUntilAutoPause must be at least 300",
        ),
        ({"SecondsUntilAutoPause": "299"}, "SecondsUntilAutoPause"),
        ({"SecondsUntilAutoPause": "86401"}, "SecondsUntilAutoPause"),
        ({"MinCapacity": "300"}, "MinCapacity"),
        ({"MinCapacity": "256.5"}, "MinCapacity"),
        ({"MinCapacity": "0.25"}, "MinCapacity"),
        ({"MinCapacity": "0.0"}, "MinCapacity"),  # 0 has one spelling, which the rules look for
        ({"MaxCapacity": "0.5"}, "MaxCapacity"),
        ({"MaxCapacity": "257"}, "MaxCapacity"),
        ({"BackupDays": "0"}, "BackupDays"),
        ({"BackupDays": "36"}, "BackupDays"),
        ({"CopyVaultArn": "copies"}, "CopyVaultArn"),
        ({"Instances": "3"}, "Instances"),
        ({"Stage": "prod-eu"}, "Stage"),
        ({"Stage": "prod", "DeletionProtection": "false"}, "DeletionProtection must be true"),
        ({"Stage": "prod", "BackupDays": "13"}, "BackupDays must be at least 14"),
        ({"Stage": "prod", "Instances": "1"}, "Instances must be 2"),
        ({"Stage": "prod", "MinCapacity": "0"}, "MinCapacity must be at least 0.5"),
        ({"PrivateSubnets": "", "VpcId": "vpc-1", "PermissionsBoundary": "admin"}, "Permissions"),
    ],
)
def test_invalid_parameters_are_rejected_before_creation(values: dict[str, str], said: str) -> None:
    stage = STAGES[values.get("Stage", "dev")] if values.get("Stage") in STAGES else STAGES["dev"]

    refused = Template(PATH, dimensions(stage) | values).refusals()

    assert any(said in item for item in refused)


@pytest.mark.parametrize("capacity", ["0", "0.5", "1", "9.5", "99", "128", "249.5", "255.5", "256"])
def test_valid_capacities_are_accepted(capacity: str) -> None:
    values = dimensions(STAGES["dev"]) | {"MinCapacity": capacity, "MaxCapacity": "256"}

    assert Template(PATH, values).refusals() == []


# -------------------------------------------------------------------------------- what it is


@each
def test_cluster_name_contains_the_stage(template: Template) -> None:
    cluster = only(template, "RDS::DBCluster")

    assert cluster["DBClusterIdentifier"] == f"customers-{template.values['Stage']}"
    assert cluster["DatabaseName"] == "customers"
    assert cluster["EnableHttpEndpoint"] is True
    assert cluster["EnableIAMDatabaseAuthentication"] is True


def test_engine_version_supports_pausing() -> None:
    version = only(PROD, "RDS::DBCluster")["EngineVersion"]
    found = re.fullmatch(r"8\.0\.mysql_aurora\.3\.(\d+)\.\d+", version)

    assert found
    assert int(found[1]) >= 8


@each
def test_database_stays_on_the_long_term_support_release(template: Template) -> None:
    """An automatic upgrade leaves it: the release notes of 3.10 say to disable the upgrades."""
    cluster = only(template, "RDS::DBCluster")
    instances = template.of_type("AWS::RDS::DBInstance").values()

    assert re.fullmatch(r"8\.0\.mysql_aurora\.3\.10\.\d+", cluster["EngineVersion"])
    assert "AutoMinorVersionUpgrade" not in cluster
    assert {instance["AutoMinorVersionUpgrade"] for instance in instances} == {False}


def test_backups_are_copied_elsewhere_only_if_the_stage_says_so() -> None:
    vault = "arn:aws:backup:eu-central-1:210987654321:backup-vault:copies"
    copied = Template(PATH, parameters.database(replace(STAGES["prod"], copy_vault=vault), NETWORK))
    (rule,) = only(copied, "Backup::BackupPlan")["BackupPlan"]["BackupPlanRule"]
    selection = only(copied, "Backup::BackupSelection")["BackupSelection"]

    assert copied.refusals() == rules.all_of(copied) == []
    assert [copy["DestinationBackupVaultArn"] for copy in rule["CopyActions"]] == [vault]
    assert selection["Resources"] == [copied.resolve({"Fn::GetAtt": ["Cluster", "DBClusterArn"]})]
    assert only(copied, "Backup::BackupVault")["EncryptionKeyArn"] == copied.resolve(
        {"Fn::GetAtt": ["Key", "Arn"]}
    )
    assert copied.resources["BackupVault"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert not [name for name in PROD.resources if name.startswith("Backup")]


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_cluster_scales_and_pauses_as_its_stage_specifies(stage: Stage) -> None:
    scaling = only(TEMPLATES[stage.name], "RDS::DBCluster")["ServerlessV2ScalingConfiguration"]
    pause = stage.seconds_until_pause

    assert scaling == {
        "MinCapacity": str(stage.min_capacity),
        "MaxCapacity": str(stage.max_capacity),
        **({} if pause is None else {"SecondsUntilAutoPause": str(pause)}),
    }


def test_prod_never_pauses() -> None:
    assert STAGES["dev"].seconds_until_pause
    assert STAGES["prod"].seconds_until_pause is None


@each
def test_reader_can_take_over_from_the_writer(template: Template) -> None:
    """A reader of tier 0 or 1 has the writer's capacity."""
    instances = template.of_type("AWS::RDS::DBInstance")

    assert len(instances) == int(template.values["Instances"])
    assert all(instance["PromotionTier"] <= 1 for instance in instances.values())
    assert {instance["DBInstanceClass"] for instance in instances.values()} == {"db.serverless"}


def test_database_parameters_equal_those_of_the_tests() -> None:
    """If the local database differed from production's, the tests would prove nothing."""
    parameters = only(PROD, "RDS::DBClusterParameterGroup")["Parameters"]

    assert parameters["sql_mode"].split(",") == SQL_MODES
    assert parameters["character_set_server"] == SETTINGS["character-set-server"]
    assert parameters["collation_server"] == SETTINGS["collation-server"]
    assert (parameters["time_zone"], SETTINGS["default-time-zone"]) == ("UTC", "+00:00")
    assert parameters["innodb_lock_wait_timeout"] == SETTINGS["innodb-lock-wait-timeout"]


@each
def test_log_groups_are_created_before_the_cluster(template: Template) -> None:
    cluster = only(template, "RDS::DBCluster")
    groups = template.of_type("AWS::Logs::LogGroup")
    prefix = f"/aws/rds/cluster/customers-{template.values['Stage']}/"
    names = {group["LogGroupName"] for group in groups.values()}
    parameters = only(template, "RDS::DBClusterParameterGroup")["Parameters"]

    assert names == {prefix + log for log in cluster["EnableCloudwatchLogsExports"]}
    assert set(template.resources["Cluster"]["DependsOn"]) == groups.keys()
    assert parameters["log_output"] == "FILE"
    assert parameters["slow_query_log"] == parameters["server_audit_logging"] == "1"


def test_key_encrypts_only_this_stages_logs() -> None:
    statements = only(PROD, "KMS::Key")["KeyPolicy"]["Statement"]
    (logs,) = [statement for statement in statements if statement["Sid"] == "EncryptLogs"]
    (pattern,) = logs["Condition"]["ArnLike"].values()

    assert pattern == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/rds/cluster/customers-prod/*"


def test_slow_query_log_expires_early() -> None:
    assert PROD.of_type("AWS::Logs::LogGroup")["SlowQueryLog"]["RetentionInDays"] == 7


@pytest.mark.parametrize("name", ["SlowQueryLog", "ErrorLog"])
def test_logs_that_may_contain_statements_are_masked(name: str) -> None:
    policy = PROD.of_type("AWS::Logs::LogGroup")[name]["DataProtectionPolicy"]
    audited, masked = policy["Statement"]
    (phone,) = policy["Configuration"]["CustomDataIdentifier"]

    assert audited["DataIdentifier"] == masked["DataIdentifier"]
    assert any(item.endswith("/EmailAddress") for item in masked["DataIdentifier"])
    assert phone["Name"] in masked["DataIdentifier"]
    line = "UPDATE customers SET `phone` = '+442079460000' WHERE version = 2079460000"
    assert re.findall(phone["Regex"], line) == ["+442079460000"]


@each
def test_generated_passwords_are_safe_in_sql_and_urls(template: Template) -> None:
    """Letters and digits only, because they are used in SQL and URLs."""
    stage = template.values["Stage"]
    secrets = {
        secret["Name"]: secret["GenerateSecretString"]
        for secret in template.of_type("AWS::SecretsManager::Secret").values()
    }

    assert secrets.keys() == {
        f"customers-{stage}/application",
        f"customers-{stage}/migrations",
        f"customers-{stage}/cursor-key",
    }
    assert all(secret["ExcludePunctuation"] for secret in secrets.values())
    for user in ("application", "migrations"):
        generated = secrets[f"customers-{stage}/{user}"]
        assert generated["SecretStringTemplate"] == f'{{"username": "{user}"}}'
        assert (generated["GenerateStringKey"], generated["PasswordLength"]) == ("password", 40)
    cursor_key = secrets[f"customers-{stage}/cursor-key"]
    assert cursor_key["PasswordLength"] >= 64
    assert "SecretStringTemplate" not in cursor_key


def test_proxy_exists_only_if_requested() -> None:
    kinds = {resource["Type"] for resource in PROD.resources.values()}

    assert not {kind for kind in kinds if "Proxy" in kind or "IAM" in kind}
    assert only(PROXIED, "IAM::Role")["PermissionsBoundary"] == BOUNDARY
    assert only(PROXIED, "RDS::DBProxyTargetGroup")["TargetGroupName"] == "default"


def allowed(template: Template) -> dict[str, str]:
    """Return the resource of each allowed action, of which every role has one."""
    return {
        statement["Action"]: statement["Resource"] for _, statement in rules.statements(template)
    }


def test_proxy_logs_in_as_one_user_of_this_networks_cluster() -> None:
    user = f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:cluster-*/functions"
    assert allowed(PROXIED) == {"rds-db:connect": user}


def test_proxy_with_a_secret_reads_only_this_one() -> None:
    (proxy,) = WITH_SECRET.of_type("AWS::RDS::DBProxy").values()
    secret = WITH_SECRET.resolve({"Ref": "ApplicationSecret"})

    assert proxy["DefaultAuthScheme"] == "NONE"
    assert proxy["Auth"] == [{"AuthScheme": "SECRETS", "SecretArn": secret, "IAMAuth": "DISABLED"}]
    assert allowed(WITH_SECRET) == {
        "secretsmanager:GetSecretValue": secret,
        "kms:Decrypt": WITH_SECRET.resolve({"Fn::GetAtt": ["Key", "Arn"]}),
    }


def test_functions_get_an_address_without_a_password() -> None:
    with_token = Address.parse(output(PROXIED, "DatabaseUrl"))
    url = output(WITH_SECRET, "DatabaseUrl")
    secret = WITH_SECRET.resolve({"Ref": "ApplicationSecret"})

    assert (with_token.user, with_token.uses_iam, with_token.tls) == ("functions", True, "verified")
    assert with_token.database == output(PROXIED, "DatabaseName")
    assert url.endswith(f"/customers?secret={secret}")
    assert "@" not in url
    for name in ("DatabaseUrl", "DatabaseUserArn"):
        assert PROD.document["Outputs"][name]["Condition"] in {"HasProxy", "HasIamLogin"}


def test_functions_may_log_in_as_the_user_in_their_address() -> None:
    arn = output(PROXIED, "DatabaseUserArn")

    assert arn == f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:prx-1/functions"
    assert allowed(PROXIED)["rds-db:connect"].endswith("/functions")


def output(template: Template, name: str) -> str:
    """Return an output. AWS chooses the proxy's endpoint and id."""
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:db-proxy:prx-1"
    attributes = {"${Proxy.Endpoint}": "p.proxy-1.rds.amazonaws.com"}
    text = json.dumps(template.document["Outputs"][name]["Value"])
    for variable, value in attributes.items():
        text = text.replace(variable, value)
    text = text.replace(json.dumps({"Fn::GetAtt": ["Proxy", "DBProxyArn"]}), json.dumps(arn))
    return str(template.resolve(json.loads(text)))


def test_outputs_contain_what_other_stacks_need() -> None:
    outputs = PROD.document["Outputs"]

    assert outputs.keys() == {
        "ClusterArn",
        "ClusterIdentifier",
        "DatabaseName",
        "ApplicationSecretArn",
        "MigrationsSecretArn",
        "MasterSecretArn",
        "CursorKeySecretArn",
        "KeyArn",
        "DatabaseUrl",
        "DatabaseUserArn",
    }
