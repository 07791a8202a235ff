"""In the stage `local`, the gateway shows the text and the traceback of unexpected exceptions."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib.database import Database, DuplicateKey, StatementFailed
from chalicelib.database.errors import error_for
from local import failures
from local.gateway import Gateway
from tests import tokens

TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
PLAIN = "The service failed. If this persists, report the request_id."


class Stage:
    """The app behind the gateway of a stage, whose log goes nowhere."""

    def __init__(self, *, is_local: bool) -> None:
        self._gateway = Gateway(app.app, Client(app.app, stage_name="local")._chalice_config)
        if is_local:
            self._gateway.show_details()

    def get(self, path: str) -> dict[str, Any]:
        token = tokens.token(*app.SCOPES)
        headers = {"Authorization": f"Bearer {token}", "X-Amzn-Trace-Id": f"Root={TRACE_ID}"}
        body: dict[str, Any] = json.loads(
            self._gateway.handle_request("GET", path, headers, None)["body"]
        )
        return body


@pytest.fixture
def local() -> Iterator[Stage]:
    before = [(log, list(log.handlers)) for log in (app.app.log, logging.getLogger())]
    yield Stage(is_local=True)
    for log, handlers in before:
        log.handlers = handlers


def fail() -> None:
    raise ValueError("a secret")


def test_unexpected_exception_is_shown(
    local: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "database", fail)

    problem = local.get("/customers")

    assert problem["detail"].startswith(f"{PLAIN} In the stage local: ValueError: a secret (")
    assert re.search(r"\(tests/local/test_failures.py:\d+, in fail\)\.$", problem["detail"])
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert line["traceback"].endswith("ValueError: a secret\n")
    assert (line["trace_id"], line["level"]) == (TRACE_ID, "ERROR")
    assert local.get("/customers?limit=x")["detail"] == "`errors` lists what to change."


def test_other_stages_show_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "database", fail)

    assert Stage(is_local=False).get("/customers")["detail"] == PLAIN
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1 FROM nothing", "nothing' doesn't exist.*A table is missing"),
        ("SELECT nothing FROM customers", "nothing' in .*A column is missing"),
    ],
)
def test_missing_table_or_column_takes_a_migration(migrated: Database, sql: str, text: str) -> None:
    with pytest.raises(StatementFailed) as caught:
        migrated.fetch_all(sql)

    described = failures.describe(caught.value)
    place = r" \(tests/local/test_failures.py:\d+, in test_missing.*\)"
    assert re.search(f"{text.replace('.*', f'.*{place}. ')}.*: run `make migrate`", described)


@pytest.mark.parametrize("error", [error_for(1064), DuplicateKey("a key", 1062), KeyError("x")])
def test_other_error_is_not_about_migrations(error: Exception) -> None:
    assert "make migrate" not in failures.describe(error)
