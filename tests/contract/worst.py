"""The most expensive requests: each reaches a size limit and is built for the worst case.

The gateway accepts 10,240 bytes of headers, including the URL. The service accepts bodies of 64 KiB
and batches of 1 MiB.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

HEADER = 9_000  # bytes of one header; the others need the rest
BODY, BATCH = 65_536, 1 << 20
ONE = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
ADA: dict[str, Any] = {"email": "ada@example.com", "given_name": "Ada"}
MARKS = "\u0316\u0301"  # of two classes: normal form C has to sort them
JSON = {"Content-Type": "application/json"}


class Sent(NamedTuple):
    """A request."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = JSON


def post(document: object, path: str = "/customers") -> Sent:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Sent("POST", path, body)


def batch(document: object) -> Sent:
    return post(document, "/customers/batch")


def get(path: str, **headers: str) -> Sent:
    return Sent(
        "GET", path, b"", {name.replace("_", "-"): value for name, value in headers.items()}
    )


def filled(text: bytes, size: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """Repeat the text between `before` and `after`, up to `size` bytes in all."""
    return before + text * ((size - len(before) - len(after)) // len(text)) + after


def utf8(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def full(n: int, text: str = "x") -> dict[str, Any]:
    """Return a customer with long values in every field."""
    address = {"line1": text * 50, "line2": text * 50, "city": text * 50, "country": "GB"}
    return {
        "email": f"{n}.{'a' * 50}@{'b' * 60}.example.com",
        "given_name": text * 100,
        "family_name": text * 100,
        "company_name": text * 150,
        "external_id": f"{n}{text * 50}",
        "addresses": [address] * 5,
        "metadata": {f"{k}": text * 50 for k in range(25)},
        "time_zone": "Europe/London",
        "locale": "en-GB",
    }


def token(header: bytes) -> str:
    return f"Bearer {base64.urlsafe_b64encode(header).decode().rstrip('=')}.e30.c2ln"


PLAIN = get(ONE)
CASES: dict[str, Sent] = {
    "nested arrays": post(filled(b"[", BODY)),
    "nested objects": post(filled(b'{"a":', BODY)),
    "nested arrays as metadata": post(filled(b"[", BODY, b'{"metadata":')),
    "unknown fields": post({f"{n}": 0 for n in range(6_000)}),
    "metadata of 5,000 keys": post({**ADA, "metadata": {f"{n}": "" for n in range(5_000)}}),
    "invalid metadata": post({**ADA, "metadata": {f" {n}": "\x00" for n in range(50)}}),
    "one repeated field": post(filled(b'"a":0,', BODY, b"{", b'"a":0}')),
    "field names with a long common prefix": post({"a" * 500 + f"{n}": 0 for n in range(125)}),
    "a number of 65,000 digits": post(filled(b"9", BODY)),
    "numbers of 4,000 digits": post(filled(b"9" * 4_000 + b",", BODY, b"[", b"0]")),
    "fractions of 60,000 digits": post(filled(b"9", BODY, b"[0.", b"]")),
    "many numbers of 1e999999": post(filled(b"1e999999,", BODY, b"[", b"0]")),
    "unpaired surrogates": post(filled(b"\\ud800", BODY, b'"', b'"')),
    "escapes": post(filled(b"\\u0041", BODY, b'{"given_name":"', b'"}')),
    "bytes that are not UTF-8": post(filled(b"\xff", BODY)),
    "a text of combining characters": post(utf8({**ADA, "given_name": MARKS * 15_000})),
    "names of combining characters": post(
        utf8({**ADA, "given_name": MARKS * 600, "family_name": MARKS * 600})
    ),
    "addresses of combining characters": post(
        utf8({**ADA, "addresses": [{"line1": MARKS * 400, "city": MARKS * 400}] * 5})
    ),
    "metadata of combining characters": post(
        utf8({**ADA, "metadata": {f"{n}": MARKS * 400 for n in range(35)}})
    ),
    "an email address with many labels": post({**ADA, "email": "a@" + "xn--a." * 41 + "com"}),
    "an email address of combining characters": post(
        utf8({**ADA, "email": "a@" + MARKS * 125 + ".com"})
    ),
    "an email address of quotes": post({**ADA, "email": '"' + '\\"' * 125 + "@a.com"}),
    "a locale of one letter parts": post({**ADA, "locale": "en" + "-a" * 16 + "!"}),
    "a phone number of spaces": post({**ADA, "phone": "+1" + " " * 60_000}),
    "thousands of addresses": post({**ADA, "addresses": [{}] * 15_000}),
    "a patch of nulls": Sent(
        "PATCH", ONE, json.dumps({f"{n}": None for n in range(4_500)}).encode()
    ),
    "a batch of nested arrays": batch(filled(b"[", BATCH)),
    "a batch of 300,000 items": batch(filled(b"{},", BATCH, b'{"items":[', b"{}]}")),
    "a batch of 90,000 fields": batch({f"{n}": 0 for n in range(90_000)}),
    "a batch of invalid customers": batch(
        {"items": [{key: [] for key in full(0)} for _ in range(100)]}
    ),
    "a batch of combining characters": batch(
        utf8({"items": [{**full(n), "company_name": MARKS * 1_000} for n in range(100)]})
    ),
    "a batch of email addresses with many labels": batch(
        {"items": [{**ADA, "email": "a@" + "xn--a." * 41 + "com"} for _ in range(100)]}
    ),
    "a batch of 100 full customers": batch({"items": [full(n) for n in range(100)]}),
    "an If-Match of many tags": get(ONE, If_Match=filled(b'"v1",', HEADER).decode()),
    "If-Match of open quotes": get(ONE, If_Match=filled(b'W/"', HEADER).decode()),
    "If-None-Match of commas": get(ONE, If_None_Match='"v1"' + "," * HEADER),
    "an Accept of many ranges": get(ONE, Accept=filled(b"a/b;q=0.1,", HEADER).decode()),
    "Accept of semicolons": get(ONE, Accept=";" * HEADER),
    "Prefer of commas": get(ONE, Prefer="return=a," * (HEADER // 9)),
    "an idempotency key": post(ADA)._replace(headers={**JSON, "Idempotency-Key": "a" * HEADER}),
    "a request id": get(ONE, Request_Id="a" * HEADER),
    "a trace header of spaces": get(ONE, X_Amzn_Trace_Id=";" + " " * HEADER),
    "a trace header of semicolons": get(ONE, X_Amzn_Trace_Id=";Root=" * (HEADER // 6)),
    "a cursor": get("/customers?cursor=" + "A" * HEADER),
    "a limit of digits": get("/customers?limit=" + "9" * HEADER),
    "a fields parameter of many names": get("/customers?fields=" + "id," * (HEADER // 3) + "id"),
    "a timestamp of digits": get(
        "/customers?created_after=2020-01-01T00:00:00." + "9" * HEADER + "Z"
    ),
    "a search of escapes": get("/customers?q=" + "%25" * 100),
    "a search of combining characters": get("/customers?q=" + "%CC%96%CC%81" * 200),
    "unknown query parameters": get("/customers?" + "&".join(f"{n}=" for n in range(1_500))),
    "one repeated query parameter": get("/customers?" + "&".join(["q=a"] * 2_000)),
    "a long path": get("/customers/" + "a" * HEADER),
    "a token of dots": get(ONE, Authorization="Bearer " + "a." * 4_000),
    "a token of spaces": get(ONE, Authorization="Bearer" + " " * 8_000 + "a"),
    "a deeply nested token": get(ONE, Authorization=token(b"[" * 6_000)),
    "a token of digits": get(
        ONE, Authorization=token(b'{"alg":"ES256","x":' + b"9" * 5_900 + b"}")
    ),
    "a token of names": get(
        ONE, Authorization=token(json.dumps({f"{n}": 0 for n in range(600)}).encode())
    ),
}
