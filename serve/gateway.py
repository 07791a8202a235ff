"""API Gateway's part of a request: find the route, authorize the caller, call the app.

`Gateway.handle_request` returns the response of the app, or one of the gateway's own responses in
`gateway_responses`. Thread-safe, if `separate_requests` has prepared the app.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs

from chalice import Chalice
from chalice.app import ChaliceAuthorizer
from chalice.local import ARNMatcher, LocalChalice

from chalicelib.http.values import UUID_TEXT
from infrastructure.gateway_responses import render

HEALTH = "/health"
"""The route of liveness checks, which no limit rejects."""
TOKEN_SECONDS = 300
"""How long the result of an authorizer is cached: API Gateway's default."""
AUTHORIZER_SECONDS = 10
MAX_CACHED = 10_000
ARN = "arn:aws:execute-api:us-east-1:000000000000:local/local"
EVERYTHING = f"{ARN}/*/*"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

LOG = logging.getLogger(__name__)

LambdaResponse = dict[str, Any]
"""A handler's response for API Gateway: `statusCode`, `headers`, `body` and so on."""
Headers = Mapping[str, "str | list[str]"]
"""Headers by name. A header that is repeated has a list of its values."""


class Refusal(Exception):
    """The gateway responds itself, with the gateway response of this type."""

    def __init__(self, response_type: str, reason: str = "") -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.reason = reason


class Context:
    """The context of an invocation: the function's `aws_request_id` and its remaining time."""

    def __init__(self, end: float) -> None:
        """Set the end of the invocation, on the clock of `time.monotonic`."""
        self._end = end

    @cached_property
    def aws_request_id(self) -> str:
        return str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> float:
        return (self._end - time.monotonic()) * 1000


class Arrival(NamedTuple):
    """The address of a request's client, and when it came, on the clock of `time.monotonic`."""

    address: str
    start: float


class Permission(NamedTuple):
    """The result of an authorizer for a token, until `expires`."""

    resources: list[str]
    context: Mapping[str, str]
    expires: float


class Authorizers:
    """Calls the authorizers of routes, and caches what they allow, as API Gateway does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cache: dict[tuple[str, str], Permission] = {}

    def cached(self, authorizer: ChaliceAuthorizer, token: str) -> Permission | None:
        permission = self._cache.get((authorizer.name, token))
        return permission if permission and permission.expires > self._clock() else None

    def authorize(self, authorizer: ChaliceAuthorizer, token: str, arn: str) -> Mapping[str, str]:
        """Return the caller's context. Raises Refusal."""
        permission = self.cached(authorizer, token)
        if not permission:
            permission = self._ask(authorizer, token, arn)
            if len(self._cache) >= MAX_CACHED:  # only a client with as many valid tokens gets here
                self._cache.clear()
            self._cache[authorizer.name, token] = permission
        is_allowed = EVERYTHING in permission.resources  # the usual case, without a pattern
        if not (is_allowed or ARNMatcher(arn).does_any_resource_match(permission.resources)):
            raise Refusal("ACCESS_DENIED", str(permission.context.get("reason", "")))
        return permission.context

    def _ask(self, authorizer: ChaliceAuthorizer, token: str, arn: str) -> Permission:
        event = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
        try:
            result = authorizer(event, cast("Any", Context(time.monotonic() + AUTHORIZER_SECONDS)))
        except Exception:
            LOG.exception("the authorizer failed")
            raise Refusal("AUTHORIZER_FAILURE") from None
        if result is None:
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR")
        context = {**result.get("context", {}), "principalId": result["principalId"]}
        resources = _allowed(result["policyDocument"])
        if not resources:
            raise Refusal("ACCESS_DENIED", str(context.get("reason", "")))
        seconds = authorizer.config.ttl_seconds
        seconds = TOKEN_SECONDS if seconds is None else seconds
        return Permission(resources, context, self._clock() + seconds)


class Gateway:
    """Calls the app for each request. An invocation may take `seconds`.

    `allows` decides by the caller's name or address whether it may send another request now.
    """

    def __init__(
        self,
        app_object: Chalice,
        seconds: float,
        allows: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._app = app_object
        self._seconds = seconds
        self._allows = allows
        self._authorizers = Authorizers()
        self._templates = [(r, r.split("/")) for r in sorted(app_object.routes) if "{" in r]
        self._literals = {part for route in app_object.routes for part in route.split("/")}

    def handle_request(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        arrival: Arrival | None = None,
    ) -> LambdaResponse:
        """Return the response of the handler or of the gateway itself.

        `path` may include a query. The invocation's time includes waiting for a thread, because it
        runs from the `arrival`. Default: now, from this machine.
        """
        address, start = arrival or Arrival("127.0.0.1", time.monotonic())
        try:
            event = self._event(method, path, headers, body)
            event["requestContext"]["identity"] = {"sourceIp": address}
            response = self._invoke(event, Context(start + self._seconds))
            check_head(response)
        except Refusal as refusal:
            response = self._refuse(refusal.response_type, path, refusal.reason)
        except Exception:
            LOG.exception("the handler failed")
            response = self._refuse("INTEGRATION_FAILURE", path)
        return response | {"body": "" if method == "HEAD" else response["body"] or ""}

    def _refuse(self, response_type: str, path: str, reason: str = "") -> LambdaResponse:
        return own_response(response_type, path, reason)

    def route(self, target: str) -> str:
        """Return the route of a request's target, or `other`."""
        try:
            return self._match(target.partition("?")[0])[0]
        except Refusal:
            return "other"

    def to_loggable(self, target: str) -> str:
        """Return the path for logs and traces: `*` stands for a part that may be personal data.

        Only parts of routes and UUIDs remain, because a client may send
        `/customers/ada@example.com`.
        """
        parts = target.partition("?")[0].split("/")
        return "/".join(part if self._is_impersonal(part) else "*" for part in parts)

    def _is_impersonal(self, part: str) -> bool:
        return part in self._literals or bool(UUID_TEXT.fullmatch(part))

    def _invoke(self, event: dict[str, Any], context: Context) -> LambdaResponse:
        request = event["requestContext"]
        view = self._app.routes[request["resourcePath"]].get(request["httpMethod"])
        if view is None:
            return self._preflight(event)
        if view.authorizer:
            token = event["headers"].get("authorization")
            authorizer = cast("ChaliceAuthorizer", view.authorizer)
            request["authorizer"] = self._caller(request, authorizer, token)
        elif request["resourcePath"] != HEALTH and not self._allows(
            request["identity"]["sourceIp"]
        ):
            raise Refusal("THROTTLED")
        response: LambdaResponse = self._app(event, context)
        return response

    def _caller(
        self, request: dict[str, Any], authorizer: ChaliceAuthorizer, token: str | None
    ) -> dict[str, str]:
        if token is None:
            raise Refusal("UNAUTHORIZED")
        # Until a token is known to be valid, its requests count for the address.
        known = self._authorizers.cached(authorizer, token)
        client = known.context["principalId"] if known else request["identity"]["sourceIp"]
        if not self._allows(client):
            raise Refusal("THROTTLED")
        arn = f"{ARN}/{request['httpMethod']}{request['path']}"
        return dict(self._authorizers.authorize(authorizer, token, arn))

    def _event(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> dict[str, Any]:
        """Return the event of a Lambda function. Raises Refusal if there is no such route."""
        path, _, query = path.partition("?")
        route, parameters = self._match(path)
        if not self._has_method(route, method):
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        lines = {name.lower(): _values(given) for name, given in headers.items()}
        return {
            "requestContext": {
                "httpMethod": method,
                "resourcePath": route,
                "path": path,
                "requestId": str(uuid.uuid4()),
            },
            "headers": {name: values[-1] for name, values in lines.items()},
            "multiValueHeaders": lines,
            "pathParameters": parameters,
            "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True)
            if query
            else None,
            "stageVariables": {},
            "body": body,
        }

    def _match(self, path: str) -> tuple[str, dict[str, str]]:
        """Return the route and the path parameters, which AWS leaves encoded, too.

        Like AWS, ignore a slash at the end.
        """
        path = path.removesuffix("/") or "/"
        if path in self._app.routes and "{" not in path:
            return path, {}
        parts = path.split("/")
        for route, names in self._templates:
            if (captured := _captured(names, parts)) is not None:
                return route, captured
        raise Refusal("MISSING_AUTHENTICATION_TOKEN")

    def _has_method(self, route: str, method: str) -> bool:
        views = self._app.routes[route]
        # AWS has the preflight route that Chalice only creates with CORS.
        return method in views or (method == "OPTIONS" and any(v.cors for v in views.values()))

    def _preflight(self, event: dict[str, Any]) -> LambdaResponse:
        views = self._app.routes[event["requestContext"]["resourcePath"]]
        with_cors = {method: view.cors for method, view in views.items() if view.cors}
        headers = next(iter(with_cors.values())).get_access_control_headers()
        headers |= {"Access-Control-Allow-Methods": ",".join([*with_cors, "OPTIONS"])}
        return {"statusCode": 200, "headers": headers, "multiValueHeaders": {}, "body": None}


def separate_requests(app_object: Chalice) -> None:
    """Make `current_request` a value of each thread. Chalice keeps one in the app."""
    if not isinstance(app_object, LocalChalice):
        app_object.__class__ = type("ThreadedApp", (LocalChalice, type(app_object)), {})


def own_response(response_type: str, target: str, reason: str = "") -> LambdaResponse:
    """Return the gateway's own response to a request for the target."""
    path, request_id = target.partition("?")[0], str(uuid.uuid4())
    status, headers, body = render(response_type, path, request_id, reason)
    return {"statusCode": status, "headers": headers, "multiValueHeaders": {}, "body": body}


def header_lines(response: LambdaResponse) -> list[tuple[str, str]]:
    """Return the response's headers, one entry for each value."""
    headers = {**response["headers"], **response["multiValueHeaders"]}
    return [(name, str(value)) for name, given in headers.items() for value in _values(given)]


def check_head(response: LambdaResponse) -> None:
    """Raise ValueError if a header or the status of the response is invalid in HTTP."""
    if response["statusCode"] not in range(200, 600):
        raise ValueError(f"{response['statusCode']} is not a valid response status")
    for name, value in header_lines(response):
        is_usual = value.isascii() and value.isprintable()  # costs less than an expression
        if not (_is_name(name) and (is_usual or HEADER_VALUE.fullmatch(value))):
            raise ValueError(f"{name!r} is not a valid header in HTTP")


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return bool(HEADER_NAME.fullmatch(name))


def _values(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _allowed(policy: Mapping[str, Any]) -> list[str]:
    """Return the resources of a policy's Allow statements."""
    return [
        resource
        for statement in policy.get("Statement", [])
        if statement["Effect"] == "Allow"
        for resource in _values(statement["Resource"])
    ]


def _captured(names: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    """Return the parameters of a path, or None if it has another route."""
    if len(names) != len(parts):
        return None
    captured = {}
    for name, part in zip(names, parts, strict=True):
        if name.startswith("{") and part:
            captured[name[1:-1]] = part
        elif name != part:
            return None
    return captured
