"""Write the outputs of a stage's stacks into the files that `chalice deploy` reads.

.chalice/config.json receives the database's ARNs and the key that signs cursors, and keeps its
other keys in their order. The policy files receive the exact ARNs that a function may use.
"""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infrastructure.config import read_config
from infrastructure.failures import Failure, code_of
from infrastructure.policies import documents
from infrastructure.stages import RUNTIME, Stage, policy_file

WIDTH = 100
MIN_KEY_LENGTH = 64
LAYERS = ("tracing", "authorizer")

Say = Callable[[str], None]


def write_bound(
    path: Path, stage: Stage, outputs: Mapping[str, str], key: str, layers: Mapping[str, str]
) -> None:
    """Write a stage's values into config.json at `path`, and its policies into the same folder.

    `outputs` are those of the network's and the database's stack. `key` signs cursors. `layers` has
    the ARN of each layer's version. Raises Failure, before any write, if config.json is invalid.
    """
    config = read_config(path)
    database, network = _database(stage, outputs), _network(stage, outputs)
    events = {"EVENT_BUS": stage.event_bus} if stage.has_events else {}
    added: dict[str, dict[str, Any]] = {
        "api_handler": {"environment_variables": {**database, "CURSOR_KEY": key}, **network},
        "authorize": {"layers": [layers["tracing"], layers["authorizer"]]},
        "purge_customers": {"environment_variables": database, **network},
        "relay_events": {"environment_variables": {**database, **events}, **network},
    }
    for function, properties in added.items():
        properties["iam_policy_file"] = policy_file(stage, function)
    own = {"layers": [layers["tracing"]], "lambda_functions": added}
    for function, policy in documents(stage, outputs).items():
        write(path.with_name(policy_file(stage, function)), policy)
    write(path, merged(config, {"stages": {stage.name: own}}))


def _database(stage: Stage, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the functions' settings of the database, without a password."""
    if stage.has_proxy:
        return {"DATABASE_URL": outputs["DatabaseUrl"]}
    return {
        "DATABASE_RESOURCE_ARN": outputs["ClusterArn"],
        "DATABASE_SECRET_ARN": outputs["ApplicationSecretArn"],
        "DATABASE_NAME": outputs["DatabaseName"],
    }


def _network(stage: Stage, outputs: Mapping[str, str]) -> dict[str, list[str]]:
    """Return Chalice's keys of the network, for the functions that use the database."""
    if not stage.has_proxy:
        return {}
    subnets, group = outputs["PrivateSubnets"], outputs["FunctionSecurityGroup"]
    return {"subnet_ids": subnets.split(","), "security_group_ids": [group]}


def cursor_key(secrets: Any, arn: str) -> str:
    """Return the key that signs cursors. Raises Failure if it is too short, ClientError."""
    key = str(secrets.get_secret_value(SecretId=arn)["SecretString"])
    if len(key) < MIN_KEY_LENGTH:
        raise Failure(
            f"The secret {arn} has fewer than {MIN_KEY_LENGTH} characters:"
            " replace it by the output of `openssl rand -hex 32`."
        )
    return key


def publish_layer(client: Any, name: str, package: Path, say: Say) -> str:
    """Publish this content, unless the newest version has it, and return the version's ARN."""
    content = package.read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    newest = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
    for version in newest:
        published = client.get_layer_version(LayerName=name, VersionNumber=version["Version"])
        if published["Content"]["CodeSha256"] == digest:
            return str(version["LayerVersionArn"])
    try:
        response = client.publish_layer_version(
            LayerName=name, Content={"ZipFile": content}, CompatibleRuntimes=[RUNTIME]
        )
    except ClientError as error:
        if code_of(error) != "CodeStorageExceededException":
            raise
        raise Failure(
            "The account's storage for Lambda code is full: delete old layer versions."
        ) from None
    say(f"layer {name}: version {response['Version']}")
    return str(response["LayerVersionArn"])


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file atomically. Only its owner can read it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(dumps(document) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def dumps(document: Any, indent: str = "") -> str:
    """Return formatted JSON, with flat arrays and objects on one line where they fit."""
    parts = _parts(document)
    flat = json.dumps(document, ensure_ascii=False)
    if not parts or (len(indent + flat) < WIDTH and not any(_parts(part) for part in parts)):
        return flat
    inner = indent + "  "
    if isinstance(document, list):
        lines = [dumps(each, inner) for each in document]
    else:
        lines = [f"{json.dumps(key)}: {dumps(each, inner)}" for key, each in document.items()]
    opening, closing = "[]" if isinstance(document, list) else "{}"
    return f"{opening}\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}{closing}"


def _parts(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return list(document.values())
    return document if isinstance(document, list) else []


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the objects recursively. Other values of `new` replace those of `old`."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        is_both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(before, value) if is_both else value  # type: ignore[arg-type]
    return result
