"""Mutate a case: the changes apply to its tree, not to its bytes, so that it stays a request.

Nested texts (a body, its base64 encoding) are decoded, changed inside, and encoded again.
"""

import base64
import json
from collections.abc import Callable, Sequence
from random import Random

from chalicelib.http.routing import METHODS
from load.fuzz.cases import KNOWN, QUERY, SCOPES, Case, JSONValue
from load.fuzz.possible import NAMES as IN_ROUTE
from load.fuzz.possible import is_possible

ODD: tuple[JSONValue, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 1e308, [], {}, "", " ", [[]], [None], {"": None}),
    *("\ud800", "\u0000", "\u0301" * 300, "\u202e", "\ufeff", "ß", "İ", "\U0001f642", "a\x7fb"),
    *("zqm@example.com", "'; --", "%", "_", "!", "\\", "../..", "{token}", "-0", "1e999999"),
)
SPLICES = (
    *('"', "'", "\\", "%", ",", ";", "=", "/", "*", "W/", "\r\n", "\x00", "\x7f", "\t", " ", "."),
    *("\u0301", "\u2028", "\ud83d", "é", "\u1e9e", "v1", "v9999999999", "q=", "T", "Z", "+00:00"),
    *("\ufdfa", "\u0660", "\u30fb", "\u200d", "\U0001f468\u200d", "\u1112\u1161\u11ab", "\u3042"),
    *("0", "9", "-", "@", "[", "]", "{", "}", "xn--", "%00", "true", "null", "\\ud800", "NaN"),
)
HEADERS = (
    *("Accept", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Prefer"),
    *("Idempotency-Key", "Request-Id", "Origin", "X-Amzn-Trace-Id"),
)
PARAMETERS = (*QUERY, "cursor", "deep")
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
MAX_TEXT_CHARACTERS = 70_000  # maximum length of an inflated text: more than a body may have


class Mutator:
    """Derives cases from cases. Pieces of other cases come from the pool."""

    def __init__(self, pool: Sequence[Case], routes: Sequence[str]) -> None:
        self._pool, self._routes = pool, routes

    def __call__(self, case: Case | None, rng: Random) -> Case:
        """Return the case with one to four changes, or a seed if there is no case.

        Mostly returns events that API Gateway can send, because others fail early, within Chalice.
        """
        for _ in range(RETRIES):
            mutated = self._mutate_once(case, rng)
            if is_possible(mutated) or rng.random() < IMPOSSIBLE:
                break
            case = None
        return mutated

    def _mutate_once(self, case: Case | None, rng: Random) -> Case:
        if case is None or rng.random() < FRESH:
            case = rng.choice(self._pool)
        event = case.event
        for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
            event = rng.choice(self._changes())(event, rng)
        return Case(case.function, event)

    def _changes(self) -> Sequence[Callable[[JSONValue, Random], JSONValue]]:
        sent = (mutate_header, mutate_header, mutate_query, mutate_body, mutate_body)
        return (*sent, mutate, mutate, self._splice, self._reroute)

    def _splice(self, event: JSONValue, rng: Random) -> JSONValue:
        """Replace one field of the event by the same field of another event."""
        other = rng.choice(self._pool).event
        if not isinstance(event, dict) or not isinstance(other, dict):
            return other
        name = rng.choice([*other])
        return {**event, name: other[name]}

    def _reroute(self, event: JSONValue, rng: Random) -> JSONValue:
        """Send the request to another route, or as another caller."""
        if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
            return event
        context = dict(event["requestContext"])
        match rng.randrange(4):
            case 0:
                context["httpMethod"] = rng.choice(sorted(METHODS))
            case 1:
                context["resourcePath"] = route = rng.choice(self._routes)
                known = {name: rng.choice(KNOWN) for name in IN_ROUTE.findall(route)}
                context["path"] = "/dev" + IN_ROUTE.sub(lambda name: known[name[1]], route)
                event = {**event, "pathParameters": known or None}
            case 2:
                context["authorizer"] = {
                    "principalId": rng.choice(("zqm", "", "a@b", "\ud800")),
                    "scopes": " ".join(rng.sample(SCOPES.split(), rng.randrange(4))),
                    "expires": rng.choice(("4102444800", "0", "1")),
                }
            case _:
                context.pop("authorizer", None)
        return {**event, "requestContext": context}


def mutate(value: JSONValue, rng: Random) -> JSONValue:
    """Return the value with one change, at any depth."""
    if isinstance(value, dict | list) and value and rng.random() < 0.9:
        return _mutate_field(value, rng)
    if isinstance(value, str) and rng.random() < 0.9:
        return mutate_text(value, rng)
    if isinstance(value, dict) and rng.random() < 0.8:
        return {**value, rng.choice(NAMES): rng.choice(ODD)}
    return rng.choice(ODD)


def mutate_header(event: JSONValue, rng: Random) -> JSONValue:
    """Change or add a header, in both formats that API Gateway uses for headers."""
    if not isinstance(event, dict) or not isinstance(event.get("headers"), dict):
        return mutate(event, rng)
    headers = event["headers"]
    name = rng.choice([*headers, *HEADERS])
    value = mutate_text(str(headers.get(name, rng.choice(VALUES))), rng)
    lists = event.get("multiValueHeaders")
    lists = lists if isinstance(lists, dict) else {}
    return {
        **event,
        "headers": {**headers, name: value},
        "multiValueHeaders": {**lists, name: [value]},
    }


def mutate_query(event: JSONValue, rng: Random) -> JSONValue:
    """Change or add a query parameter."""
    if not isinstance(event, dict):
        return mutate(event, rng)
    query = event.get("multiValueQueryStringParameters")
    query = query if isinstance(query, dict) else {}
    name = rng.choice([*query, *PARAMETERS])
    parameters = query.get(name)
    value = parameters[0] if isinstance(parameters, list) and parameters else rng.choice(VALUES)
    changed_event = {**query, name: [mutate_text(str(value), rng)]}
    return {**event, "multiValueQueryStringParameters": changed_event}


def mutate_body(event: JSONValue, rng: Random) -> JSONValue:
    """Change the document in the body, and sometimes its encoding."""
    if not isinstance(event, dict) or not isinstance(event.get("body"), str):
        return mutate(event, rng)
    raw, is_encoded = _decode_body(event["body"], event.get("isBase64Encoded") is True)
    raw = rng.choice((_mutate_document, _mutate_document, _mutate_bytes))(raw, rng)
    if is_encoded != (rng.random() < 0.1):
        return {**event, "body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    return {**event, "body": raw.decode(errors="replace"), "isBase64Encoded": False}


def mutate_text(text: str, rng: Random) -> str:
    """Return the text with a part inserted, removed, repeated or replaced."""
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice((1, 1, 2, 8, 100)))
    match rng.randrange(6):
        case 0:
            return text[:start] + text[end:]
        case 1:
            return text[:end] + text[start:end] * rng.choice((1, 2, 20)) + text[end:]
        case 2:
            return text[:start] + chr(rng.choice((0x7F, 0xFF, 0xFFFF, 0x10FFFF))) + text[end:]
        case 3 if rng.random() < 0.05:
            piece = text[start:end] or rng.choice(SPLICES)
            return (piece * (MAX_TEXT_CHARACTERS // len(piece)))[
                : rng.choice((300, 8_200, MAX_TEXT_CHARACTERS))
            ]
        case 4:
            return rng.choice((text.upper(), text.lower(), text.strip(), f" {text} ", text[::-1]))
    return text[:start] + rng.choice(SPLICES) + text[end if rng.random() < 0.5 else start :]


def _mutate_field(value: JSONValue, rng: Random) -> JSONValue:
    copy = dict(value) if isinstance(value, dict) else list(value)
    key = rng.choice([*copy] if isinstance(copy, dict) else range(len(copy)))
    match rng.randrange(12):
        case 0:
            del copy[key]
        case 1 if isinstance(copy, dict):
            copy[rng.choice(NAMES) if rng.random() < 0.8 else mutate_text(key, rng)] = copy[key]
        case 1 if isinstance(copy, list):
            copy.extend([copy[key]] * rng.choice((1, 5, 100)))
        case _:
            copy[key] = mutate(copy[key], rng)
    return copy


def _mutate_document(raw: bytes, rng: Random) -> bytes:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return _mutate_bytes(raw, rng)
    return json.dumps(mutate(document, rng), ensure_ascii=rng.random() < 0.5).encode(
        errors="surrogatepass"
    )


def _mutate_bytes(raw: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(raw) + 1)
    end = start + rng.choice((0, 1, 8))
    piece = rng.choice((rng.randbytes(rng.choice((1, 2, 9))), b'"', b"[" * 20, b"}", b"\\u"))
    return raw[:start] + piece + raw[end:]


def _decode_body(body: str, is_encoded: bool) -> tuple[bytes, bool]:  # noqa: FBT001
    if is_encoded:
        try:
            return base64.b64decode(body), True
        except ValueError:
            pass
    return body.encode(errors="replace"), False
