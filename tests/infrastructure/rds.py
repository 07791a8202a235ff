"""RDS in memory, for the calls of a restore.

botocore validates each request against AWS's model, and this module validates each response. A
cluster or an instance is busy after each change until its first description, and then available.
"""

import re
from typing import Any
from unittest.mock import Mock

import boto3
from botocore.validate import validate_parameters

from tests.infrastructure.cloudformation import ACCOUNT, REGION

Item = dict[str, Any]
BUSY = "modifying"


class Rds:
    """The clusters and instances by name, and the names of the calls that changed something."""

    def __init__(self) -> None:
        self.clusters: dict[str, Item] = {}
        self.instances: dict[str, Item] = {}
        self.calls: list[str] = []
        self.requests: dict[str, Item] = {}
        self.interrupts_after: str | None = None
        self.client = boto3.client(
            "rds", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.attach(self.client.meta.events)

    def attach(self, events: Any) -> None:
        """Respond to the calls of a client, or of the clients that a session will create."""
        events.register("provide-client-params.rds", self._remember)
        events.register("before-call.rds", self._respond)

    def detach(self, events: Any) -> None:
        """Leave the calls of clients that a session will create to others again."""
        events.unregister("provide-client-params.rds", self._remember)
        events.unregister("before-call.rds", self._respond)

    def add(self, name: str, *instances: str, **more: Any) -> None:
        """Add an available cluster with the settings of the template."""
        self.clusters[name] = _cluster(name) | more
        for instance in instances:
            self.instances[instance] = _instance(instance, name) | {"DBInstanceStatus": "available"}
        self.clusters[name] |= {"Status": more.get("Status", "available")}

    def _remember(self, params: Item, **_: object) -> None:
        self._params = params

    def _respond(self, model: Any, **_: object) -> tuple[Any, Item]:
        name = "_" + re.sub("(?<=[a-z])(?=[A-Z])|(?<=DB)(?=[CI])", "_", model.name).lower()
        try:
            response = getattr(self, name)(**self._params)
        except KeyError as error:
            return _failure(str(error.args[0]))
        if not name.startswith("_describe"):
            self.calls.append(model.name)
            self.requests[model.name] = self._params
            if self.interrupts_after == model.name:
                raise KeyboardInterrupt
        shown = {
            key: [_public(each) for each in value] if isinstance(value, list) else _public(value)
            for key, value in response.items()
        }
        if model.output_shape:
            validate_parameters(shown, model.output_shape)
        return Mock(status_code=200), shown

    def _describe_db_clusters(self, DBClusterIdentifier: str) -> Item:  # noqa: N803
        if DBClusterIdentifier not in self.clusters:
            raise KeyError("DBClusterNotFoundFault")
        return {"DBClusters": [_looked_at(self.clusters[DBClusterIdentifier], "Status")]}

    def _describe_db_instances(self, DBInstanceIdentifier: str) -> Item:  # noqa: N803
        if DBInstanceIdentifier not in self.instances:
            raise KeyError("DBInstanceNotFound")
        found = self.instances[DBInstanceIdentifier]
        return {"DBInstances": [_looked_at(found, "DBInstanceStatus")]}

    def _restore_db_cluster_to_point_in_time(self, **params: Any) -> Item:
        if params["SourceDBClusterIdentifier"] not in self.clusters:
            raise KeyError("DBClusterNotFoundFault")
        return self._add_restored(params)

    def _restore_db_cluster_from_snapshot(self, **params: Any) -> Item:
        return self._add_restored(params)

    def _add_restored(self, params: Item) -> Item:
        name = params["DBClusterIdentifier"]
        made = _cluster(name) | {"HttpEndpointEnabled": False, "EnabledCloudwatchLogsExports": []}
        del made["MasterUserSecret"]
        self.clusters[name] = made | {"TagList": params["Tags"], "Status": BUSY}
        return {"DBCluster": self.clusters[name]}

    def _create_db_instance(self, **params: Any) -> Item:
        name, cluster = params["DBInstanceIdentifier"], params["DBClusterIdentifier"]
        assert self.clusters[cluster]["Status"] == "available"
        self.instances[name] = _instance(name, cluster)
        return {"DBInstance": self.instances[name]}

    def _modify_db_cluster(self, **params: Any) -> Item:
        name = params["DBClusterIdentifier"]
        found = self.clusters[name]
        assert found["Status"] == "available", found
        found |= {"Status": BUSY}
        if params.get("ManageMasterUserPassword"):
            found["MasterUserSecret"] = self._manage_password(found)
        for kind, types in params.get("CloudwatchLogsExportConfiguration", {}).items():
            before = set(found["EnabledCloudwatchLogsExports"])
            after = before | set(types) if kind == "EnableLogTypes" else before - set(types)
            found["EnabledCloudwatchLogsExports"] = sorted(after)
        if new := params.get("NewDBClusterIdentifier"):
            if new in self.clusters:
                raise KeyError("DBClusterAlreadyExistsFault")
            self.clusters[new] = self.clusters.pop(name) | _names(new)
            for instance in self.instances.values():
                if instance["DBClusterIdentifier"] == name:
                    instance["DBClusterIdentifier"] = new
        return {"DBCluster": found}

    def _modify_db_instance(self, **params: Any) -> Item:
        old, new = params["DBInstanceIdentifier"], params["NewDBInstanceIdentifier"]
        if new in self.instances:
            raise KeyError("DBInstanceAlreadyExists")
        self.instances[new] = self.instances.pop(old)
        self.instances[new] |= {"DBInstanceIdentifier": new, "DBInstanceStatus": BUSY}
        return {"DBInstance": self.instances[new]}

    def _manage_password(self, cluster: Item) -> Item:
        return _secret(cluster["DBClusterIdentifier"])

    def _enable_http_endpoint(self, ResourceArn: str) -> Item:  # noqa: N803
        (found,) = [each for each in self.clusters.values() if each["DBClusterArn"] == ResourceArn]
        found["HttpEndpointEnabled"] = True
        return {"ResourceArn": ResourceArn, "HttpEndpointEnabled": True}


def _names(name: str) -> Item:
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:{name}"
    return {"DBClusterIdentifier": name, "DBClusterArn": arn}


def _cluster(name: str) -> Item:
    return _names(name) | {
        "EnabledCloudwatchLogsExports": ["audit", "error", "slowquery"],
        "HttpEndpointEnabled": True,
        "MasterUserSecret": _secret(name),
        "Origin": name,  # not AWS's: the name that the cluster had first
    }


def _secret(name: str) -> Item:
    return {"SecretArn": f"arn:aws:secretsmanager:::secret:{name}", "SecretStatus": "active"}


def _instance(name: str, cluster: str) -> Item:
    named = {"DBInstanceIdentifier": name, "DBClusterIdentifier": cluster}
    return named | {"DBInstanceStatus": BUSY}


def _looked_at(item: Item, status: str) -> Item:
    """Return the item, which becomes available when it has been looked at."""
    seen = dict(item)
    if item[status] == BUSY:
        item[status] = "available"
    return seen


def _public(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if key != "Origin"}


def _failure(code: str) -> tuple[Any, Item]:
    return Mock(status_code=404), {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }
