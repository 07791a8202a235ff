"""The customers API: what each operation answers.

A view reads the request, calls one function and answers. Whatever it raises is answered as
problem details; nothing that a first request does not need is imported before it.
"""

import json
import os
import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

from chalice import Chalice, Response
from chalice.app import Request

from chalicelib import cursors, customers, documents, problems
from chalicelib.database import Database, DatabaseError, connect
from chalicelib.problems import Problem
from chalicelib.settings import Settings

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
MAX_BODY_BYTES = 65_536

app = Chalice(app_name="customers")

View = TypeVar("View", bound=Callable[..., Response])


@cache
def database() -> Database:
    return connect(Settings.from_environ(os.environ))


def operation(path: str, *methods: str) -> Callable[[View], View]:
    """Route the methods of a path to a view, and answer what the view raises as a problem."""

    def register(view: View) -> View:
        @wraps(view)
        def answered(**path_parameters: str) -> Response:
            try:
                return view(**path_parameters)
            except Exception as error:  # noqa: BLE001
                return problem_answer(as_problem(error))

        # no content types: a view says itself which it takes, and Chalice would check a GET's too
        app.route(path, methods=list(methods), content_types=[])(answered)
        return view

    return register


@operation("/customers", "GET", "HEAD")
def get_customers() -> Response:
    """List customers, newest first."""
    query = parameters("GetCustomers")
    page = customers.page(database(), **query)
    limit = {"limit": query["limit"]} if "limit" in query else {}
    following = (
        page.last and f"{own_path()}?{urlencode(limit | {'cursor': cursors.encode(page.last)})}"
    )
    return answer(
        {"items": page.items, "next": following, "has_more": following is not None},
        headers={"Link": f'<{following}>; rel="next"'} if following else {},
    )


@operation("/customers", "POST")
def create_customer() -> Response:
    """Create a customer."""
    from chalicelib import schemas

    customer = customers.create(database(), schemas.load_customer(document(JSON)))
    return answer(customer, 201, {"Location": f"{own_path()}/{customer['id']}"})


@operation("/customers/{customer_id}", "GET", "HEAD")
def get_customer(customer_id: str) -> Response:
    """Read a customer."""
    return answer(customers.get(database(), known_id(customer_id)))


@operation("/customers/{customer_id}", "PATCH")
def patch_customer(customer_id: str) -> Response:
    """Change what a merge patch names, and nothing else."""
    from chalicelib import schemas

    patch = document(MERGE_PATCH, JSON)

    def edit(current: customers.Customer) -> dict[str, Any]:
        return schemas.load_customer(documents.merge_patch(current, patch), current)

    return answer(customers.change(database(), known_id(customer_id), edit))


@operation("/customers/{customer_id}", "DELETE")
def delete_customer(customer_id: str) -> Response:
    """Delete a customer."""
    customers.delete(database(), known_id(customer_id))
    return Response("", status_code=204)


@operation("/health", "GET", "HEAD")
def get_health() -> Response:
    """Tell that the service answers and, with `deep=true`, that its database does."""
    if parameters("GetHealth").get("deep"):
        database().fetch_one("SELECT 1")
    return answer({"status": "ok"})


def request() -> Request:
    return cast("Request", app.current_request)


def parameters(schema: str) -> dict[str, Any]:
    """Return the query's parameters as the schema reads them."""
    query = request().query_params
    if not query:
        return {}
    from chalicelib import schemas

    return schemas.load_parameters(schema, {name: query.getlist(name) for name in query})


def document(*media_types: str) -> object:
    """Return the JSON document in the body, which must be of one of the media types."""
    headers, raw = request().headers, cast("bytes", request().raw_body)
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in media_types:
        raise problems.UnsupportedMediaType(
            f"Send the body as {' or '.join(media_types)}.",
            headers={f"Accept-{request().method.title()}": ", ".join(media_types)},
        )
    if len(raw) > MAX_BODY_BYTES:
        raise problems.ContentTooLarge(f"Send at most {MAX_BODY_BYTES} bytes.")
    return documents.parse(raw)


def known_id(text: str) -> UUID:
    """Return the id; text that is none is an id that no customer has."""
    if not re.fullmatch(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text, re.ASCII | re.IGNORECASE
    ):
        raise problems.CustomerNotFound("A customer's id is a UUID; this is not.")
    return UUID(text)


def own_path() -> str:
    """Return the path that the client asked for, stage and all."""
    path: str = request().context["path"]
    return path.rstrip("/")


def answer(
    body: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if request().method == "HEAD":
        text = ""
    return Response(text, {"Content-Type": media_type, **(headers or {})}, status)


def problem_answer(problem: Problem) -> Response:
    context: Any = request().lambda_context
    request_id = request().context.get("requestId") or context.aws_request_id
    body = problems.body(problem, own_path(), request_id)
    return answer(body, problem.status, problem.headers, "application/problem+json")


def as_problem(error: Exception) -> Problem:
    """Return what the client is told of an error; the log is told where it came from.

    An error's own text stays out of both: it may hold personal data.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, DatabaseError) and error.retry_after:
        app.log.warning("%s: %s", type(error).__name__, error)
        return problems.ServiceUnavailable(
            "The database can't answer at the moment. Try again.",
            headers={"Retry-After": str(error.retry_after)},
        )
    reason = error if isinstance(error, DatabaseError) else ""
    where = "".join(traceback.format_tb(error.__traceback__))
    app.log.error("%s: %s\n%s", type(error).__name__, reason, where)
    return problems.InternalError("This is our fault. Tell us the request_id if it goes on.")


def refuse_other_methods() -> None:
    """Answer 405 with `Allow` to every method that a path does not have.

    API Gateway answers 403 to a method that is not declared.
    """
    for path, views in app.routes.items():
        allowed = ", ".join(sorted(views))

        def refuse(allowed: str = allowed, **_: str) -> Response:
            raise problems.MethodNotAllowed(f"Use {allowed}.", headers={"Allow": allowed})

        operation(path, *({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - views.keys()))(refuse)


refuse_other_methods()
