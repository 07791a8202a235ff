"""The gateway: authorizers, rate limits and the time of an invocation."""

from collections.abc import Callable
from typing import Any

import pytest
from chalice import AuthResponse, Chalice
from chalice.app import AuthRequest

from serve import gateway
from serve.gateway import Arrival, Gateway

asked: list[str] = []


def app_with(authorizer: Callable[[AuthRequest], Any], ttl: int | None = None) -> Chalice:
    own = Chalice("small")
    guard = own.authorizer(ttl_seconds=ttl)(authorizer)

    @own.route("/guarded", authorizer=guard)
    def guarded() -> str:
        request = own.current_request
        assert request
        return str(request.context["authorizer"]["principalId"])

    @own.route("/health")
    def health() -> str:
        return "ok"

    @own.route("/open/{name}")
    def open_(name: str) -> str:
        return name

    return own


def allow(request: AuthRequest) -> AuthResponse:
    asked.append(request.token)
    return AuthResponse(["*"] if request.token != "deny" else [], request.token)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    asked.clear()


def get(own: Gateway, path: str, token: str = "ada") -> Any:  # noqa: S107 (a name)
    headers = {"authorization": token} if token else {}
    return own.handle_request("GET", path, headers, None, Arrival("192.0.2.1", 0))


def test_result_of_the_authorizer_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    own = Gateway(app_with(allow), 28)
    monkeypatch.setattr(own._authorizers, "_clock", lambda: now)

    assert [get(own, "/guarded", token)["body"] for token in ("ada", "grace", "ada")] == [
        "ada",
        "grace",
        "ada",
    ]
    assert asked == ["ada", "grace"]
    now = gateway.TOKEN_SECONDS - 1
    get(own, "/guarded")
    assert asked == ["ada", "grace"]
    now = gateway.TOKEN_SECONDS
    get(own, "/guarded")
    assert asked == ["ada", "grace", "ada"]


def test_cache_time_of_the_authorizer_applies() -> None:
    own = Gateway(app_with(allow, ttl=0), 28)

    get(own, "/guarded")
    get(own, "/guarded")
    assert asked == ["ada", "ada"]


def test_denial_is_not_cached() -> None:
    """A client without valid tokens can't fill the cache."""
    own = Gateway(app_with(allow), 28)

    assert [get(own, "/guarded", "deny")["statusCode"] for _ in range(2)] == [401, 401]
    assert asked == ["deny", "deny"]
    assert own._authorizers._cache == {}


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "MAX_CACHED", 3)
    own = Gateway(app_with(allow), 28)

    for number in range(10):
        get(own, "/guarded", str(number))
    assert len(own._authorizers._cache) <= 3


def test_client_is_its_address_until_its_token_is_known() -> None:
    clients: list[str] = []

    def allows(client: str) -> bool:
        clients.append(client)
        return len(clients) < 5

    own = Gateway(app_with(allow), 28, allows)
    statuses = [
        get(own, path)["statusCode"] for path in ("/guarded", "/guarded", "/open/a", "/nowhere")
    ]
    assert statuses == [200, 200, 200, 404]
    assert clients == ["192.0.2.1", "ada", "192.0.2.1"]
    assert get(own, "/guarded", "deny")["statusCode"] == 401
    assert get(own, "/guarded")["statusCode"] == 429
    assert asked == ["ada", "deny"]


def test_no_rate_limit_applies_to_liveness_checks() -> None:
    """A load balancer's address may be the one of all clients."""
    own = Gateway(app_with(allow), 28, lambda _: False)

    assert [get(own, path)["statusCode"] for path in ("/health", "/open/a")] == [200, 429]


def test_time_of_an_invocation_runs_from_the_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Gateway(app_with(allow), 28)
    monkeypatch.setattr("serve.gateway.time.monotonic", lambda: 10.0)
    seen: list[float] = []
    monkeypatch.setattr(
        own, "_app", _recording(own._app, lambda c: seen.append(c.get_remaining_time_in_millis()))
    )

    get(own, "/open/a")
    assert seen == [18_000]


@pytest.mark.parametrize(
    ("name", "value"), [("x y", "1"), ("", "1"), ("x", "a\nb"), ("x", "\x7f"), ("x", "\u0100")]
)
def test_header_that_http_does_not_allow_is_an_error(name: str, value: str) -> None:
    response = {
        "statusCode": 200,
        "headers": {"y": "\ta\xe9", name: value},
        "multiValueHeaders": {},
    }

    with pytest.raises(ValueError, match="not a valid header"):
        gateway.check_head(response)


def _recording(app: Chalice, record: Callable[[Any], None]) -> Any:
    class Recording:
        routes = app.routes

        def __call__(self, event: Any, context: Any) -> Any:
            record(context)
            return app(event, context)

    return Recording()
