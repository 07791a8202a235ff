"""CodeDeploy's hook: check a new version of the API before it gets traffic.

The template contains this file unchanged, so it imports only what the Lambda runtime has. It
invokes the version as API Gateway does, with requests that need settings, database, and a caller's
read.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

ATTEMPTS = 6  # a paused database takes 15 seconds to resume
PAUSE_SECONDS = 5.0
NOBODY = "00000000-0000-0000-0000-000000000000"
CHECKS: tuple[tuple[str, Any, Any, int], ...] = (  # route, its parameters, query, expected status
    ("/health", None, {"deep": ["true"]}, 200),
    ("/customers/{customer_id}", {"customer_id": NOBODY}, None, 404),
)

Invoke = Callable[[dict[str, Any]], dict[str, Any]]


def handle(event: dict[str, str], _context: object) -> None:
    """Report to CodeDeploy whether the version named in the environment passes the checks."""
    import boto3

    functions = boto3.client("lambda")

    def invoke(request: dict[str, Any]) -> Any:
        response = functions.invoke(FunctionName=os.environ["VERSION"], Payload=json.dumps(request))
        return json.load(response["Payload"])

    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded" if works(invoke) else "Failed",
    )


def works(invoke: Invoke, pause: float = PAUSE_SECONDS) -> bool:
    """Return whether each check passes, within a few attempts."""
    return all(_passes(invoke, check, pause) for check in CHECKS)


def _passes(invoke: Invoke, check: tuple[str, Any, Any, int], pause: float) -> bool:
    *request, expected = check
    for attempt in range(ATTEMPTS):
        time.sleep(pause if attempt else 0)
        status = _status(invoke, *request)
        print(json.dumps({"message": "check", "route": request[0], "status": status}))  # noqa: T201
        if status == expected:
            return True
    return False


def _status(invoke: Invoke, route: str, parameters: Any, query: Any) -> object:
    try:
        return invoke(_request(route, parameters, query)).get("statusCode")
    except Exception as error:  # noqa: BLE001 (CodeDeploy needs a result in any case)
        return type(error).__name__


def _request(route: str, parameters: Any, query: Any) -> dict[str, Any]:
    """Return the event that API Gateway sends for a GET of the route, with read scope."""
    authorizer = {"principalId": "deployment", "scopes": "customers:read"}
    authorizer["expires"] = str(int(time.time()) + 60)
    path = route.format(**(parameters or {}))
    context = {"httpMethod": "GET", "resourcePath": route, "path": path, "authorizer": authorizer}
    return {
        "requestContext": context | {"requestId": "deployment"},
        "headers": {},
        "multiValueQueryStringParameters": query,
        "pathParameters": parameters,
        "stageVariables": None,
        "body": None,
    }
