"""The customers API: what each operation answers.

A view reads the request, calls one function and answers. Whatever it raises is answered as
problem details; nothing that a first request does not need is imported before it.
"""

import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

from chalice import Chalice, Response
from chalice.app import Request

from chalicelib import customers, documents, listing, problems
from chalicelib.database import Database, DatabaseError, connect
from chalicelib.problems import Problem
from chalicelib.settings import ApiSettings, Settings, SettingsError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
MAX_BODY_BYTES = 65_536
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

app = Chalice(app_name="customers")
app.log.setLevel(logging.INFO)  # Chalice logs errors only

View = TypeVar("View", bound=Callable[..., Response])


@cache
def database() -> Database:
    return connect(Settings.from_environ(os.environ))


def operation(path: str, *methods: str) -> Callable[[View], View]:
    """Route the methods of a path to a view, and answer what the view raises as a problem.

    The view gets the parameters of the path and, as its schema reads them, of the query.
    """

    def register(view: View) -> View:
        @wraps(view)
        def answered(**path_parameters: str) -> Response:
            try:
                return view(**path_parameters, **query_of(view.__name__))
            except Exception as error:  # noqa: BLE001
                return problem_answer(as_problem(error))

        # no content types: a view says itself which it takes, and Chalice would check a GET's too
        app.route(path, methods=list(methods), content_types=[])(answered)
        return view

    return register


@operation("/customers", "GET", "HEAD")
def get_customers(**query: Any) -> Response:
    """List customers: filtered, ordered, a page at a time."""
    page = listing.page(database(), listing.Query(**query), cursor_key())
    if page.cursor is None:
        return answer({"items": page.items, "next": None, "has_more": False})
    own_query = dict(request().query_params or {}) | {"cursor": page.cursor}
    following = f"{own_path()}?{urlencode(own_query, safe=',:@')}"
    return answer(
        {"items": page.items, "next": following, "has_more": True},
        headers={"Link": f'<{following}>; rel="next"'},
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

    edit = partial(schemas.load_patch, document(MERGE_PATCH, JSON))
    return answer(customers.change(database(), known_id(customer_id), edit))


@operation("/customers/{customer_id}", "DELETE")
def delete_customer(customer_id: str) -> Response:
    """Delete a customer."""
    customers.delete(database(), known_id(customer_id))
    return Response("", status_code=204)


@operation("/health", "GET", "HEAD")
def get_health(*, deep: bool = False) -> Response:
    """Tell that the service answers and, with `deep=true`, that its database does."""
    if deep:
        database().ping()
    return answer({"status": "ok"})


def cursor_key() -> bytes:
    return ApiSettings.from_environ(os.environ).cursor_key


def request() -> Request:
    return cast("Request", app.current_request)


def query_of(view: str) -> dict[str, Any]:
    """Return the query's parameters as the schema of the view reads them."""
    query = request().to_original_event()["multiValueQueryStringParameters"]
    if not query:
        return {}
    from chalicelib import schemas

    return schemas.load_query(view, {name: values or [""] for name, values in query.items()})


def document(*media_types: str) -> object:
    """Return the JSON document in the body, which must be of one of the media types."""
    media_type = request().headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in media_types:
        raise problems.UnsupportedMediaType(
            f"Send the body as {' or '.join(media_types)}.",
            headers={f"Accept-{request().method.title()}": ", ".join(media_types)},
        )
    try:
        raw = cast("bytes", request().raw_body)
    except ValueError:  # the gateway's own encoding of it
        raise problems.MalformedJSON("The body can't be decoded.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise problems.ContentTooLarge(f"Send at most {MAX_BODY_BYTES} bytes.")
    return documents.parse(raw)


def known_id(text: str) -> UUID:
    """Return the id; text that is none is an id that no customer has."""
    if not UUID_TEXT.fullmatch(text):
        raise problems.CustomerNotFound("A customer's id is a UUID; this is not.")
    return UUID(text)


def own_path() -> str:
    """Return the path that the client asked for, stage and all."""
    path: str = request().context.get("path", "/")
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
    text = text.encode(errors="replace").decode()  # a path or a name may hold half a pair
    return Response(text, {"Content-Type": media_type, **(headers or {})}, status)


def problem_answer(problem: Problem) -> Response:
    fallback = getattr(request().lambda_context, "aws_request_id", "unknown")
    request_id = request().context.get("requestId", fallback)
    body = problems.body(problem, own_path(), request_id)
    return answer(body, problem.status, problem.headers, "application/problem+json")


def as_problem(error: Exception) -> Problem:
    """Return what the client is told of an error; the log is told where it came from.

    The text of an error that is not ours stays out of both: it may hold personal data.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, DatabaseError) and error.retry_after:
        app.log.warning("%s: %s", type(error).__name__, error)
        return problems.ServiceUnavailable(
            "The database can't answer at the moment. Try again.", error.retry_after
        )
    reason = error if isinstance(error, DatabaseError | SettingsError) else ""
    where = "".join(traceback.format_tb(error.__traceback__))
    app.log.error("%s: %s\n%s", type(error).__name__, reason, where)
    return problems.InternalError("This is our fault. Tell us the request_id if it goes on.")


def refuse_other_methods() -> None:
    """Answer 405 with `Allow` to every method that a path does not have.

    API Gateway answers 403 to a method that is not declared.
    """
    for path, views in app.routes.items():
        others = sorted(METHODS - views.keys())
        app.route(path, methods=others, content_types=[])(refusal(", ".join(sorted(views))))


def refusal(allowed: str) -> Callable[..., Response]:
    def refuse_method(**_: str) -> Response:
        problem = problems.MethodNotAllowed(f"Use {allowed}.", headers={"Allow": allowed})
        return problem_answer(problem)

    return refuse_method


refuse_other_methods()
