"""A request as views read it."""

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import cast
from urllib.parse import quote, urlencode

import chalice.app

from chalicelib.customers.updates import Intent
from chalicelib.http import documents, headers, problems
from chalicelib.http.caller import LEEWAY_SECONDS, Caller

LAMBDA_MS = 28_000
MAX_BODY_BYTES = 65_536


class Request:
    """One request, by API Gateway or by what stands for it on a laptop."""

    def __init__(self, request: chalice.app.Request) -> None:
        self._request = request
        self.method: str = request.method
        self.route: str = request.path
        self.consumes: Sequence[str] = ()  # the media types that the operation declares
        self.written: list[str] = []
        self.version: int | None = None

    def header(self, name: str) -> str | None:
        """Return the header's value; what came in several lines is one list (RFC 9110, 5.3)."""
        return self._headers.get(name)

    @cached_property
    def _headers(self) -> dict[str, str]:
        event = self._request.to_original_event()
        if lines := event.get("multiValueHeaders"):
            return {name.lower(): ", ".join(values) for name, values in lines.items()}
        return {name.lower(): value for name, value in (event["headers"] or {}).items()}

    @cached_property
    def id(self) -> str:
        """The client's own id of the request if it is a sane one, else the gateway's."""
        fallback = getattr(self._request.lambda_context, "aws_request_id", "unknown")
        own = self._request.context.get("requestId", fallback)
        return headers.request_id(self.header("request-id"), own)

    @property
    def seconds_left(self) -> float:
        """How long Lambda still waits for the answer; all of its time if it does not say."""
        context = self._request.lambda_context
        milliseconds = getattr(context, "get_remaining_time_in_millis", lambda: LAMBDA_MS)
        return float(milliseconds() / 1000)

    @property
    def path(self) -> str:
        """The path that the client asked for, stage and all."""
        path: str = self._request.context.get("path", "/")
        return quote(path.rstrip("/"), safe="/:@!$&'()*+,;=~%", errors="replace")

    @property
    def query(self) -> dict[str, list[str]]:
        query = self._request.to_original_event()["multiValueQueryStringParameters"] or {}
        return {name: values or [""] for name, values in query.items()}

    def next_page(self, cursor: str | None) -> str | None:
        """Return this request's URL reference with another cursor."""
        if cursor is None:
            return None
        query = {name: values[-1] for name, values in self.query.items()} | {"cursor": cursor}
        return f"{self.path}?{urlencode(query, safe=',:@')}"

    @cached_property
    def caller(self) -> Caller:
        """Who sent the request. Raises Unauthenticated, InvalidToken."""
        found = self._request.context.get("authorizer")
        if not found:
            raise problems.Unauthenticated("Send a token as `Authorization: Bearer <token>`.")
        scopes = frozenset(found.get("scopes", "").split())
        expires = int(found.get("expires", 0))
        # the gateway remembers for minutes what the authorizer found
        if expires + LEEWAY_SECONDS <= time.time():
            raise problems.InvalidToken("The token has expired.")
        return Caller(found["principalId"], scopes, expires)

    @property
    def subject(self) -> str | None:
        """Who the gateway says has sent the request, the token expired or not."""
        return (self._request.context.get("authorizer") or {}).get("principalId")

    def wrote(self, customer_ids: Iterable[str], version: int | None) -> None:
        """Remember for the audit what was written, and the version that it made, if known."""
        self.written, self.version = list(customer_ids), version

    def require(self, scope: str) -> None:
        """Raise InsufficientScope when the caller's token lacks the scope."""
        if scope not in self.caller.scopes:
            raise problems.InsufficientScope(scope)

    @property
    def versions(self) -> Collection[int] | None:
        """The versions that `If-Match` names, None where any will do. Raises ValidationError."""
        return headers.versions(self.header("if-match"))

    @property
    def intent(self) -> Intent:
        """What a change is meant for. Raises ValidationError, PreconditionFailed."""
        if unwanted := self.header("if-none-match"):
            headers.refuse_unless_absent(unwanted)
        return Intent(self.versions, self._mark)

    @property
    def _mark(self) -> bytes:
        """Return what is the same in each repetition of the request, and in no other."""
        said = [self.caller.subject, self.method, self.path, self.header("if-match")]
        return hashlib.sha256(json.dumps(said).encode() + self._body()).digest()

    @property
    def wants_minimal(self) -> bool:
        return headers.wants_minimal(self.header("prefer"))

    def is_unchanged(self, tag: str) -> bool:
        return headers.is_unchanged(self.header("if-none-match"), tag)

    def idempotency_key(self, operation: str) -> bytes | None:
        """Return a hash of the caller's key for the operation. Raises ValidationError."""
        key = headers.idempotency_key(self.header("idempotency-key"))
        if key is None:
            return None
        return hashlib.sha256(json.dumps([self.caller.subject, operation, key]).encode()).digest()

    def document(self, most: int = MAX_BODY_BYTES) -> object:
        """Return the JSON document in the body, of at most `most` bytes.

        Raises UnsupportedMediaType, ContentTooLarge, MalformedJSON.
        """
        media_type = (self.header("content-type") or "").split(";")[0].strip().lower()
        if media_type not in self.consumes:
            # there is no Accept-Put
            name = "Accept-Patch" if self.method == "PATCH" else "Accept-Post"
            taken = {} if self.method == "PUT" else {name: ", ".join(self.consumes)}
            raise problems.UnsupportedMediaType(
                f"Send the body as {' or '.join(self.consumes)}.", headers=taken
            )
        if (self.header("content-encoding") or "identity").strip().lower() != "identity":
            raise problems.UnsupportedMediaType(
                "Send the body as it is, not encoded.", headers={"Accept-Encoding": "identity"}
            )
        raw = self._body()
        if len(raw) > most:
            raise problems.ContentTooLarge(f"Send at most {most} bytes.")
        return documents.parse(raw)

    def _body(self) -> bytes:
        try:
            return cast("bytes", self._request.raw_body)
        except ValueError:  # the gateway's own encoding of it
            raise problems.MalformedJSON("The body can't be decoded.") from None
