"""A restore creates a complete cluster beside the current one, and a switch swaps their names."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from chalicelib.database import Database, DatabaseUnavailable
from infrastructure import commands, databases, restoring
from infrastructure.clusters import REPLACED, RESTORED, Backup, Clusters
from infrastructure.comparing import Facts, find_later_changes
from infrastructure.failures import Failure
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import STAGES
from tests.api import Api
from tests.infrastructure.cloudformation import ACCOUNT, REGION
from tests.infrastructure.rds import Rds

PROD = STAGES["prod"]
HOMES = ["customers-prod-writer-1a", "customers-prod-reader-2b"]
TIME = datetime(2026, 11, 28, 2, 15, tzinfo=UTC)
BACKUP = Backup(time=TIME)
ARN = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:customers-prod"


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.clusters.PAUSE_SECONDS", 0)


@pytest.fixture
def rds() -> Rds:
    rds = Rds()
    rds.add("customers-prod", *HOMES)
    return rds


def clusters(rds: Rds) -> Clusters:
    return Clusters(rds.client, PROD, lambda _: None)


def restore(rds: Rds, backup: Backup = BACKUP) -> dict[str, Any]:
    return clusters(rds).restore(backup, "sg-1", "key-1", HOMES)


def switched(rds: Rds) -> Mapping[str, str]:
    """Return the first name of each cluster, by its present name."""
    return {name: cluster["Origin"] for name, cluster in rds.clusters.items()}


BEFORE = {"customers-prod": "customers-prod", "customers-prod-restored": "customers-prod-restored"}
AFTER = {"customers-prod": "customers-prod-restored", "customers-prod-replaced": "customers-prod"}


# -------------------------------------------------------------------------------------- restore


def test_restored_cluster_has_the_settings_of_the_template(rds: Rds) -> None:
    found = restore(rds)

    request = rds.requests["RestoreDBClusterToPointInTime"]
    assert request["RestoreToTime"] == TIME
    assert (request["DBSubnetGroupName"], request["VpcSecurityGroupIds"]) == (
        "customers-prod",
        ["sg-1"],
    )
    assert request["DBClusterParameterGroupName"] == "customers-prod"
    assert request["DeletionProtection"] is request["EnableIAMDatabaseAuthentication"] is True
    assert request["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 64}
    assert found["HttpEndpointEnabled"]
    assert rds.requests["ModifyDBCluster"]["BackupRetentionPeriod"] == 14
    assert rds.requests["ModifyDBCluster"]["MasterUserSecretKmsKeyId"] == "key-1"
    assert rds.requests["CreateDBInstance"]["AutoMinorVersionUpgrade"] is False
    assert [name for name in rds.instances if name.endswith(RESTORED)] == [
        f"{home}-restored" for home in HOMES
    ]
    assert switched(rds) == BEFORE


def test_logs_are_not_exported_under_a_name_without_log_groups(rds: Rds) -> None:
    assert restore(rds)["EnabledCloudwatchLogsExports"] == []


def test_latest_time_and_snapshot_can_be_restored() -> None:
    rds = Rds()
    rds.add("customers-prod", *HOMES)
    restore(rds, Backup())
    assert rds.requests["RestoreDBClusterToPointInTime"]["UseLatestRestorableTime"]

    lost = Rds()
    restore(lost, Backup(snapshot="final"))
    assert lost.requests["RestoreDBClusterFromSnapshot"]["SnapshotIdentifier"] == "final"


@pytest.mark.parametrize(
    "call", ["RestoreDBClusterToPointInTime", "CreateDBInstance", "ModifyDBCluster"]
)
def test_interrupted_restore_continues(rds: Rds, call: str) -> None:
    rds.interrupts_after = call
    with pytest.raises(KeyboardInterrupt):
        restore(rds)
    rds.interrupts_after = None

    assert restore(rds)["HttpEndpointEnabled"]

    assert rds.calls.count("RestoreDBClusterToPointInTime") == 1
    assert rds.calls.count("CreateDBInstance") == len(HOMES)


def test_other_backup_is_not_mistaken_for_this_one(rds: Rds) -> None:
    restore(rds)
    with pytest.raises(Failure, match=r"already exists, restored from 2026-11-28T02:15:00\+00:00"):
        restore(rds, Backup(time=TIME - timedelta(hours=1)))


@pytest.mark.parametrize("status", ["failed", "inaccessible-encryption-credentials", "stopped"])
def test_broken_cluster_is_reported_at_once(rds: Rds, status: str) -> None:
    restore(rds)
    rds.clusters["customers-prod"]["Status"] = status
    with pytest.raises(Failure, match=f"customers-prod is {status}"):
        clusters(rds).swap(RESTORED, REPLACED, HOMES)
    assert switched(rds) == BEFORE


# --------------------------------------------------------------------------------------- switch


def test_switch_and_back_swap_all_names(rds: Rds) -> None:
    restore(rds)

    clusters(rds).swap(RESTORED, REPLACED, HOMES)

    assert switched(rds) == AFTER
    current, replaced = rds.clusters["customers-prod"], rds.clusters["customers-prod-replaced"]
    assert current["DBClusterArn"] == ARN
    assert current["EnabledCloudwatchLogsExports"] == ["audit", "error", "slowquery"]
    assert replaced["EnabledCloudwatchLogsExports"] == []
    assert {name: item["DBClusterIdentifier"] for name, item in rds.instances.items()} == {
        **dict.fromkeys(HOMES, "customers-prod"),
        **dict.fromkeys([f"{home}-replaced" for home in HOMES], "customers-prod-replaced"),
    }

    clusters(rds).swap(REPLACED, RESTORED, HOMES)

    assert switched(rds) == BEFORE
    assert rds.clusters["customers-prod"]["EnabledCloudwatchLogsExports"]
    assert {name: item["DBClusterIdentifier"] for name, item in rds.instances.items()} == {
        **dict.fromkeys(HOMES, "customers-prod"),
        **dict.fromkeys([f"{home}-restored" for home in HOMES], "customers-prod-restored"),
    }


def test_lost_cluster_is_replaced(rds: Rds) -> None:
    restore(rds)
    del rds.clusters["customers-prod"]
    for home in HOMES:
        del rds.instances[home]

    clusters(rds).swap(RESTORED, REPLACED, HOMES)

    assert switched(rds) == {"customers-prod": "customers-prod-restored"}
    assert set(rds.instances) == set(HOMES)


@pytest.mark.parametrize("count", range(1, 9))
def test_switch_continues_after_an_interruption(
    rds: Rds, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore(rds)
    rds.calls.clear()

    def stop_after(calls: list[str]) -> None:
        if len(calls) == count:
            raise KeyboardInterrupt

    class Calls(list[str]):
        def append(self, name: str) -> None:
            super().append(name)
            stop_after(self)

    monkeypatch.setattr(rds, "calls", Calls())
    try:
        clusters(rds).swap(RESTORED, REPLACED, HOMES)
    except KeyboardInterrupt:
        clusters(rds).swap(RESTORED, REPLACED, HOMES)

    assert switched(rds) == AFTER
    assert set(rds.instances) == {*HOMES, *(f"{home}-replaced" for home in HOMES)}


def test_switch_without_a_restored_cluster_changes_nothing(rds: Rds) -> None:
    with pytest.raises(Failure, match="there is nothing to switch to"):
        clusters(rds).swap(RESTORED, REPLACED, HOMES)
    assert rds.calls == []


def test_switch_keeps_the_cluster_of_an_earlier_restore(rds: Rds) -> None:
    restore(rds)
    rds.add("customers-prod-replaced")
    rds.calls.clear()
    with pytest.raises(Failure, match="still exists from an earlier restore"):
        clusters(rds).swap(RESTORED, REPLACED, HOMES)
    assert rds.calls == []


# -------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("time", ["2026-11-28T02:15:00Z", "2026-11-28T03:15:00+01:00"])
def test_times_have_a_zone(time: str) -> None:
    assert Backup.parse(time, None).time == TIME
    assert Backup.parse("latest", None) == Backup()
    assert Backup.parse(None, "final") == Backup(snapshot="final")


@pytest.mark.parametrize("time", ["2026-11-28T02:15:00", "yesterday", "02:15", ""])
def test_ambiguous_time_is_rejected(time: str) -> None:
    with pytest.raises(Failure, match="is no time with a zone: use for example"):
        Backup.parse(time, None)


# -------------------------------------------------------------------------------------- command


OUTPUTS = {
    "ClusterArn": ARN,
    "MasterSecretArn": "of the stack",
    "KeyArn": "key-1",
    "DatabaseSecurityGroup": "sg-1",
}


@pytest.fixture
def run(rds: Rds, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the context of a command with this RDS, whose users are never created."""
    resources = [("AWS::RDS::DBInstance", "Reader", HOMES[1])]
    resources += [("AWS::RDS::DBInstance", "Writer", HOMES[0]), ("AWS::KMS::Key", "Key", "k")]
    monkeypatch.setattr(Stack, "resources", lambda _: resources)
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS)
    monkeypatch.setattr(databases, "migrate", Mock())
    monkeypatch.setattr(restoring, "_clusters", lambda _: clusters(rds))
    return Run(Mock(), PROD, is_agreed=True, say=Mock(), to="2026-11-28T02:15:00Z")


def said(run: Run) -> str:
    return "\n".join(call.args[0] for call in run.say.call_args_list)  # type: ignore[attr-defined]


def test_users_get_their_passwords_before_anything_is_compared(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup contains passwords of its time."""
    facts = Facts("0007", {"live": 1, "deleted": 0, "erased": 0}, TIME)
    monkeypatch.setattr(restoring, "connect_to", lambda outputs: outputs["ClusterArn"])
    monkeypatch.setattr(Facts, "read", lambda _: facts)
    monkeypatch.setattr(restoring, "find_later_changes", lambda *_: [])

    commands.restore(run)

    ((_, used, _),) = [call.args for call in databases.migrate.call_args_list]  # type: ignore[attr-defined]
    assert used["ClusterArn"] == f"{ARN}-restored"
    assert used["MasterSecretArn"].endswith(":customers-prod-restored")
    assert "Nothing has changed for clients" in said(run)
    assert "restore --stage prod --switch" in said(run)


def test_unreachable_database_does_not_prevent_a_restore(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(arn: str) -> Facts:
        if arn == ARN:
            raise DatabaseUnavailable("gone")
        return Facts("0007", {"live": 1}, TIME)

    monkeypatch.setattr(restoring, "connect_to", lambda outputs: outputs["ClusterArn"])
    monkeypatch.setattr(Facts, "read", read)

    commands.restore(run)

    assert "does not respond (DatabaseUnavailable), so losses are unknown" in said(run)


def test_switch_is_confirmed_with_the_stages_name(run: Run, rds: Rds) -> None:
    restore(rds)
    commands.restore(replace(run, incoming=RESTORED, ask=lambda _: "yes"))
    assert switched(rds) == BEFORE
    assert said(run) == "nothing was changed"


def test_migrate_uses_the_secret_of_the_restored_cluster(run: Run, rds: Rds) -> None:
    restore(rds)
    clusters(rds).swap(RESTORED, REPLACED, HOMES)

    commands.migrate(run)

    used = databases.migrate.call_args.args[1]  # type: ignore[attr-defined]
    assert used == OUTPUTS | {
        "MasterSecretArn": "arn:aws:secretsmanager:::secret:customers-prod-restored"
    }


# --------------------------------------------------------------------------------------- losses


def test_facts_count_customers_and_find_the_newest_change(api: Api, database: Database) -> None:
    assert str(Facts.read(database)).startswith("customers: 0 live, 0 deleted, 0 erased; newest")
    ids = [_create(api, f"restore.{number}@example.com") for number in range(3)]
    api.delete(f"/customers/{ids[0]}")
    api.post(f"/customers/{ids[1]}/erase")

    facts = Facts.read(database)

    assert facts.customers == {"live": 1, "deleted": 1, "erased": 1}
    assert facts.newest
    assert facts.migration.startswith("0010")


def test_later_changes_and_erasures_are_found(api: Api, database: Database) -> None:
    """A restore brings erased customers back, so they must be erased again."""
    first, second = (_create(api, f"later.{number}@example.com") for number in range(2))
    since = Facts.read(database).newest
    assert find_later_changes(database, since) == []

    api.post(f"/customers/{first}/erase")

    assert [str(each) for each in find_later_changes(database, since, "erased")] == [first]
    assert {str(each) for each in find_later_changes(database, None)} == {first, second}


def _create(api: Api, email: str) -> str:
    made = api.post("/customers", {"email": email, "given_name": "Ada"})
    return str(made.json_body["id"])
