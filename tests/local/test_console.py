"""The console publishes the issuer's keys on this machine, and nothing to other sites."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app import READ, SCOPES
from chalicelib.database import Database
from chalicelib.observability.tracing import MAX_SQL
from chalicelib.settings import LOCAL_AUDIENCE, TokenSettings
from chalicelib.tokens.authorizer import Verifier
from local import seed
from local.console import plans
from local.console.plans import PlanError, explain
from local.database_server import DatabaseServer
from local.issuer import Issuer
from local.processes import Child, answers, free_port

DATABASE = "mysql://me:a%20secret@db.example.com:3307/customers"
KEYS = "/.well-known/jwks.json"
TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
PAGES = ("/", "/customers", "/requests", "/events", "/documentation")
PATHS = (*PAGES, "/overview", "/events/latest", KEYS, "/.well-known/openid-configuration")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def console(state: Path) -> Iterator[str]:
    port = free_port()
    with Child(
        "console",
        [sys.executable, "-m", "local.console", "--port", str(port)],
        state / "logs" / "console.log",
        {**os.environ, "LOCAL_STATE": str(state), "PORT": "12345", "DATABASE_URL": DATABASE}
        | {"XRAY_PORT": str(free_port())},
    ) as server:
        server.wait_until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=60)


def ask_token(console: str, scope: str, **headers: str) -> requests.Response:
    return requests.post(f"{console}/token", params={"scope": scope}, headers=headers, timeout=60)


def test_published_keys_verify_printed_tokens(console: str, state: Path) -> None:
    configuration = get(console + "/.well-known/openid-configuration").json()
    settings = TokenSettings(configuration["issuer"], (LOCAL_AUDIENCE,), configuration["jwks_uri"])

    caller = Verifier(settings).verify(f"Bearer {Issuer(state, console).token()}")

    assert caller.scopes == set(SCOPES) == set(configuration["scopes_supported"])
    assert configuration["issuer"] == console


def test_home_page_describes_the_stack(console: str, state: Path) -> None:
    page = get(console)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert all(f'href="{path}"' in page.text for path in (*PAGES, *PATHS[-2:]))
    assert "http://127.0.0.1:12345" in page.text
    assert str(state / "logs") in page.text
    assert f"CONSOLE_PORT={console.rpartition(':')[2]} LOCAL_STATE=" in page.text
    assert " make -s token" in page.text
    assert "mysql://me@db.example.com:3307/customers" in page.text
    assert "secret" not in page.text


@pytest.mark.parametrize("path", PAGES)
def test_policy_of_pages_allows_only_own_scripts_and_the_api(console: str, path: str) -> None:
    page = get(console + path)

    policy = dict(
        directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; ")
    )
    uses_api = path in {"/customers", "/documentation"}
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["connect-src"] == ("'self' http://127.0.0.1:12345" if uses_api else "'self'")
    for linked in re.findall('(?:src|href)="(/[^"]+)"', page.text):
        assert get(console + linked).status_code == 200, linked


@pytest.mark.parametrize("path", PAGES)
def test_navigation_marks_the_current_page(console: str, path: str) -> None:
    marked = re.findall('href="([^"]+)" aria-current="page"', get(console + path).text)

    assert marked == [path]


def test_overview_of_no_requests_is_empty(console: str) -> None:
    figures = get(f"{console}/overview").json()

    assert (figures["requests"], figures["p50"], figures["slowest"]) == (0, None, [])
    assert figures["is_api_running"] is False
    assert get(f"{console}/events/latest?resource_id=nobody").json() == {"items": []}


def test_localhost_redirects_to_the_allowed_origin(console: str) -> None:
    answer = requests.get(console.replace("127.0.0.1", "localhost"), timeout=60)

    assert answer.status_code == 200
    assert answer.url == f"{console}/"


@pytest.mark.parametrize("scopes", [SCOPES, ("customers:read",)])
def test_page_gets_a_token_with_requested_scopes(console: str, scopes: tuple[str, ...]) -> None:
    answer = ask_token(console, " ".join(scopes), Origin=console)

    settings = TokenSettings(console, (LOCAL_AUDIENCE,), console + "/.well-known/jwks.json")
    caller = Verifier(settings).verify(f"Bearer {answer.json()['access_token']}")
    assert caller.scopes == set(scopes)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "origin", ["", "null", "http://localhost:{port}", "http://127.0.0.1:1", "https://127.0.0.1"]
)
def test_other_origin_gets_no_token(console: str, origin: str) -> None:
    """Without `Access-Control-Allow-Origin`, pages of the other origin can't read a response."""
    port = console.rpartition(":")[2]
    answer = ask_token(console, READ, Origin=origin.format(port=port))

    assert answer.status_code == 403
    assert "access_token" not in answer.text
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("scope", ["", "customers:admin", "customers:read customers:admin"])
def test_unknown_scope_gets_no_token(console: str, scope: str) -> None:
    answer = ask_token(console, scope, Origin=console)

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_scope"})


def test_get_request_gets_no_token(console: str) -> None:
    assert get(f"{console}/token?scope=customers:read", Origin=console).status_code == 405


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_every_response_has_security_headers(console: str, path: str) -> None:
    answer = get(console + path)

    assert answer.status_code == (404 if path == "/nothing" else 200)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Server" not in answer.headers


def test_missing_page_leads_to_the_others(console: str) -> None:
    answer = get(f"{console}/nothing")

    assert answer.headers["Content-Type"].startswith("text/html")
    assert "This page does not exist" in answer.text
    assert all(f'<a href="{path}">' in answer.text for path in PAGES)
    assert set(re.findall(r'(?:src|href)="(/pages/[^"]+)"', answer.text)) == {
        f"/pages/{name}" for name in ("console.css", "parts.css", "scheme.js")
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["attacker.example.com", "127.0.0.1.example.com", "192.168.0.1", "www.localhost", ""]
)
def test_other_host_names_are_rejected(console: str, path: str, host: str) -> None:
    """Another site could resolve its own name to this address: DNS rebinding."""
    answer = get(console + path, Host=host)

    assert answer.status_code == 400
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_localhost_is_accepted(console: str) -> None:
    assert get(console + KEYS, Host="localhost:8003").status_code == 200


# --- requests --------------------------------------------------------------------------------


def test_list_with_since_returns_json(console: str) -> None:
    answer = get(f"{console}/requests?since=0")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["dropped"] == {"lost": 0, "refused": 0, "full": 0}
    assert answer.json()["requests"] == []


@pytest.mark.parametrize("since", ["", "now", "1.5"])
def test_invalid_since_is_explained(console: str, since: str) -> None:
    answer = get(f"{console}/requests?since={since}")

    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_requests_page_shows_the_token_command(console: str) -> None:
    page = get(f"{console}/requests")

    assert f"CONSOLE_PORT={console.rpartition(':')[2]} LOCAL_STATE=" in page.text
    assert " make -s token" in page.text


def test_localhost_redirects_to_the_page_with_plans(console: str) -> None:
    answer = get(console.replace("127.0.0.1", "localhost") + "/requests")

    assert answer.url == f"{console}/requests"


@pytest.mark.parametrize("trace_id", [TRACE_ID, "nothing", "%3Cscript%3E", "%ff"])
def test_unknown_request_returns_404(console: str, trace_id: str) -> None:
    answer = get(f"{console}/requests/{trace_id}")

    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("origin", ["", "null", "http://localhost", "https://127.0.0.1"])
def test_other_origin_gets_no_plan(console: str, origin: str) -> None:
    url = f"{console}/requests/{TRACE_ID}/plan"

    assert requests.post(url, headers={"Origin": origin}, timeout=60).status_code == 403


def test_console_without_database_returns_no_plan(console: str) -> None:
    url = f"{console}/requests/{TRACE_ID}/plan"

    assert requests.post(url, headers={"Origin": console}, timeout=60).status_code == 404
    assert get(url, Origin=console).status_code == 405


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DROP TABLE customers", "Only SELECT"),
        ("SELECT 1; DROP TABLE customers", "Database error"),
        ("SELECT nothing FROM nowhere", "Database error"),
        ("SELECT " + "1, " * MAX_SQL, "only the first"),
        ("", "Only SELECT"),
    ],
)
def test_statement_without_plan_is_explained(
    database_server: DatabaseServer, migrated: Database, sql: str, reason: str
) -> None:
    with pytest.raises(PlanError, match=reason):
        explain(database_server.url, sql)
    assert migrated.fetch_all("SELECT COUNT(*) AS n FROM customers")


@pytest.mark.parametrize(
    ("sql", "key"),
    [
        ("SELECT email FROM customers WHERE id = :id AND deleted_at IS NULL", "PRIMARY"),
        ("SELECT id FROM customers WHERE id < :after_id ORDER BY id DESC LIMIT :rows", "PRIMARY"),
        ("UPDATE customers SET version = version + 1 WHERE id = :id", "PRIMARY"),
        ("DELETE FROM customers WHERE id = :id", "PRIMARY"),
        ("SELECT '%' FROM customers WHERE id = :unknown_7", ""),
    ],
)
def test_plan_uses_values_of_an_existing_row(
    database_server: DatabaseServer, migrated: Database, sql: str, key: str
) -> None:
    migrated.execute("DELETE FROM customers")
    seed.load(migrated, 3)

    plan = explain(database_server.url, sql)

    (row,) = plan["rows"]
    assert dict(zip(plan["columns"], row, strict=True))["key"] == key
    assert len(migrated.fetch_all("SELECT id FROM customers WHERE version = 1")) == 3


def test_plan_that_executes_the_statement_times_out(
    database_server: DatabaseServer, migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To plan the outer query, MariaDB executes a derived table with one row."""
    del migrated
    monkeypatch.setattr(plans, "PLAN_SECONDS", 1)

    with pytest.raises(PlanError, match="Database error"):  # without a limit, there is no error
        explain(database_server.url, "SELECT * FROM (SELECT SLEEP(60)) AS planted")


def test_unreachable_database_gives_no_plan() -> None:
    with pytest.raises(PlanError, match="Database error"):
        explain("mysql://me:secret@127.0.0.1:1/customers", "SELECT 1")


def test_udp_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        done = start(tmp_path, XRAY_PORT=str(port))

    reason = f"can't listen on UDP port {port}: Address already in use"
    assert (done.returncode, done.stderr) == (1, f"console: {reason}\n")


def start(state: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Start a console that can't start. Return its exit code and output."""
    return subprocess.run(
        [sys.executable, "-m", "local.console", "--port", str(free_port())],
        env={**os.environ, "LOCAL_STATE": str(state), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# --- ports, methods and damaged files --------------------------------------------------------


def test_other_methods_are_rejected(console: str) -> None:
    assert requests.post(console + KEYS, timeout=60).status_code == 405


def test_damaged_keys_are_explained(tmp_path: Path) -> None:
    (tmp_path / "issuer.json").write_text("{}")

    done = start(tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(f"console: can't read {tmp_path}/issuer.json: delete it")
