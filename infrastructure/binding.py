"""What plain `chalice deploy --stage S` has to know of a stage's stacks, written where it reads it.

Into .chalice/config.json go addresses, and the key that signs cursors; into policy files the exact
ARNs that a function may use. What else is in config.json stays, and stays where it is.
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

from infrastructure.failures import Failure, code_of
from infrastructure.policies import documents
from infrastructure.stages import RUNTIME, Stage, read_config

WIDTH = 100
SHORTEST_KEY = 64
LAYERS = ("tracing", "authorizer")
# Only of config.json as it is committed; what `bind` adds is a working copy's own.
BOUND_VARIABLES = frozenset(
    {"CURSOR_KEY", "DATABASE_NAME", "DATABASE_RESOURCE_ARN", "DATABASE_SECRET_ARN"}
)

Say = Callable[[str], None]


def write_bound(
    path: Path, stage: Stage, outputs: Mapping[str, str], key: str, layers: Mapping[str, str]
) -> None:
    """Write a stage's own into config.json at `path`, and its policies beside it.

    `outputs` are the database stack's, `key` signs cursors, `layers` are ARNs of LAYERS' versions.
    Raises Failure, before anything is written, where config.json is wrong.
    """
    config = read_config(path)
    for function, policy in documents(stage, outputs).items():
        write(path.with_name(policy_file(stage, function)), policy)
    write(path, bound(config, stage, outputs, key, layers))


def bound(
    config: Mapping[str, Any],
    stage: Stage,
    outputs: Mapping[str, str],
    key: str,
    layers: Mapping[str, str],
) -> dict[str, Any]:
    """Return the configuration with a stage's own; `layers` are ARNs of versions."""
    database = {
        "DATABASE_RESOURCE_ARN": outputs["ClusterArn"],
        "DATABASE_SECRET_ARN": outputs["ApplicationSecretArn"],
        "DATABASE_NAME": outputs["DatabaseName"],
    }
    added: dict[str, dict[str, Any]] = {
        "api_handler": {"environment_variables": {**database, "CURSOR_KEY": key}},
        "authorize": {"layers": [layers["tracing"], layers["authorizer"]]},
        "purge_customers": {"environment_variables": database},
    }
    for function, members in added.items():
        members["iam_policy_file"] = policy_file(stage, function)
    own = {"layers": [layers["tracing"]], "lambda_functions": added}
    return _merged(config, {"stages": {stage.name: own}})


def policy_file(stage: Stage, function: str) -> str:
    """Return the name of the file with a function's policy, in .chalice."""
    return f"policy-{stage.lambda_name(function).removeprefix('customers-')}.json"


def cursor_key(secrets: Any, arn: str) -> str:
    """Return the key that signs cursors. Raises Failure where it is too short, ClientError."""
    key = str(secrets.get_secret_value(SecretId=arn)["SecretString"])
    if len(key) < SHORTEST_KEY:
        raise Failure(
            f"The secret {arn} has less than {SHORTEST_KEY} characters:"
            " store the output of `openssl rand -hex 32` there."
        )
    return key


def publish_layer(client: Any, name: str, package: Path, say: Say) -> str:
    """Return the ARN of the layer's version with this content, which is published if need be."""
    content = package.read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    newest = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
    for version in newest:
        published = client.get_layer_version(LayerName=name, VersionNumber=version["Version"])
        if published["Content"]["CodeSha256"] == digest:
            return str(version["LayerVersionArn"])
    try:
        answer = client.publish_layer_version(
            LayerName=name, Content={"ZipFile": content}, CompatibleRuntimes=[RUNTIME]
        )
    except ClientError as error:
        if code_of(error) != "CodeStorageExceededException":
            raise
        raise Failure(
            "The account's storage for Lambda code is full: delete old versions of layers."
        ) from None
    say(f"layer {name}: version {answer['Version']}")
    return str(answer["LayerVersionArn"])


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file by the document, whole or not at all, readable by its owner alone."""
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
    """Return JSON as people write it: what has no parts of its own, and fits, is on one line."""
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


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; where both have an object, its members are merged, else the new one counts."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        is_both = isinstance(before, dict) and isinstance(value, dict)
        merged[key] = _merged(before, value) if is_both else value  # type: ignore[arg-type]
    return merged
