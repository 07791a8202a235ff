"""Another case made of one: its tree is changed, not its bytes, so that most of it stays a request.

Texts that hold more (a body, its base64) are opened, changed inside, and closed again.
"""

import base64
import json
from collections.abc import Callable, Sequence
from random import Random

from chalicelib.http.routing import METHODS
from load.fuzz.cases import KNOWN, SCOPES, Case, JSONValue
from load.fuzz.possible import is_possible

ODD: tuple[JSONValue, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 1e308, [], {}, "", " ", [[]], [None], {"": None}),
    *("\ud800", "\u0000", "\u0301" * 300, "\u202e", "\ufeff", "ß", "İ", "\U0001f642", "a\x7fb"),
    *("zqm@example.com", "'; --", "%", "_", "!", "\\", "../..", "{token}", "-0", "1e999999"),
)
SPLICES = (
    *('"', "'", "\\", "%", ",", ";", "=", "/", "*", "W/", "\r\n", "\x00", "\x7f", "\t", " ", "."),
    *("\u0301", "\u2028", "\ud83d", "é", "\u1e9e", "v1", "v9999999999", "q=", "T", "Z", "+00:00"),
    *("0", "9", "-", "@", "[", "]", "{", "}", "xn--", "%00", "true", "null", "\\ud800", "NaN"),
)
HEADERS = (
    *("Accept", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Prefer"),
    *("Idempotency-Key", "Request-Id", "Origin", "X-Amzn-Trace-Id"),
)
PARAMETERS = (
    *("limit", "cursor", "sort", "q", "email", "phone", "external_id", "status", "fields"),
    *("created_after", "created_before", "updated_after", "include_deleted", "deep"),
)
NAMES = (
    *HEADERS,
    *PARAMETERS,
    *("addresses", "metadata", "items", "version", "id", "locale", "time_zone", "country"),
    *("line1", "customer_id", "scopes", "expires", "principalId", "zqm"),
)
VALUES = (
    *('"v1"', '"v1", "v2"', "*", "return=minimal", "application/json", "a/b;q=0.5, */*;q=0"),
    *("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "key", "1", "true", "active"),
    *("2026-01-31T12:00:00Z", "zqm@example.com", "+442079460000", "id,email", "-updated_at"),
)
RETRIES = 4
IMPOSSIBLE = 0.05
FRESH = 0.02
LONGEST = 70_000  # characters of a text that is blown up: more than a body may have


class Mutator:
    """Makes cases of cases; what it takes from others it takes from the pool."""

    def __init__(self, pool: Sequence[Case], routes: Sequence[str]) -> None:
        self._pool, self._routes = pool, routes

    def __call__(self, case: Case | None, dice: Random) -> Case:
        """Return the case with one to four changes, or a seed if there was none.

        Most that API Gateway could not have sent are given up: they go no further than Chalice.
        """
        for _ in range(RETRIES):
            made = self._changed(case, dice)
            if is_possible(made) or dice.random() < IMPOSSIBLE:
                break
            case = None
        return made

    def _changed(self, case: Case | None, dice: Random) -> Case:
        if case is None or dice.random() < FRESH:
            case = dice.choice(self._pool)
        event = case.event
        for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
            event = dice.choice(self._changes())(event, dice)
        return Case(case.function, event)

    def _changes(self) -> Sequence[Callable[[JSONValue, Random], JSONValue]]:
        sent = (header_changed, header_changed, query_changed, body_changed, body_changed)
        return (*sent, changed, changed, self._spliced, self._routed)

    def _spliced(self, event: JSONValue, dice: Random) -> JSONValue:
        """Give the event a member of another's."""
        other = dice.choice(self._pool).event
        if not isinstance(event, dict) or not isinstance(other, dict):
            return other
        name = dice.choice([*other])
        return {**event, name: other[name]}

    def _routed(self, event: JSONValue, dice: Random) -> JSONValue:
        """Send it elsewhere, or by somebody else."""
        if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
            return event
        context = dict(event["requestContext"])
        match dice.randrange(4):
            case 0:
                context["httpMethod"] = dice.choice(sorted(METHODS))
            case 1:
                context["resourcePath"] = route = dice.choice(self._routes)
                known = {"customer_id": dice.choice(KNOWN)} if "{" in route else None
                event = {**event, "pathParameters": known}
            case 2:
                context["authorizer"] = {
                    "principalId": dice.choice(("zqm", "", "a@b", "\ud800")),
                    "scopes": " ".join(dice.sample(SCOPES.split(), dice.randrange(4))),
                    "expires": dice.choice(("4102444800", "0", "1")),
                }
            case _:
                context.pop("authorizer", None)
        return {**event, "requestContext": context}


def changed(value: JSONValue, dice: Random) -> JSONValue:
    """Return the value with something in it changed, at any depth."""
    if isinstance(value, dict | list) and value and dice.random() < 0.9:
        return _with_a_member_changed(value, dice)
    if isinstance(value, str) and dice.random() < 0.9:
        return text_changed(value, dice)
    if isinstance(value, dict) and dice.random() < 0.8:
        return {**value, dice.choice(NAMES): dice.choice(ODD)}
    return dice.choice(ODD)


def header_changed(event: JSONValue, dice: Random) -> JSONValue:
    """Change a header, or send another, in both of the forms that the gateway has for headers."""
    if not isinstance(event, dict) or not isinstance(event.get("headers"), dict):
        return changed(event, dice)
    headers = event["headers"]
    name = dice.choice([*headers, *HEADERS])
    value = text_changed(str(headers.get(name, dice.choice(VALUES))), dice)
    lists = event.get("multiValueHeaders")
    lists = lists if isinstance(lists, dict) else {}
    return {
        **event,
        "headers": {**headers, name: value},
        "multiValueHeaders": {**lists, name: [value]},
    }


def query_changed(event: JSONValue, dice: Random) -> JSONValue:
    """Change a parameter of the query, or send another."""
    if not isinstance(event, dict):
        return changed(event, dice)
    query = event.get("multiValueQueryStringParameters")
    query = query if isinstance(query, dict) else {}
    name = dice.choice([*query, *PARAMETERS])
    given = query.get(name)
    value = given[0] if isinstance(given, list) and given else dice.choice(VALUES)
    made = {**query, name: [text_changed(str(value), dice)]}
    return {**event, "multiValueQueryStringParameters": made}


def body_changed(event: JSONValue, dice: Random) -> JSONValue:
    """Change what the body is the text of; now and then, how it is encoded."""
    if not isinstance(event, dict) or not isinstance(event.get("body"), str):
        return changed(event, dice)
    raw, is_encoded = _opened(event["body"], event.get("isBase64Encoded") is True)
    raw = dice.choice((_document_changed, _document_changed, _bytes_changed))(raw, dice)
    if is_encoded != (dice.random() < 0.1):
        return {**event, "body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    return {**event, "body": raw.decode(errors="replace"), "isBase64Encoded": False}


def text_changed(text: str, dice: Random) -> str:
    """Return the text with a piece put in, taken out, repeated or replaced."""
    start = dice.randrange(len(text) + 1)
    end = min(len(text), start + dice.choice((1, 1, 2, 8, 100)))
    match dice.randrange(6):
        case 0:
            return text[:start] + text[end:]
        case 1:
            return text[:end] + text[start:end] * dice.choice((1, 2, 20)) + text[end:]
        case 2:
            return text[:start] + chr(dice.choice((0x7F, 0xFF, 0xFFFF, 0x10FFFF))) + text[end:]
        case 3 if dice.random() < 0.05:
            piece = text[start:end] or dice.choice(SPLICES)
            return (piece * (LONGEST // len(piece)))[: dice.choice((300, 8_200, LONGEST))]
        case 4:
            return dice.choice((text.upper(), text.lower(), text.strip(), f" {text} ", text[::-1]))
    return text[:start] + dice.choice(SPLICES) + text[end if dice.random() < 0.5 else start :]


def _with_a_member_changed(value: JSONValue, dice: Random) -> JSONValue:
    copy = dict(value) if isinstance(value, dict) else list(value)
    key = dice.choice([*copy] if isinstance(copy, dict) else range(len(copy)))
    match dice.randrange(12):
        case 0:
            del copy[key]
        case 1 if isinstance(copy, dict):
            copy[dice.choice(NAMES) if dice.random() < 0.8 else text_changed(key, dice)] = copy[key]
        case 1 if isinstance(copy, list):
            copy.extend([copy[key]] * dice.choice((1, 5, 100)))
        case _:
            copy[key] = changed(copy[key], dice)
    return copy


def _document_changed(raw: bytes, dice: Random) -> bytes:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return _bytes_changed(raw, dice)
    return json.dumps(changed(document, dice), ensure_ascii=dice.random() < 0.5).encode(
        errors="surrogatepass"
    )


def _bytes_changed(raw: bytes, dice: Random) -> bytes:
    start = dice.randrange(len(raw) + 1)
    end = start + dice.choice((0, 1, 8))
    piece = dice.choice((dice.randbytes(dice.choice((1, 2, 9))), b'"', b"[" * 20, b"}", b"\\u"))
    return raw[:start] + piece + raw[end:]


def _opened(body: str, is_encoded: bool) -> tuple[bytes, bool]:  # noqa: FBT001
    if is_encoded:
        try:
            return base64.b64decode(body), True
        except ValueError:
            pass
    return body.encode(errors="replace"), False
