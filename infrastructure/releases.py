"""Releases of a stage whose API is a stack: uploads, and the live versions.

A rollback moves each function's alias `live` to the previous version. This takes one call per
function and a few seconds, and works even if CloudFormation or the bucket is down. Redeploying the
previous template would instead shift traffic by canary, for minutes in which clients meet the
fault. The drawback: the stack does not notice the rollback, so each deployment ends with
`catch_up`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.deadlines import in_time
from infrastructure.changes import Template
from infrastructure.failures import Failure, code_of
from infrastructure.stacks import Stack

ALIAS = "live"
BEFORE = "before: "
UPLOAD_SECONDS = 600

Say = Callable[[str], None]


def upload(s3: Any, bucket: str, package: Path, say: Say) -> Template:
    """Upload a package, named by its content, and return the URL of its template.

    Existing objects are not replaced. Raises Failure, ClientError.
    """
    archives = {path.name: path.read_bytes() for path in sorted(package.glob("*.zip"))}
    addresses = {
        name: f"s3://{bucket}/{_put(s3, bucket, content, '.zip', say)}"
        for name, content in archives.items()
    }
    template = json.dumps(with_urls(json.loads((package / "sam.json").read_text()), addresses))
    key = _put(s3, bucket, template.encode(), ".json", say)
    return Template(url=f"{s3.meta.endpoint_url}/{bucket}/{key}")


def release(package: Path, values: Mapping[str, str]) -> str:
    """Return the name of a release. It changes with the package and with every parameter.

    A version includes its function's settings, so changed parameters need a new version, too.
    """
    parameters = json.loads((package / "sam.json").read_text())["Parameters"]
    parts = [parameters["Release"]["Default"], json.dumps(dict(sorted(values.items())))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def with_urls(template: Any, addresses: Mapping[str, str]) -> Any:
    """Return the template with the archives' names replaced by their URLs."""
    if isinstance(template, dict):
        return {key: with_urls(value, addresses) for key, value in template.items()}
    if isinstance(template, list):
        return [with_urls(value, addresses) for value in template]
    name = template.removeprefix("./") if isinstance(template, str) else ""
    return addresses.get(name, template)


def roll_back(client: Any, stack: Stack, functions: Iterable[str], say: Say) -> None:
    """Move `live` of each function to the previous version.

    Each release publishes one per function.

    Raises Failure, before any alias is moved, if a function has no previous version.
    """
    if stack.status == "UPDATE_IN_PROGRESS":
        raise Failure(
            f"A deployment of {stack.name} is in progress. Cancel it to restore the old version:"
            f" `aws cloudformation cancel-update-stack --stack-name {stack.name}`."
        )
    targets = {function: _version_before(client, function) for function in functions}
    for function, version in targets.items():
        point(client, function, version, say)


def catch_up(client: Any, stack: Stack, say: Say) -> None:
    """Move each alias to the version that the stack published last. A rollback may have left it.

    Otherwise a repeated deployment of the rolled-back code would find nothing to change.
    """
    for kind, _, arn in stack.resources():
        if kind == "AWS::Lambda::Version":
            function, version = arn.split(":")[-2:]
            if live_version(client, function) != version:
                point(client, function, version, say)


def remember(client: Any, previous: Mapping[str, str]) -> None:
    """Store the live version at each function's alias before a deployment, for `roll_back`.

    The next lower version may be one that a canary rejected.
    """
    for function, version in previous.items():
        if version != live_version(client, function):
            client.update_alias(FunctionName=function, Name=ALIAS, Description=f"{BEFORE}{version}")


def live_versions(client: Any, functions: Iterable[str]) -> dict[str, str]:
    """Return the live versions of the functions that were deployed before."""
    versions_by_function = {}
    for function in functions:
        with suppress(Failure):
            versions_by_function[function] = live_version(client, function)
    return versions_by_function


def live_version(client: Any, function: str) -> str:
    """Return the number of the version that `live` names. Raises Failure without an alias."""
    return str(_alias(client, function)["FunctionVersion"])


def _alias(client: Any, function: str) -> dict[str, Any]:
    try:
        return dict(client.get_alias(FunctionName=function, Name=ALIAS))
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
    raise Failure(
        f"{function} has no alias {ALIAS!r}. If `chalice deploy` created this stage, check out"
        " the previous commit, and run `chalice deploy` and `apply`."
    )


def _version_before(client: Any, function: str) -> str:
    alias = _alias(client, function)
    present, noted = int(alias["FunctionVersion"]), alias.get("Description", "")
    older = [str(number) for number in versions(client, function) if number < present]
    if (previous := str(noted).removeprefix(BEFORE)) in older:
        return previous
    if older:
        return older[-1]
    raise Failure(
        f"{function} has no version before {present}: deploy the previous commit instead."
    )


def versions(client: Any, function: str) -> list[int]:
    """Return the function's published versions, oldest first."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    names = [version["Version"] for page in pages for version in page["Versions"]]
    return sorted(int(name) for name in names if name != "$LATEST")


def point(client: Any, function: str, version: str, say: Say) -> None:
    """Route all traffic of `live` to this version."""
    client.update_alias(
        FunctionName=function,
        Name=ALIAS,
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    say(f"{function}: {ALIAS} is version {version}")


def _put(s3: Any, bucket: str, content: bytes, suffix: str, say: Say) -> str:
    key = f"customers/{hashlib.sha256(content).hexdigest()}{suffix}"
    # all stages share the bucket, and must not replace each other's objects
    put = partial(s3.put_object, Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
    try:
        in_time(put, UPLOAD_SECONDS)
    except TimeoutError:
        raise Failure(
            f"The upload of {len(content) / 1e6:.2f} MB to s3://{bucket}/{key} took more than"
            f" {UPLOAD_SECONDS} seconds. Check the network, and run the command again."
        ) from None
    except ClientError as error:
        if code_of(error) != "PreconditionFailed":
            raise
    else:
        say(f"  {len(content) / 1e6:6.2f} MB to s3://{bucket}/{key}")
    return key
