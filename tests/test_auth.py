"""Verification of tokens: the caller of a valid token, rejected tokens, and the issuer's keys."""

import base64
import hmac
import json
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import trustme
from chalice import Chalice
from chalice.app import AuthRequest
from chalice.test import Client
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chalicelib import deadlines
from chalicelib.http.requests import Caller
from chalicelib.settings import SettingsError, TokenSettings
from chalicelib.tokens import authorizer, keys
from chalicelib.tokens.authorizer import InvalidToken, Verifier, authorize
from chalicelib.tokens.keys import Keys, KeysUnavailable
from tests.local.support import eventually
from tests.slim.server import answers, serving

ISSUER = "https://issuer.example.com/pool"
AUDIENCE = "customers"
SIGNATURE = "The token's signature is invalid."
OTHER_KEY = "The token's signing key is not one of the issuer's keys."
OTHER_ALGORITHM = "The token is not signed with RS256 or ES256."
MALFORMED = "The token is malformed."
NO_TOKEN = "Send `Authorization: Bearer <token>`, with a JSON Web Token."
NO_ACCESS_TOKEN = "This is not an access token."


RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
WEAK_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505
EC_KEY = ec.generate_private_key(ec.SECP256R1())
NEXT_KEY = ec.generate_private_key(ec.SECP256R1())
BITCOIN_KEY = ec.generate_private_key(ec.SECP256K1())
P384_KEY = ec.generate_private_key(ec.SECP384R1())


class KeyServer:
    """An issuer's web server, which answers every request with `status`, `body` and `headers`."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.requests: list[str] = []
        self.release = threading.Event()
        self.release.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.release.wait()
                self.send_response(server.status)
                length = {"Content-Length": str(len(server.body)), "Connection": "close"}
                for name, value in (length | server.headers).items():
                    self.send_header(name, value)
                with suppress(ConnectionError):  # the client has disconnected
                    self.end_headers()
                    self.wfile.write(server.body)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/keys"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, *jwks: object) -> None:
        self.status, self.headers = 200, {}
        self.body = json.dumps({"keys": jwks}).encode()

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def rsa_jwk(
    kid: str = "rsa", key: rsa.RSAPrivateKey = RSA_KEY, **parameters: object
) -> dict[str, Any]:
    return (
        RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        | {"kid": kid, "use": "sig"}
        | parameters
    )


def ec_jwk(
    kid: str = "ec", key: ec.EllipticCurvePrivateKey = EC_KEY, **parameters: object
) -> dict[str, Any]:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk | {"kid": kid, "use": "sig"} | parameters


def claims(**other: object) -> dict[str, Any]:
    now = int(time.time())
    own = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600}
    return {name: value for name, value in (own | other).items() if value is not ...}


def token(kid: str = "ec", key: Any = EC_KEY, algorithm: str = "ES256", **other: Any) -> str:
    """Return a signed token; `...` removes a claim."""
    return jwt.encode(claims(**other), key, algorithm, headers={"kid": kid})


def assembled(header: object, payload: object, signature: bytes = b"") -> str:
    """Return a token of these parts, valid or not."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with closing(KeyServer()) as server:
        server.publish(ec_jwk(), rsa_jwk())
        yield server


@pytest.fixture
def verifier(server: KeyServer) -> Verifier:
    return Verifier(TokenSettings(ISSUER, (AUDIENCE, "app-client"), server.url))


@contextmanager
def refused(reason: str) -> Iterator[None]:
    with pytest.raises(InvalidToken) as raised:
        yield
    assert str(raised.value) == reason


def assert_rejected(verifier: Verifier, text: str, reason: str) -> None:
    with refused(reason):
        verifier.verify(f"Bearer {text}")


# --- accepted tokens ---


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_valid_token_identifies_its_caller(verifier: Verifier, scheme: str) -> None:
    expires = int(time.time()) + 60
    text = token(exp=expires, scope="customers:read customers:write")

    caller = verifier.verify(f"{scheme} {text}")

    assert caller == Caller("ada", frozenset({"customers:read", "customers:write"}), expires)


def test_rs256_is_accepted(verifier: Verifier) -> None:
    assert verifier.verify(f"Bearer {token('rsa', RSA_KEY, 'RS256')}").subject == "ada"


@pytest.mark.parametrize(
    "granted",
    [
        {"scope": "customers:read customers:write"},
        {"scope": ["customers:read", "customers:write"]},
        {"scp": "customers:read customers:write"},
        {"scp": ["customers:read", "customers:write"]},
    ],
)
def test_scopes_are_read_in_every_issuers_format(
    verifier: Verifier, granted: dict[str, Any]
) -> None:
    scopes = verifier.verify(f"Bearer {token(**granted)}").scopes

    assert scopes == {"customers:read", "customers:write"}


@pytest.mark.parametrize(
    "granted", [{}, {"scope": ""}, {"scope": None}, {"scope": {"customers:read": 1}}, {"scp": [7]}]
)
def test_token_without_scopes_has_no_permission(verifier: Verifier, granted: Any) -> None:
    assert verifier.verify(f"Bearer {token(**granted)}").scopes == frozenset()


@pytest.mark.parametrize("audience", [AUDIENCE, ["other", AUDIENCE], "app-client"])
def test_any_configured_audience_is_accepted(verifier: Verifier, audience: object) -> None:
    assert verifier.verify(f"Bearer {token(aud=audience)}").subject == "ada"


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_small_clock_difference_is_tolerated(verifier: Verifier, claim: str) -> None:
    time_claim: dict[str, Any] = {claim: int(time.time()) + (-15 if claim == "exp" else 15)}

    assert verifier.verify(f"Bearer {token(**time_claim)}")


# --- rejected tokens ---


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"exp": 1_700_000_000}, "The token has expired."),
        ({"nbf": 4_000_000_000}, "The token is not valid yet."),
        ({"iat": 4_000_000_000}, "The token is not valid yet."),
        ({"iss": "https://elsewhere.example.com"}, authorizer.UNTRUSTED),
        ({"iss": ISSUER + "/"}, authorizer.UNTRUSTED),
        ({"aud": "other"}, "The token is for a different audience."),
        ({"aud": ["other", "another"]}, "The token is for a different audience."),
        ({"aud": []}, "The token is for a different audience."),
        ({"aud": {AUDIENCE: 1}}, "The token is for a different audience."),
        ({"aud": ...}, "The token is for a different audience."),
        ({"aud": ..., "client_id": AUDIENCE}, "The token is for a different audience."),
        (
            {"aud": "other", "client_id": AUDIENCE, "token_use": "access"},
            "The token is for a different audience.",
        ),
        (
            {"aud": ..., "client_id": "other", "token_use": "access"},
            "The token is for a different audience.",
        ),
        ({"token_use": "id"}, NO_ACCESS_TOKEN),
        ({"token_use": None}, NO_ACCESS_TOKEN),
        ({"exp": ...}, "The token lacks a required claim: exp, iss or sub."),
        ({"iss": ...}, "The token lacks a required claim: exp, iss or sub."),
        ({"sub": ...}, "The token lacks a required claim: exp, iss or sub."),
        ({"sub": ""}, "The token's sub claim is empty."),
        ({"sub": 7}, MALFORMED),
        ({"exp": "tomorrow"}, MALFORMED),
        ({"exp": float("inf")}, MALFORMED),
        ({"nbf": "today"}, MALFORMED),
        ({"nbf": None}, MALFORMED),
    ],
)
def test_invalid_claims_are_rejected(
    verifier: Verifier, other: dict[str, Any], reason: str
) -> None:
    assert_rejected(verifier, token(**other), reason)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_large_clock_difference_is_rejected(verifier: Verifier, claim: str) -> None:
    time_claim: dict[str, Any] = {claim: int(time.time()) + (-60 if claim == "exp" else 60)}

    with pytest.raises(InvalidToken):
        verifier.verify(f"Bearer {token(**time_claim)}")


def test_changed_token_is_rejected(verifier: Verifier) -> None:
    head, _, signature = token().split(".")
    payload = assembled({}, claims(sub="root")).split(".")[1]

    assert_rejected(verifier, f"{head}.{payload}.{signature}", SIGNATURE)


def test_token_signed_with_another_key_of_the_same_kid_is_rejected(verifier: Verifier) -> None:
    assert_rejected(verifier, token(key=NEXT_KEY), SIGNATURE)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["ES256"], {}])
def test_unsigned_token_is_rejected(verifier: Verifier, algorithm: object) -> None:
    for signature in (b"", b"signature"):
        text = assembled({"alg": algorithm, "kid": "ec"}, claims(), signature)
        with pytest.raises(InvalidToken):
            verifier.verify(f"Bearer {text}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_public_key_is_not_accepted_as_a_shared_secret(verifier: Verifier, algorithm: str) -> None:
    """RFC 8725, section 2.1."""
    for form, kid in ((Encoding.PEM, "rsa"), (Encoding.DER, "rsa"), (Encoding.PEM, "ec")):
        public = (RSA_KEY if kid == "rsa" else EC_KEY).public_key()
        secret = public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        signed = assembled({"alg": algorithm, "kid": kid}, claims()).rsplit(".", 1)[0]
        mac = hmac.new(secret, signed.encode(), algorithm.replace("HS", "sha")).digest()
        text = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

        assert_rejected(verifier, text, OTHER_ALGORITHM)


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_are_rejected(verifier: Verifier, algorithm: str) -> None:
    assert_rejected(verifier, token("rsa", RSA_KEY, algorithm), OTHER_ALGORITHM)


def test_algorithm_that_mismatches_the_key_type_is_rejected(verifier: Verifier) -> None:
    assert_rejected(verifier, token("ec", RSA_KEY, "RS256"), OTHER_KEY)
    assert_rejected(verifier, token("rsa", EC_KEY, "ES256"), OTHER_KEY)


def test_key_in_the_token_is_not_used(verifier: Verifier, server: KeyServer) -> None:
    """RFC 8725, section 3.10: `jwk` and `jku` don't prove that the key is the issuer's."""
    server.publish(ec_jwk("ec", key=NEXT_KEY))
    headers = {"kid": "ec", "jwk": ec_jwk(), "jku": "https://attacker.example.com/keys"}

    text = jwt.encode(claims(), EC_KEY, "ES256", headers=headers)

    assert_rejected(verifier, text, SIGNATURE)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"kid": ...}, "The token has no kid: it must name its signing key."),
        ({"kid": ""}, "The token has no kid: it must name its signing key."),
        ({"kid": 7}, MALFORMED),
        ({"kid": None}, MALFORMED),
        ({"typ": "logout+jwt"}, NO_ACCESS_TOKEN),
        ({"typ": "dpop+jwt"}, NO_ACCESS_TOKEN),
        ({"crit": ["exp"], "exp": 1}, MALFORMED),
        ({"crit": []}, MALFORMED),
        ({"b64": False, "crit": ["b64"]}, MALFORMED),
    ],
)
def test_invalid_headers_are_rejected(
    verifier: Verifier, header: dict[str, object], reason: str
) -> None:
    own = {"alg": "ES256", "kid": "ec"} | header
    sent = {name: value for name, value in own.items() if value is not ...}

    assert_rejected(verifier, assembled(sent, claims(), b"signature"), reason)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_types_of_access_tokens_are_accepted(verifier: Verifier, typ: str) -> None:
    text = jwt.encode(claims(), EC_KEY, "ES256", headers={"kid": "ec", "typ": typ})

    assert verifier.verify(f"Bearer {text}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic YWRhOmxvdmVsYWNl",
        "Bearer a",
        "Bearer a.b",
        "Bearer a.b.c.d",
        "Bearer a..c",
        "Bearer a.b.c, Bearer a.b.c",
        "Bearer a.b.c a.b.c",
        "Bearer a.b.c\n",
        "Bearer\ta.b.c",
        "Bearer a.b.c=",
        "Bearer ä.b.c",
        "Bearer \ud800.b.c",
        "Bearera.b.c",
        "Basic a.b.c",
    ],
)
def test_value_without_a_token_is_rejected(verifier: Verifier, value: str) -> None:
    with refused(NO_TOKEN):
        verifier.verify(value)


def test_valid_token_in_a_malformed_header_is_rejected(verifier: Verifier) -> None:
    text = token()

    for value in (text, f"Token {text}", f" Bearer {text}", f"Bearer {text} ", f"Bearer {text}="):
        with refused(NO_TOKEN):
            verifier.verify(value)


@pytest.mark.parametrize("part", [{}, [], "text", 7, None, {"alg": "ES256"}])
def test_parts_that_are_not_objects_are_rejected(verifier: Verifier, part: object) -> None:
    header = {"alg": "ES256", "kid": "ec"}
    jws = jwt.PyJWS()
    signed = jws.encode(json.dumps(part).encode(), EC_KEY, "ES256", headers=header)

    for text in (assembled(part, claims(), b"s"), assembled(header, part, b"s"), signed):
        with pytest.raises(InvalidToken):
            verifier.verify(f"Bearer {text}")


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[" * 5_000, b'{"exp":' + b"9" * 5_000 + b"}"])
def test_signed_garbage_is_rejected(verifier: Verifier, payload: bytes) -> None:
    text = jwt.PyJWS().encode(payload, EC_KEY, "ES256", headers={"kid": "ec"})

    with pytest.raises(InvalidToken):
        verifier.verify(f"Bearer {text}")


def test_too_long_token_is_rejected_unparsed(verifier: Verifier, server: KeyServer) -> None:
    assert_rejected(verifier, token(filler="x" * 8_192), "The token is too long.")
    assert server.requests == []


def test_largest_token_is_accepted(verifier: Verifier) -> None:
    assert verifier.verify(f"Bearer {token(filler='x' * 5_700)}")


@cache
def offline_verifier() -> Verifier:
    """Return a verifier with cached keys that it never fetches again."""
    with closing(KeyServer()) as server:
        server.publish(ec_jwk())
        verifier = Verifier(TokenSettings(ISSUER, (AUDIENCE,), server.url))
        verifier.verify(f"Bearer {token()}")
    verifier._keys._tried_at = float("inf")
    return verifier


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)


@given(st.text() | st.text().map("Bearer {}".format))
def test_any_text_is_rejected(text: str) -> None:
    with pytest.raises(InvalidToken):
        offline_verifier().verify(text)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip"]), json_values),
    json_values,
    st.binary(),
)
def test_any_unsigned_token_is_rejected(
    header: dict[str, object], payload: object, signature: bytes
) -> None:
    text = assembled({"alg": "ES256", "kid": "ec"} | header, payload, signature)

    with pytest.raises(InvalidToken):
        offline_verifier().verify(f"Bearer {text}")


@pytest.mark.exhaustive
@given(
    st.dictionaries(
        st.sampled_from(
            ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "token_use"]
        ),
        json_values,
    )
)
def test_any_signed_claims_give_a_caller_or_are_rejected(other: dict[str, object]) -> None:
    payload = json.dumps(claims() | other).encode()
    text = jwt.PyJWS().encode(payload, EC_KEY, "ES256", headers={"kid": "ec"})

    try:
        caller = offline_verifier().verify(f"Bearer {text}")
    except InvalidToken:
        return
    assert caller.subject
    assert all(isinstance(scope, str) for scope in caller.scopes)
    assert isinstance(caller.expires, int)


# --- the issuer's keys ---


def test_keys_are_fetched_once(verifier: Verifier, server: KeyServer) -> None:
    assert server.requests == []

    for _ in range(5):
        verifier.verify(f"Bearer {token()}")

    assert server.requests == ["/keys"]


def test_query_of_the_key_url_is_sent(server: KeyServer) -> None:
    assert Keys(server.url + "?pool=a").find("ec", "ES256")
    assert Keys(server.url.replace("/keys", "?pool=b")).find("ec", "ES256")
    assert server.requests == ["/keys?pool=a", "/?pool=b"]


def test_token_of_an_unknown_key_is_rejected(verifier: Verifier) -> None:
    assert_rejected(verifier, token("unknown"), OTHER_KEY)


def test_unknown_key_ids_cause_few_fetches(server: KeyServer) -> None:
    clock = Clock()
    keys = Keys(server.url, clock)

    for kid in range(100):
        assert keys.find(str(kid), "ES256") is None
        assert keys.find("ec", "ES256")
        clock.now += 0.5

    assert len(server.requests) == 5


def test_rotated_key_is_fetched_after_ten_seconds(server: KeyServer) -> None:
    clock = Clock()
    keys = Keys(server.url, clock)
    assert keys.find("ec", "ES256")
    server.publish(ec_jwk("next", key=NEXT_KEY))

    clock.now += 9
    assert keys.find("next", "ES256") is None
    clock.now += 1
    assert keys.find("next", "ES256")
    assert keys.find("ec", "ES256") is None


def test_withdrawn_key_is_rejected_after_five_minutes(server: KeyServer) -> None:
    clock = Clock()
    keys = Keys(server.url, clock)
    assert keys.find("ec", "ES256")
    server.publish(ec_jwk("next", key=NEXT_KEY))

    clock.now += 300
    assert keys.find("ec", "ES256")
    clock.now += 1
    assert keys.find("ec", "ES256") is None


def wrong_status(server: KeyServer) -> None:
    server.status = 503


def redirected(server: KeyServer) -> None:
    server.status, server.headers = 302, {"Location": server.url}


def garbage(server: KeyServer) -> None:
    server.body = b"<html>not found</html>"


def huge(server: KeyServer) -> None:
    server.body = server.body[:-1] + b" " * 70_000 + b"}"


def deep(server: KeyServer) -> None:
    server.body = b"[" * 60_000


def cut_short(server: KeyServer) -> None:
    server.headers = {"Content-Length": str(len(server.body))}
    server.body = server.body[:-1]


def slow(server: KeyServer) -> None:
    server.release.clear()


def without_keys(server: KeyServer) -> None:
    server.publish()


def not_a_set(server: KeyServer) -> None:
    server.body = b'["keys"]'


def not_a_list(server: KeyServer) -> None:
    server.body = b'{"keys": {"kid": "ec"}}'


BROKEN = [
    wrong_status,
    redirected,
    garbage,
    huge,
    deep,
    cut_short,
    slow,
    without_keys,
    not_a_set,
    not_a_list,
]


def set_timeout(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit the wait for each part of a response. The clock stands still, so sending takes none."""
    monkeypatch.setattr("chalicelib.tokens.keys.TIMEOUT_SECONDS", seconds)
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.mark.parametrize("broken", BROKEN)
def test_token_is_not_verified_without_keys(
    server: KeyServer,
    verifier: Verifier,
    broken: Callable[[KeyServer], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(server)
    set_timeout(0.2 if broken is slow else 60, monkeypatch)
    text = token(sub="ada@example.com")

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            verifier.verify(f"Bearer {text}")

    eventually(lambda: server.requests == ["/keys"])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert server.url in record.getMessage()
    assert "ada" not in caplog.text
    assert text not in caplog.text


def test_unreachable_key_server_raises_keys_unavailable() -> None:
    with pytest.raises(KeysUnavailable):
        Keys("http://127.0.0.1:1").find("ec", "ES256")


@pytest.mark.parametrize("broken", BROKEN)
def test_cached_keys_survive_failing_fetches_for_an_hour(
    server: KeyServer, broken: Callable[[KeyServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    keys = Keys(server.url, clock)
    assert keys.find("ec", "ES256")
    good = server.body
    broken(server)
    set_timeout(0.2 if broken is slow else 60, monkeypatch)

    for age in (301, 1_800, 3_600):
        clock.now = 1_000 + age
        assert keys.find("ec", "ES256")
        with pytest.raises(KeysUnavailable):
            keys.find("unknown", "ES256")
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        keys.find("ec", "ES256")
    eventually(lambda: len(server.requests) == 4)

    server.status, server.body, server.headers = 200, good, {}
    server.release.set()
    set_timeout(60, monkeypatch)
    clock.now += 10
    assert keys.find("ec", "ES256")
    assert keys.find("unknown", "ES256") is None


def test_key_set_size_is_limited(server: KeyServer) -> None:
    server.body = server.body.ljust(keys.MAX_KEY_SET_BYTES)
    assert Keys(server.url).find("ec", "ES256")

    server.body += b" "
    with pytest.raises(KeysUnavailable):
        Keys(server.url).find("ec", "ES256")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"220 mail.example.com ESMTP\r\n\r\n", "a response that is not HTTP/1.1"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "a response that is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "a response without its length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", "a response that ends too early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "a response that ends too early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", "ValueError"),
    ],
)
def test_other_responses_raise_keys_unavailable(response: bytes, reason: str) -> None:
    with serving(answers(response)) as server, pytest.raises(KeysUnavailable, match=reason):
        Keys(f"http://127.0.0.1:{server.port}").find("ec", "ES256")


def test_chunked_key_set_is_read() -> None:
    body = json.dumps({"keys": [ec_jwk()]}).encode()
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:], b""))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(answers(head + parts)) as server:
        assert Keys(f"http://user:secret@127.0.0.1:{server.port}/keys").find("ec", "ES256")

    sent = f"GET /keys HTTP/1.1\r\nhost:127.0.0.1:{server.port}\r\nuser-agent:customers-api\r\n\r\n"
    assert server.requests == [sent.encode()]


FETCH = """
import sys
from chalicelib.tokens.keys import Keys
sys.exit(not Keys(sys.argv[1]).find("ec", "ES256"))
"""


def test_certificate_must_be_of_a_trusted_authority(tmp_path: Path) -> None:
    """The system's authorities decide, which OpenSSL reads from SSL_CERT_FILE of a new process."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    body = json.dumps({"keys": [ec_jwk()]}).encode()
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def errors(url: str, authorities: Path) -> str:
        command = [sys.executable, "-c", FETCH, url]
        environment = {**os.environ, "SSL_CERT_FILE": str(authorities)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    with serving(answers(response), tls=context) as server:
        named, numbered = (f"https://{host}:{server.port}" for host in ("localhost", "127.0.0.1"))
        assert "SSLCertVerificationError" in errors(named, Path(os.devnull))
        assert "SSLCertVerificationError" in errors(numbered, tmp_path / "ca.pem")
        assert server.requests == []
        assert errors(named, tmp_path / "ca.pem") == ""


def test_key_server_with_invalid_certificate_is_rejected(server: KeyServer) -> None:
    with pytest.raises(KeysUnavailable):
        Keys(server.url.replace("http:", "https:")).find("ec", "ES256")


@pytest.mark.parametrize(
    "jwk",
    [
        rsa_jwk("other", key=WEAK_KEY),
        ec_jwk("other", use="enc"),
        rsa_jwk("other", use="enc"),
        rsa_jwk("other", alg="RS512"),
        rsa_jwk("other", alg="ES256"),
        rsa_jwk("other", alg=["RS256"]),
        rsa_jwk("other", alg="RSA-OAEP"),
        ec_jwk("other", alg="RS256"),
        ec_jwk("other", x="AAAA"),
        ec_jwk("other", kty=["EC"]),
        ec_jwk("other", key=P384_KEY),
        ec_jwk("other", key=P384_KEY, alg="ES256"),
        ec_jwk("other", key=BITCOIN_KEY, alg="ES256"),
        {"kid": "other", "kty": "oct", "k": "c2VjcmV0"},
        {"kid": "other", "kty": "oct", "k": "c2VjcmV0", "alg": "RS256"},
        {"kid": "other", "kty": "RSA"},
        {"kid": "other"},
        "other",
        None,
    ],
)
def test_unusable_keys_are_ignored(server: KeyServer, jwk: object) -> None:
    server.publish(jwk, ec_jwk())
    keys = Keys(server.url)

    assert keys.find("ec", "ES256")
    for algorithm in ("RS256", "ES256", "HS256"):
        assert keys.find("other", algorithm) is None


def test_key_without_a_kid_is_ignored(server: KeyServer) -> None:
    bare = {name: value for name, value in ec_jwk().items() if name != "kid"}
    server.publish(bare, bare | {"kid": None}, bare | {"kid": ""}, rsa_jwk())
    keys = Keys(server.url)

    for kid in ("None", ""):
        assert keys.find(kid, "ES256") is None


@pytest.mark.parametrize("use", [{}, {"alg": "ES256"}])
def test_key_without_use_is_accepted(server: KeyServer, use: dict[str, str]) -> None:
    bare = {name: value for name, value in ec_jwk().items() if name not in {"use", "key_ops"}}
    server.publish(bare | use)

    assert Keys(server.url).find("ec", "ES256")


def test_keys_with_the_same_kid_are_distinguished_by_type(server: KeyServer) -> None:
    server.publish(ec_jwk("same"), rsa_jwk("same"))
    keys = Keys(server.url)

    for algorithm in ("ES256", "RS256"):
        found = keys.find("same", algorithm)
        assert found
        assert found.algorithm == algorithm


@given(json_values, st.lists(st.dictionaries(st.sampled_from(["kty", "alg", "kid"]), json_values)))
@pytest.mark.exhaustive
def test_any_malformed_key_set_raises_keys_unavailable(document: object, jwks: object) -> None:
    for item in (document, {"keys": document}, {"keys": jwks}):
        with pytest.raises(KeysUnavailable):
            keys._usable_keys(json.dumps(item).encode())


def test_threads_share_one_fetch(server: KeyServer, verifier: Verifier) -> None:
    server.release.clear()
    text, callers = token(), list[Caller]()
    threads = [
        threading.Thread(target=lambda: callers.append(verifier.verify(f"Bearer {text}")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    server.release.set()
    for thread in threads:
        thread.join()

    assert len(callers) == 8
    assert server.requests == ["/keys"]


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com/keys",
        "http://127.0.0.1.example.com/keys",
        "http://localhost@issuer.example.com/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "https://",
        "https://[::1/keys",
        "https://issuer.example.com:http/keys",
        "issuer.example.com",
        "https://bücher.example.com/keys",
        "https://issuer.example.com/keys HTTP/1.1",
        "https://issuer.example.com/keys\r\nx:y",
        "",
    ],
)
def test_key_url_without_https_is_rejected(url: str) -> None:
    with pytest.raises(SettingsError, match="TOKEN_JWKS_URL"):
        Verifier(TokenSettings(ISSUER, (AUDIENCE,), url))


@pytest.mark.parametrize(
    "url", ["https://issuer.example.com/keys", "http://[::1]:8003/keys", "http://localhost/keys"]
)
def test_https_and_loopback_key_urls_are_accepted(url: str) -> None:
    Verifier(TokenSettings(ISSUER, (AUDIENCE,), url))


# --- the authorizer's response to API Gateway ---

METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abcdef/prod/GET/customers"


def authorizer_request(value: str) -> AuthRequest:
    return AuthRequest("TOKEN", value, METHOD)


@pytest.fixture
def environment(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TOKEN_ISSUER", ISSUER)
    monkeypatch.setenv("TOKEN_AUDIENCE", f"{AUDIENCE} other")
    monkeypatch.setenv("TOKEN_JWKS_URL", server.url)
    monkeypatch.setenv("STAGE", "prod")
    authorizer.verifier.cache_clear()
    yield
    authorizer.verifier.cache_clear()


ADMITTED = "b6a26903adef4c28180ba2183bf40086e81b33874fd790ad42c065b59bed23ed"
"""The value of ada's key in the stage prod, recorded: admitted callers keep theirs."""


@pytest.mark.usefixtures("environment")
def test_valid_token_allows_every_route(server: KeyServer) -> None:
    expires = int(time.time()) + 60
    request = authorizer_request(
        f"Bearer {token(exp=expires, scope='customers:write customers:read')}"
    )

    for _ in range(2):
        assert authorize(request) == {
            "principalId": "ada",
            "usageIdentifierKey": ADMITTED,
            "context": {"scopes": "customers:read customers:write", "expires": str(expires)},
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "execute-api:Invoke",
                        "Resource": [METHOD.replace("GET/customers", "*/*")],
                    }
                ],
            },
        }
    assert server.requests == ["/keys"]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("expires", "reason"), [(1, "The token has expired."), ("soon", MALFORMED)]
)
def test_invalid_token_is_denied(expires: object, reason: str) -> None:
    assert authorize(authorizer_request(f"Bearer {token(exp=expires)}")) == {
        "principalId": "unknown",
        "context": {"reason": reason},
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": ["*"]}],
        },
    }


@pytest.mark.usefixtures("environment")
def test_missing_keys_raise_keys_unavailable(server: KeyServer) -> None:
    server.status = 503

    with pytest.raises(KeysUnavailable):
        authorize(authorizer_request(f"Bearer {token()}"))


@pytest.mark.usefixtures("environment")
def test_missing_settings_raise_settings_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "customers-prod-authorize")
    monkeypatch.delenv("TOKEN_AUDIENCE")

    with pytest.raises(SettingsError, match="TOKEN_AUDIENCE"):
        authorize(authorizer_request(f"Bearer {token()}"))


@pytest.mark.usefixtures("environment")
def test_chalice_calls_the_authorizer_before_a_view() -> None:
    app = Chalice("guarded")
    guard = app.authorizer(ttl_seconds=300)(authorize)

    @app.route("/", authorizer=guard)
    def view() -> object:
        assert app.current_request
        context: dict[str, str] = app.current_request.context["authorizer"]
        return context

    http = Client(app).http
    good = http.request("GET", "/", {"Authorization": f"Bearer {token(scope='customers:read')}"})
    bad = http.request("GET", "/", {"Authorization": f"Bearer {token(exp=1)}"})

    assert (good.status_code, bad.status_code) == (200, 403)
    assert good.json_body["principalId"] == "ada"
    assert good.json_body["scopes"] == "customers:read"
