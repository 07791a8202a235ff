"""Invariants of every response, regardless of the event.

Some events cannot come from API Gateway, and no one else may call the functions
(infrastructure/policies). Such events may fail in any way, as long as nothing leaks and no access
is granted.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import app
from chalicelib.http import headers
from load.fuzz.cases import MARKER, SCHEDULED, TOKEN, Case
from load.fuzz.possible import HEADER_NAME, HEADER_VALUE, is_possible
from load.fuzz.world import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}
INSIDES = re.compile(r'Traceback|File "|\.py\b|site-packages|\b(SELECT|INSERT|UPDATE|DELETE) .*\b')
EXPIRED = 2_000_000_000  # no case contains a time between now and this


def find_violations(case: Case, outcome: Outcome) -> Iterator[str]:
    """Yield each violation. Equal faults yield equal texts."""
    yield from _of_logs(case, outcome)
    if case.function == "authorize":
        yield from _of_policies(case, outcome)
    elif case.function in SCHEDULED:
        yield from _of_schedules(case, outcome)
    else:
        yield from _of_answers(case, outcome)


def _of_logs(case: Case, outcome: Outcome) -> Iterator[str]:
    for line in outcome.logged.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            yield "a logged line is not JSON"
            continue
        record.pop("request_id", None)  # may come from the client
        if is_possible(case) and MARKER in json.dumps(record).lower():
            yield "a logged line contains personal data"


def _of_policies(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.error:
        if is_possible(case):
            yield f"the authorizer raises {type(outcome.error).__name__}"
        return
    response = outcome.response
    statement = response["policyDocument"]["Statement"][0]
    if statement["Effect"] != "Deny" and TOKEN not in case.event["authorizationToken"]:
        yield "the authorizer accepts a token that was not issued"
    if MARKER in json.dumps(response["context"]):
        yield "the authorizer repeats content of a token"


def _of_schedules(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.error and is_possible(case):
        yield f"{case.function} raises {type(outcome.error).__name__}"


def _of_answers(case: Case, outcome: Outcome) -> Iterator[str]:
    response, error = outcome.response, outcome.error
    if not is_possible(case):
        if error is None and response["statusCode"] < 300 and not _is_public(case):
            yield from _of_rights(case)
        return
    if error:
        yield f"the function raises {type(error).__name__}"
        return
    context, status = case.event["requestContext"], response["statusCode"]
    where = f"{context['httpMethod']} {context['resourcePath']} returns {status}"
    described = _described(context["resourcePath"], context["httpMethod"])
    if status >= 500:
        yield f"{where}: {_errors(outcome.logged)}"
    elif str(status) not in described:
        yield f"{where}, which is not documented"
    if status < 400 and not _is_public(case):
        yield from _of_rights(case)
    yield from (f"{where}, {item}" for item in _of_headers(response["headers"]))
    yield from (f"{where}, {item}" for item in _of_body(case, response, described))
    if outcome.logged.count('"message":"request"') != 1:
        yield f"{where}, which is not logged once"


def _of_headers(given: dict[str, Any]) -> Iterator[str]:
    if missing := headers.STANDARD.keys() - given.keys():
        yield f"without {sorted(missing)}"
    for name, value in given.items():
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            yield f"with {name} that HTTP can't carry"


def _of_body(case: Case, response: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    body, status = response["body"], response["statusCode"]
    method = case.event["requestContext"]["httpMethod"]
    if method == "HEAD" or status in {204, 304}:
        if body:
            yield "with a body"
        return
    media_type = response["headers"].get("Content-Type", "")
    if media_type not in described.get(str(status), {PROBLEM}):
        yield f"as {media_type}"
    if "json" not in media_type:
        return
    try:
        document = json.loads(body)
        body.encode()
    except ValueError:
        yield "with a body that is not JSON"
        return
    if status >= 400:
        yield from _of_problem(document, status)


def _of_problem(problem: dict[str, Any], status: int) -> Iterator[str]:
    if problem.keys() - {"errors"} != MEMBERS or problem["status"] != status:
        yield "which is not a complete problem"
    errors = problem.get("errors", [])
    detail = [problem["title"], problem["detail"], *(f"{e['code']} {e['detail']}" for e in errors)]
    if MARKER in " ".join(detail).lower():
        yield "which repeats the client's input"
    if INSIDES.search(" ".join(detail)):
        yield "which reveals internals"


def _of_rights(case: Case) -> Iterator[str]:
    """Yield a violation if the caller lacks the operation's scope, or its token has expired."""
    context = case.event["requestContext"]
    caller = context.get("authorizer") or {}
    scope = _scope(context["resourcePath"], context["httpMethod"])
    if scope not in str(caller.get("scopes", "")).split() or int(caller["expires"]) < EXPIRED:
        yield f"{context['httpMethod']} {context['resourcePath']} is allowed without the scope"


def _errors(logged: str) -> str:
    """Return the location of a logged error."""
    for line in logged.splitlines():
        if '"where"' in line:
            record = json.loads(line)
            return f"{record['error']} at {record['where'][-1]}"
    return "nothing is logged"


def _is_public(case: Case) -> bool:
    try:
        context = case.event["requestContext"]
        return _scope(context["resourcePath"], context["httpMethod"]) is None
    except (KeyError, TypeError):
        return True


@cache
def _scope(route: str, method: str) -> str | None:
    """Return the scope that the operation's route declares."""
    for operation in app.operation.table.values():
        if operation.path == route and method in operation.methods:
            return operation.scope
    return None


@cache
def _described(route: str, method: str) -> dict[str, set[str]]:
    """Return the documented statuses, with their media types."""
    document = json.loads(DOCUMENT.read_text())
    operation = document["paths"][route].get(method.lower())
    if operation is None:
        return {"204": set()} if method == "OPTIONS" else {"405": {PROBLEM}}
    shared = document["components"]["responses"]
    documented = {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
    }
    return {status: set(response.get("content", ())) for status, response in documented.items()}
