"""How a view becomes a route: who may call it, and what is answered whatever happens."""

import os
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from logging import ERROR, WARNING
from typing import Any, NamedTuple, TypeVar, cast

import chalice.app
from chalice import Chalice, Response
from chalice.app import ChaliceAuthorizer

from chalicelib.database import DatabaseError
from chalicelib.database.retries import Deadline
from chalicelib.http import headers, problems
from chalicelib.http.problems import Problem
from chalicelib.http.requests import Request
from chalicelib.http.responses import JSON, answer, no_content
from chalicelib.observability import logs, telemetry
from chalicelib.settings import ApiSettings, SettingsError

OTHER = "other"  # what telemetry calls all that is no operation: its names are bounded
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

View = TypeVar("View", bound=Callable[..., Response])
Respond = Callable[[Request, Mapping[str, str]], Response]


class Operation(NamedTuple):
    """What a route does; `scope` is what a token must have for it, None where none is needed."""

    name: str
    path: str
    methods: Collection[str]
    scope: str | None
    media_type: str
    view: Callable[..., Response]


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_environ(os.environ)


class Operations:
    """The operations of an app by their names, each registered by a decorator of its view.

    A view gets the request, the parameters of the path and, as its schema reads them, those of
    the query. What it raises is answered as problem details.
    """

    def __init__(self, app: Chalice, authorizer: ChaliceAuthorizer) -> None:
        self.table: dict[str, Operation] = {}
        self._app = app
        self._authorizer = authorizer

    def __call__(
        self, path: str, *methods: str, scope: str | None, media_type: str = JSON
    ) -> Callable[[View], View]:
        """Route the methods of a path to a view, for callers that have the scope."""

        def register(view: View) -> View:
            operation = Operation(view.__name__, path, methods, scope, media_type, view)
            self.table[operation.name] = operation
            respond = partial(_call, operation)
            self._route(operation.name, path, methods, respond, is_public=scope is None)
            return view

        return register

    def answer_other_methods(self) -> None:
        """Answer OPTIONS on every path, and 405 with `Allow` to the methods that it does not have.

        API Gateway answers 403 to a method that is not declared.
        """
        for path, views in list(self._app.routes.items()):
            allowed = sorted({*views, "OPTIONS"})
            self._route(OTHER, path, ["OPTIONS"], _options(allowed), is_public=True)
            others = METHODS.difference(allowed)
            self._route(OTHER, path, others, _refusal(allowed), is_public=True)

    def _route(
        self, name: str, path: str, methods: Collection[str], respond: Respond, *, is_public: bool
    ) -> None:
        def view(**path_parameters: str) -> Response:
            request = Request(cast("chalice.app.Request", self._app.current_request))
            with (
                telemetry.RequestTelemetry(
                    self._app.log, name, request, _caller(request)
                ) as recorded,
                Deadline(request.seconds_left),
            ):
                try:
                    response = respond(request, path_parameters)
                except Exception as error:  # noqa: BLE001
                    problem = self._as_problem(error)
                    recorded.fail(error, problem.type)
                    response = _problem_answer(request, problem)
                recorded.response = _complete(request, response)
            return recorded.response

        self._app.route(
            path,
            methods=list(methods),
            # none: a view says itself which it takes, and Chalice would check a GET's too
            content_types=[],
            authorizer=None if is_public else self._authorizer,
        )(view)

    def _as_problem(self, error: Exception) -> Problem:
        """Convert an exception to a problem, and log unexpected ones.

        Neither contains the message of a third-party error, which may contain personal data.
        """
        if isinstance(error, Problem):
            return error
        if isinstance(error, DatabaseError) and error.retry_after:
            logs.log_error(self._app.log, WARNING, error)
            return problems.ServiceUnavailable(
                "The database is temporarily unavailable. Try again.", error.retry_after
            )
        logs.log_error(self._app.log, ERROR, error)
        return problems.InternalError("If this persists, report the request_id.")


def _call(operation: Operation, request: Request, path: Mapping[str, str]) -> Response:
    if operation.scope:
        request.require(operation.scope)
    if not headers.accepts(request.header("accept"), operation.media_type):
        raise problems.NotAcceptable(f"Only {operation.media_type} is available. Add it to Accept.")
    return operation.view(request, **path, **_query(operation.name, request))


def _query(operation: str, request: Request) -> dict[str, Any]:
    if not request.query:
        return {}
    from chalicelib.customers import queries

    return queries.load(operation, request.query)


def _problem_answer(request: Request, problem: Problem) -> Response:
    body = problems.body(problem, request.path, request.id)
    return answer(body, problem.status, problem.headers, "application/problem+json")


def _complete(request: Request, response: Response) -> Response:
    """Add the headers that every response has."""
    response.headers = {
        **headers.STANDARD,
        **headers.cors(request.header("origin"), _origins()),
        "Request-Id": request.id,
        **response.headers,
    }
    if request.method == "HEAD":
        response.body = ""
    return response


def _origins() -> Collection[str]:
    try:
        return settings().cors_origins
    except SettingsError:  # the view reports this
        return ()


def _caller(request: Request) -> str | None:
    try:
        return telemetry.pseudonym(request.subject, settings().cursor_key)
    except SettingsError:  # the view reports this
        return None


def _options(allowed: Collection[str]) -> Respond:
    def options(_: Request, __: Mapping[str, str]) -> Response:
        return no_content(204, {"Allow": ", ".join(allowed), **headers.preflight(allowed)})

    return options


def _refusal(allowed: Collection[str]) -> Respond:
    def refuse(_: Request, __: Mapping[str, str]) -> Response:
        names = ", ".join(allowed)
        raise problems.MethodNotAllowed(f"Use {names}.", headers={"Allow": names})

    return refuse
