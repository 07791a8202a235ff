"""Register views as routes, with everything that all operations share.

For each request this module checks the token's scope and the Accept header, validates the query
string, limits the time for SQL statements, converts exceptions to problem details, adds the
standard response headers, and records telemetry. It also answers OPTIONS, and 405 for unsupported
methods.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from logging import ERROR, WARNING
from typing import Any, NamedTuple, TypeVar, cast

import chalice.app
from chalice import Chalice, Response
from chalice.app import ChaliceAuthorizer

from chalicelib.database import DatabaseError
from chalicelib.deadlines import Deadline
from chalicelib.http import headers, problems
from chalicelib.http.problems import Problem
from chalicelib.http.references import resolve
from chalicelib.http.requests import Request
from chalicelib.http.responses import JSON, answer, no_content
from chalicelib.observability import logs, telemetry
from chalicelib.settings import ApiSettings, SettingsError

OTHER = "other"  # the operation of all other requests in telemetry, so that its names are bounded
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

View = TypeVar("View", bound=Callable[..., Response])
Respond = Callable[[Request, Mapping[str, str]], Response]


class DeclarationError(Exception):
    """A mistake in a declaration; the message names the operation or field, and the remedy."""


class Operation(NamedTuple):
    """The declaration of an operation, by the decorator of its view.

    `query` and `documentation` are references, `module:name`, to a marshmallow schema and to an
    `openapi.declarations.Documentation`. Nothing imports these before they are needed: the first
    by a query string about which `rules` is unsure, the second by `make openapi`.
    """

    name: str
    path: str
    methods: Sequence[str]
    scope: str | None
    query: str | None
    consumes: Sequence[str]
    produces: tuple[str, ...]
    can_be_minimal: bool
    share: float
    documentation: str | None
    view: Callable[..., Response]


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_environ(os.environ)


class Operations:
    """The operations of an app by name. Each is registered by a decorator of its view.

    A view receives the request, the path parameters, and the query parameters as the operation's
    schema loads them. Exceptions of a view become problem details.
    """

    def __init__(
        self, app: Chalice, authorizer: ChaliceAuthorizer, scopes: Mapping[str, str]
    ) -> None:
        """Create an empty table; `scopes` has every scope, and what a token with it may do."""
        self.scopes = scopes
        self.table: dict[str, Operation] = {}
        self._app = app
        self._authorizer = authorizer

    def __call__(  # noqa: PLR0913 (a declaration)
        self,
        path: str,
        *methods: str,
        scope: str | None,
        query: str | None = None,
        consumes: Sequence[str] = (),
        produces: Sequence[str] = (JSON,),
        can_be_minimal: bool = False,
        share: float = 1,
        documentation: str | None = None,
    ) -> Callable[[View], View]:
        """Declare an operation: route the methods of a path to a view.

        scope: the scope that the token must have; None if the operation needs no token.
        query: reference to the schema of the query parameters; None without query parameters.
        consumes: media types of the request body; empty without a request body.
        produces: media types of the successful response; empty if it has no body.
        can_be_minimal: whether `Prefer: return=minimal` leaves out the body.
        share: the part of the stage's rate limit that the operation may use, above 0, at most 1.
        documentation: reference to the documentation of responses and problems. Summary and
        description are the view's docstring.

        Raises DeclarationError for a scope that is not declared, a share out of range, and an
        operation whose name, or path and method, another one has.
        """

        def register(view: View) -> View:
            operation = Operation(
                name=view.__name__,
                path=path,
                methods=methods,
                scope=scope,
                query=query,
                consumes=consumes,
                produces=tuple(produces),
                can_be_minimal=can_be_minimal,
                share=share,
                documentation=documentation,
                view=view,
            )
            self._check(operation)
            self.table[operation.name] = operation
            respond = partial(_call, operation)
            self._route(operation.name, path, methods, respond, is_public=scope is None)
            return view

        return register

    def _check(self, operation: Operation) -> None:
        name, path, methods, scope, *_ = operation
        if name in self.table:
            raise DeclarationError(f"{name}: there are two operations of this name: rename one")
        if scope is not None and scope not in self.scopes:
            raise DeclarationError(
                f"{name}: the scope {scope} is not declared: add it to SCOPES in app.py"
            )
        if not 0 < operation.share <= 1:
            raise DeclarationError(
                f"{name}: share={operation.share}: use a number above 0 and at most 1"
            )
        for method in methods:
            if method in self._app.routes.get(path, ()):
                raise DeclarationError(
                    f"{name}: another operation has {method} {path}: change the path or the method"
                )

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
        def view(**given: str) -> Response:
            request = Request(cast("chalice.app.Request", self._app.current_request), settings)
            with (
                telemetry.RequestTelemetry(
                    self._app.log, name, request, _caller(request)
                ) as recorded,
                Deadline(request.seconds_left),
            ):
                try:
                    response = respond(request, request.path_parameters(given))
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
            return _unavailable(error.retry_after, is_outcome_unknown=error.is_outcome_unknown)
        logs.log_error(self._app.log, ERROR, error)
        return problems.InternalError(
            "The service failed. If this persists, report the request_id."
        )


def _unavailable(retry_after: int, *, is_outcome_unknown: bool) -> Problem:
    detail = "The database is not available. Nothing was changed. Retry."
    if is_outcome_unknown:
        detail = (
            "The database did not confirm the change. It may have been applied, or may still be."
            " Retry with the same Idempotency-Key or If-Match."
        )
    return problems.ServiceUnavailable(detail, retry_after, is_outcome_unknown=is_outcome_unknown)


def _call(operation: Operation, request: Request, path: Mapping[str, str]) -> Response:
    if operation.scope:
        request.require(operation.scope)
    _negotiate(operation, request)
    request.consumes = operation.consumes
    return operation.view(request, **path, **_query(operation, request))


def _negotiate(operation: Operation, request: Request) -> None:
    """Choose the media type of the successful response. Raises NotAcceptable.

    `Accept` can't exclude a response without a body: it is about the content.
    """
    if not operation.produces or (operation.can_be_minimal and request.wants_minimal):
        return
    media_type = headers.preferred(request.header("accept"), operation.produces)
    if media_type is None:
        available = " and ".join(operation.produces)
        raise problems.NotAcceptable(f"Only {available} is available. Add it to Accept.")
    request.media_type = media_type


def _query(operation: Operation, request: Request) -> dict[str, Any]:
    if not request.query:
        return {}
    from chalicelib.http import rules

    try:
        return rules.load_query(operation.query, request.query)
    except rules.Unsure:
        from chalicelib.http import queries

        schema = resolve(operation.query) if operation.query else queries.Query
        return queries.load(schema, request.query)


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
    if (subject := request.subject) is None:
        return None
    try:
        return telemetry.pseudonym(subject, settings().cursor_key)
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
