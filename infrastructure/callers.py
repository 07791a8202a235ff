"""Admit callers to a stage that limits each caller, and block them.

Each caller has an API key, which the usage plan throttles. The client never sees its key: the
authorizer derives the key from the subject of the token. So callers can't share or steal keys, and
a caller can't evade its limit with several tokens.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from typing import Any

from botocore.exceptions import ClientError

from chalicelib.tokens.authorizer import usage_key
from infrastructure.failures import Failure, code_of
from infrastructure.run import Run

NAME_LENGTH = 16  # characters of the key's value in its name


def admit(run: Run) -> None:
    """Let a caller call the API, within its limit.

    Can precede the deployment that requires it. Raises Failure if the stage is not a stack of
    `deploy`, ClientError.
    """
    client, plan = run.session.client("apigateway"), run.outputs("api")["UsagePlanId"]
    if key := _find(run, client):
        _enable(client, key, is_enabled=True)
    else:
        key = _create(run, client)
    try:
        client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    except ClientError as error:
        if code_of(error) != "ConflictException":  # the plan already has the key
            raise
    run.say(f"admitted; the access log names this caller as {key}")
    if run.stage.limit_by != "caller":
        run.say(
            f'This has no effect until {run.stage.name} is deployed with limit_by="caller"'
            " (infrastructure/stages.py), because so far every caller may call."
        )


def block(run: Run) -> None:
    """Let API Gateway reject a caller's requests. Raises Failure, ClientError."""
    client = run.session.client("apigateway")
    key = _find(run, client)
    if not key:
        raise Failure(
            f"{run.stage.name} has not admitted this caller. Check the subject: it is the claim"
            " `sub` of the caller's token."
        )
    _enable(client, key, is_enabled=False)
    run.say(f"blocked; `admit --stage {run.stage.name}` admits the caller again")


def _name(run: Run) -> str:
    return f"customers-{run.stage.name}-{usage_key(run.stage.name, run.caller)[:NAME_LENGTH]}"


def _find(run: Run, client: Any) -> str | None:
    """Return the id of the caller's key."""
    name = _name(run)
    pages = client.get_paginator("get_api_keys").paginate(nameQuery=name)
    return next((str(key["id"]) for page in pages for key in page["items"]), None)


def _create(run: Run, client: Any) -> str:
    created = client.create_api_key(
        name=_name(run),
        description=run.caller,
        value=usage_key(run.stage.name, run.caller),
        enabled=True,
        tags={"project": "customers", "stage": run.stage.name},
    )
    return str(created["id"])


def _enable(client: Any, key: str, *, is_enabled: bool) -> None:
    patch = [{"op": "replace", "path": "/enabled", "value": str(is_enabled).lower()}]
    client.update_api_key(apiKey=key, patchOperations=patch)
