"""Releases of a stage whose API is a stack: what goes to the bucket, and which version is live.

Going back moves the alias `live` of each function to the version before: one call a function, done
in seconds, also when CloudFormation or the bucket is what is broken. A redeployment of the template
before would shift the traffic by canary, for minutes in which clients meet the fault. The price is
that the stack does not know of it: so each deployment ends with `catch_up`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infrastructure.changes import Template
from infrastructure.failures import Failure, code_of
from infrastructure.stacks import Stack

ALIAS = "live"
BEFORE = "before: "

Say = Callable[[str], None]


def upload(s3: Any, bucket: str, package: Path, say: Say) -> Template:
    """Put a package into the bucket, named by content, and return its template's address.

    What is there already stays. Raises Failure, ClientError.
    """
    archives = {path.name: path.read_bytes() for path in sorted(package.glob("*.zip"))}
    addresses = {
        name: f"s3://{bucket}/{_put(s3, bucket, content, '.zip', say)}"
        for name, content in archives.items()
    }
    template = json.dumps(addressed(json.loads((package / "sam.json").read_text()), addresses))
    key = _put(s3, bucket, template.encode(), ".json", say)
    return Template(url=f"{s3.meta.endpoint_url}/{bucket}/{key}")


def release(package: Path, values: Mapping[str, str]) -> str:
    """Return the name of a release: it is another one if the package is, or a parameter.

    A function's settings are its version's, so what only changes a parameter needs a new version.
    """
    parameters = json.loads((package / "sam.json").read_text())["Parameters"]
    parts = [parameters["Release"]["Default"], json.dumps(dict(sorted(values.items())))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def addressed(template: Any, addresses: Mapping[str, str]) -> Any:
    """Return the template with the names of archives, and nothing else, replaced by addresses."""
    if isinstance(template, dict):
        return {key: addressed(value, addresses) for key, value in template.items()}
    if isinstance(template, list):
        return [addressed(value, addresses) for value in template]
    name = template.removeprefix("./") if isinstance(template, str) else ""
    return addresses.get(name, template)


def roll_back(client: Any, stack: Stack, functions: Iterable[str], say: Say) -> None:
    """Point `live` of each function to the version before; a release makes one of each.

    Raises Failure, before anything is moved, where one has no version before.
    """
    if stack.status == "UPDATE_IN_PROGRESS":
        raise Failure(
            f"A deployment of {stack.name} goes on. End it, which puts the version before back:"
            f" `aws cloudformation cancel-update-stack --stack-name {stack.name}`."
        )
    targets = {function: _version_before(client, function) for function in functions}
    for function, version in targets.items():
        point(client, function, version, say)


def catch_up(client: Any, stack: Stack, say: Say) -> None:
    """Point each alias to the version that the stack made last, which a rollback may have left.

    Without this, a deployment of what was rolled back would find nothing to change.
    """
    for kind, _, arn in stack.resources():
        if kind == "AWS::Lambda::Version":
            function, version = arn.split(":")[-2:]
            if live_version(client, function) != version:
                point(client, function, version, say)


def remember(client: Any, before: Mapping[str, str]) -> None:
    """Note at each function's alias which version was live before a deployment, for `roll_back`.

    The number below may be that of a release that a canary refused.
    """
    for function, version in before.items():
        if version != live_version(client, function):
            client.update_alias(FunctionName=function, Name=ALIAS, Description=f"{BEFORE}{version}")


def live_versions(client: Any, functions: Iterable[str]) -> dict[str, str]:
    """Return what is live of the functions that were deployed before."""
    found = {}
    for function in functions:
        with suppress(Failure):
            found[function] = live_version(client, function)
    return found


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
        f"{function} has no alias {ALIAS!r}: is its stage one of `chalice deploy`? Then check out"
        " the commit before, and run `chalice deploy` and `apply`."
    )


def _version_before(client: Any, function: str) -> str:
    alias = _alias(client, function)
    present, noted = int(alias["FunctionVersion"]), alias.get("Description", "")
    older = [str(number) for number in versions(client, function) if number < present]
    if (before := str(noted).removeprefix(BEFORE)) in older:
        return before
    if older:
        return older[-1]
    raise Failure(f"{function} has no version before {present}: deploy the commit before instead.")


def versions(client: Any, function: str) -> list[int]:
    """Return the function's published versions, the oldest first."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    names = [version["Version"] for page in pages for version in page["Versions"]]
    return sorted(int(name) for name in names if name != "$LATEST")


def point(client: Any, function: str, version: str, say: Say) -> None:
    """Send all that comes to `live` to this version."""
    client.update_alias(
        FunctionName=function,
        Name=ALIAS,
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    say(f"{function}: {ALIAS} is version {version}")


def _put(s3: Any, bucket: str, content: bytes, suffix: str, say: Say) -> str:
    key = f"customers/{hashlib.sha256(content).hexdigest()}{suffix}"
    try:
        # all stages share the bucket: what one has put there, no other may replace
        s3.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
    except ClientError as error:
        if code_of(error) != "PreconditionFailed":
            raise
    else:
        say(f"  {len(content) / 1e6:6.2f} MB to s3://{bucket}/{key}")
    return key
