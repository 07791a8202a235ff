"""The request object that views receive.

Wraps Chalice's request and gives typed access to headers, query string, JSON body, caller,
preconditions and idempotency key. Invalid input raises a `Problem`.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

import chalice.app

from chalicelib.http import documents, headers, preconditions, problems
from chalicelib.http.preconditions import Conditions, Intent
from chalicelib.observability import telemetry

if TYPE_CHECKING:
    from chalicelib.http.idempotency import Key
    from chalicelib.settings import ApiSettings

LAMBDA_MS = 28_000
MAX_BODY_BYTES = 65_536
LEEWAY_SECONDS = 30  # maximum difference between the issuer's clock and ours


class Caller(NamedTuple):
    """The subject of a token, its scopes, and its expiry in seconds since 1970."""

    subject: str
    scopes: frozenset[str]
    expires: int


class Written(NamedTuple):
    """The resources that a request wrote: their plural, ids, and version if known."""

    resource: str
    ids: list[str]
    version: int | None


class Request:
    """One request from API Gateway, or from the local gateway."""

    def __init__(self, request: chalice.app.Request, settings: "Callable[[], ApiSettings]") -> None:
        self._request = request
        self._settings = settings
        self.method: str = request.method
        self.route: str = request.path
        self.consumes: Sequence[str] = ()  # the media types that the operation declares
        self.media_type = ""  # of the successful response
        self.written: Written | None = None

    def header(self, name: str) -> str | None:
        """Return the header's value; several lines are joined with commas (RFC 9110, 5.3)."""
        return self._headers.get(name)

    @cached_property
    def _headers(self) -> dict[str, str]:
        event = self._request.to_original_event()
        if lines := event.get("multiValueHeaders"):
            return {name.lower(): ", ".join(values) for name, values in lines.items()}
        return {name.lower(): value for name, value in (event["headers"] or {}).items()}

    @cached_property
    def id(self) -> str:
        """The client's id of the request if it is well-formed, else the gateway's."""
        return headers.request_id(self.header("request-id"), self.gateway_id)

    @cached_property
    def gateway_id(self) -> str:
        """The gateway's id of the request, which no client can choose."""
        if "requestId" in self._request.context:
            return cast("str", self._request.context["requestId"])
        return getattr(self._request.lambda_context, "aws_request_id", "unknown")

    @property
    def seconds_left(self) -> float:
        """The time until Lambda's timeout; the whole timeout if Lambda doesn't report it."""
        context = self._request.lambda_context
        milliseconds = getattr(context, "get_remaining_time_in_millis", lambda: LAMBDA_MS)
        return float(milliseconds() / 1000)

    @property
    def path(self) -> str:
        """The path that the client requested, including the stage.

        It starts with one slash: a link to `//host/path` would lead to another host.
        """
        return quote(f"/{self._path.strip('/')}", safe="/:@!$&'()*+,;=~%", errors="replace")

    @property
    def _path(self) -> str:
        return cast("str", self._request.context.get("path", "/"))

    def path_parameters(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parameters in the path, decoded once; invalid UTF-8 gives lone surrogates.

        They come from the path, which REST APIs leave encoded. `given` is what the gateway took for
        them: encoded in recorded events of REST APIs, decoded by other gateways.
        """
        # from the end, because the path may begin with a stage
        names, parts = self.route.split("/"), self._path.rstrip("/").split("/")
        found = {}
        for name, part in zip(reversed(names), reversed(parts), strict=False):
            if name.startswith("{"):
                found[name[1:-1]] = unquote(part, errors="surrogateescape")
            elif name not in {part, ""}:
                return given
        return found

    @property
    def query(self) -> dict[str, list[str]]:
        query = self._request.to_original_event()["multiValueQueryStringParameters"] or {}
        return {name: values or [""] for name, values in query.items()}

    def page_after(self, cursor: str | None) -> str:
        """Return this request's URL reference with another cursor; with None, the first page's."""
        query = {name: values[-1] for name, values in self.query.items()}
        query |= {"cursor": cursor} if cursor else {}
        return f"{self.path}?{urlencode(query, safe=',:@')}".removesuffix("?")

    @cached_property
    def caller(self) -> Caller:
        """The caller that the authorizer found. Raises Unauthenticated, InvalidToken."""
        context = self._request.context.get("authorizer")
        if not context:
            raise problems.Unauthenticated("Send a token as `Authorization: Bearer <token>`.")
        scopes = frozenset(context.get("scopes", "").split())
        expires = int(context.get("expires", 0))
        # API Gateway caches the authorizer's result for minutes
        if expires + LEEWAY_SECONDS <= time.time():
            raise problems.InvalidToken("The token has expired.")
        return Caller(context["principalId"], scopes, expires)

    @property
    def subject(self) -> str | None:
        """The subject of the token, even if the token has expired."""
        return (self._request.context.get("authorizer") or {}).get("principalId")

    @property
    def pseudonym(self) -> str:
        """The caller's pseudonym, which the logs and the history have. Raises Unauthenticated."""
        return telemetry.pseudonym(self.caller.subject, self._settings().cursor_key)

    def wrote(self, resource: str, ids: Iterable[str], version: int | None) -> None:
        """Record for the audit which resources were written; `resource` is their plural."""
        self.written = Written(resource, list(ids), version)

    def require(self, scope: str) -> None:
        """Raise InsufficientScope if the caller's token lacks the scope."""
        if scope not in self.caller.scopes:
            raise problems.InsufficientScope(scope)

    def require_if_match(self) -> None:
        """Raise PreconditionRequired if the request has no `If-Match`."""
        if self.header("if-match") is None:
            raise problems.PreconditionRequired(
                "Send If-Match with the ETag of the version to replace."
            )

    @property
    def versions(self) -> Collection[int] | None:
        """The versions that `If-Match` names; None if any will do. Raises ValidationError."""
        return preconditions.parse_if_match(self.header("if-match"))

    @property
    def has_weak_tag(self) -> bool:
        """Whether `If-Match` names a weak ETag, which never matches."""
        return preconditions.has_weak_tag(self.header("if-match"))

    @property
    def intent(self) -> Intent:
        """The preconditions of a write. Raises ValidationError, PreconditionFailed."""
        if unwanted := self.header("if-none-match"):
            preconditions.reject_if_none_match(unwanted)
        return self._intent(b"write:")

    def _intent(self, kind: bytes) -> Intent:
        unkeyed = self._fingerprint
        fingerprint = hmac.digest(self._settings().cursor_key, kind + unkeyed, "sha256")
        return Intent(
            self.versions,
            fingerprint,
            unkeyed,
            has_weak_tag=self.has_weak_tag,
            caller=self.pseudonym,
        )

    @property
    def conditions(self) -> Conditions:
        """The preconditions of a write whose resource is yet to be found, as `intent` has them."""
        return Conditions(self.header("if-match"), self.intent)

    @property
    def conditions_of_put(self) -> Conditions:
        """The preconditions of a write that creates or replaces: `If-None-Match` may be `*`.

        Raises ValidationError.
        """
        wanted = self.header("if-none-match")
        if wanted is None or wanted.strip() != "*":
            return self.conditions
        return Conditions(self.header("if-match"), self._intent(b"create:"), is_creation=True)

    def versions_of(self, resource_id: UUID) -> Collection[int] | None:
        """Return those of `versions` whose ETags name the resource."""
        return preconditions.parse_if_match(self.header("if-match"), str(resource_id))

    @property
    def _fingerprint(self) -> bytes:
        """A hash that only a retry of this request shares.

        Guessing reverses it: it must not be stored.
        """
        parts = [self.caller.subject, self.method, self.path, self.header("if-match")]
        return hashlib.sha256(json.dumps(parts).encode() + self._body()).digest()

    @property
    def wants_minimal(self) -> bool:
        return headers.prefers(self.header("prefer"), "return", "minimal")

    @property
    def is_lenient(self) -> bool:
        """Whether the client wants every valid part of the request to be applied."""
        return headers.prefers(self.header("prefer"), "handling", "lenient")

    def is_unchanged(self, tag: str) -> bool:
        return preconditions.is_unchanged(self.header("if-none-match"), tag)

    def idempotency_key(self, operation: str) -> "Key | None":
        """Return the caller's key for the operation. Raises ValidationError."""
        from chalicelib.http import idempotency

        header = self.header("idempotency-key")
        service_key = self._settings().cursor_key
        return idempotency.derive(header, self.caller.subject, operation, service_key)

    def document(
        self, max_bytes: int = MAX_BODY_BYTES, max_values: int = documents.MAX_VALUES
    ) -> object:
        """Return the JSON document in the body, which has a media type of the operation.

        Raises UnsupportedMediaType, ContentTooLarge, MalformedJSON.
        """
        media_type = (self.header("content-type") or "").split(";")[0].strip().lower()
        if media_type not in self.consumes:
            # there is no Accept-Put
            name = "Accept-Patch" if self.method == "PATCH" else "Accept-Post"
            accepted = {} if self.method == "PUT" else {name: ", ".join(self.consumes)}
            raise problems.UnsupportedMediaType(
                f"Send the body as {' or '.join(self.consumes)}.", headers=accepted
            )
        if (self.header("content-encoding") or "identity").strip().lower() != "identity":
            raise problems.UnsupportedMediaType(
                "Send the body without Content-Encoding.", headers={"Accept-Encoding": "identity"}
            )
        raw = self._body()
        if len(raw) > max_bytes:
            raise problems.ContentTooLarge(f"The maximum is {max_bytes} bytes.")
        return documents.parse(raw, max_values)

    def _body(self) -> bytes:
        try:
            return cast("bytes", self._request.raw_body)
        except ValueError:  # invalid base64 from the gateway
            raise problems.MalformedJSON("The body can't be decoded.") from None
