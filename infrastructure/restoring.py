"""`restore`: a database from a backup, compared with the current one, and the switch between them.

docs/restoring.md describes the procedure for the operator.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.database import DatabaseError
from infrastructure import databases
from infrastructure.clusters import REPLACED, RESTORED, Backup, Clusters, master_secret
from infrastructure.comparing import MAX_LISTED, Facts, connect_to, find_later_changes
from infrastructure.run import Run

ASIDE: Mapping[str, str] = {RESTORED: REPLACED, REPLACED: RESTORED}
"""The suffix that the current cluster gets, by that of the cluster that takes its place."""


def restore(run: Run, backup: Backup) -> None:
    """Restore a backup beside the current database, and say how they differ.

    Clients notice nothing. Raises Failure, DatabaseError, ClientError.
    """
    of_stack = run.outputs("database")
    group = run.outputs("network")["DatabaseSecurityGroup"]
    cluster = _clusters(run).restore(backup, group, of_stack["KeyArn"], _instances(run))
    restored = {
        **of_stack,
        "ClusterArn": str(cluster["DBClusterArn"]),
        "MasterSecretArn": str(master_secret(cluster)),
    }
    databases.migrate(run.session, restored, run.say)
    _compare(run, restored, of_stack)
    run.say(
        "Nothing has changed for clients. To use the restored database, run `python -m"
        f" infrastructure restore --stage {run.stage.name} --switch`."
    )


def switch(run: Run, incoming: str) -> None:
    """Make the restored or the replaced database the current one, if the operator confirms.

    Raises Failure, DatabaseError, ClientError.
    """
    warning = f"This makes the {incoming} database of {run.stage.name} the current one."
    if not run.confirm_by_name(warning):
        run.say("nothing was changed")
        return
    _clusters(run).swap(incoming, ASIDE[incoming], _instances(run))
    databases.migrate(run.session, outputs(run), run.say)
    run.say(f"now current: {Facts.read(connect_to(outputs(run)))}")


def outputs(run: Run) -> dict[str, str]:
    """Return the outputs of the database's stack, with the present secret of the master user.

    A restored cluster has another one than the cluster that the stack created.
    """
    secret = master_secret(_clusters(run).find())
    return {**run.outputs("database"), **({"MasterSecretArn": secret} if secret else {})}


def _compare(run: Run, restored: Mapping[str, str], current: Mapping[str, str]) -> None:
    """Print what both databases contain, and what the restored one lacks."""
    facts = Facts.read(connect_to(restored))
    run.say(f"restored: {facts}")
    try:
        database = connect_to(current)
        run.say(f"current:  {Facts.read(database)}")
        changed = find_later_changes(database, facts.newest)
        erased = find_later_changes(database, facts.newest, "erased")
    except DatabaseError as error:
        run.say(f"current:  does not respond ({type(error).__name__}), so losses are unknown")
        return
    run.say(f"customers with later changes: {_listed(changed)}")
    run.say(f"erased since, so erase them again after the switch: {_listed(erased)}")


def _listed(ids: Sequence[object]) -> str:
    more = " and possibly more: docs/restoring.md, Losses" if len(ids) == MAX_LISTED else ""
    return (", ".join(map(str, ids)) or "none") + more


def _clusters(run: Run) -> Clusters:
    return Clusters(run.session.client("rds"), run.stage, run.say)


def _instances(run: Run) -> list[str]:
    """Return the names of the stage's instances, which the stack chose: the writer's is first."""
    resources: list[tuple[Any, str, str]] = run.stack("database").resources()
    named = {logical: name for kind, logical, name in resources if kind == "AWS::RDS::DBInstance"}
    return [named[logical] for logical in ("Writer", "Reader") if logical in named]
