"""The functions of app.py in this process, on a real database that is reset for each case."""

import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import pymysql

import app
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Row, Value, tables
from chalicelib.database.mysql import connection_arguments
from chalicelib.events import bus, relay
from chalicelib.events.cloudevents import Event
from chalicelib.observability import logs
from load.fuzz.cases import (
    CUSTOMER,
    DELETED,
    ERASED,
    KEY,
    KNOWN,
    OVERDUE,
    TOKEN,
    Case,
    request,
)

HOUR_MS = 3_600_000
NOTHING_SENT = """
REPLACE INTO relay_positions (name, revision, sent_until, pass_until, page_id)
VALUES ('customers', 1, '2020-01-01', '2020-01-01', '')
"""
_STORED = ", ".join((*CUSTOMERS.stored, *tables.IDEMPOTENCY, "last_write", "erased_at", "history"))


class Outcome(NamedTuple):
    """The outcome of a case: a response or an error, and the logged lines."""

    response: Any
    error: Exception | None
    logged: str


class Bus:
    """An event bus that accepts all events."""

    def __init__(self, name: str) -> None:
        pass

    def put(self, events: Sequence[Event]) -> list[bool]:
        return [True for _ in events]


class World:
    """The state that each case meets: five customers, one in every possible state, without events.

    `token` replaces `{token}`. DATABASE_URL names the database, regardless of how the functions
    themselves reach it.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._log = io.StringIO()
        logging.getLogger().setLevel(logging.INFO)
        for log in (app.app.log, logging.getLogger()):
            for handler in log.handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.setFormatter(logs.Formatter())
                    handler.setStream(self._log)
        os.environ["EVENT_BUS"] = "customers-dev"
        bus.EventBridge = Bus  # type: ignore[assignment, misc]
        relay.DELAY_SECONDS = 0  # type: ignore[attr-defined]
        self._connection = pymysql.connect(**connection_arguments(os.environ["FUZZ_DATABASE_URL"]))
        self._has_written = False
        self._run_statement = app.database()._run  # noqa: SLF001
        app.database()._run = self._run_noticed  # type: ignore[method-assign]  # noqa: SLF001
        self._populate()
        self._reset()

    def run(self, case: Case) -> Outcome:
        """Send the event to the function, then reset the customers."""
        self._log.seek(0)
        self._log.truncate()
        event = json.loads(json.dumps(case.event).replace(TOKEN, self.token))
        context = SimpleNamespace(
            aws_request_id="of-lambda", get_remaining_time_in_millis=lambda: HOUR_MS
        )
        try:
            outcome = Outcome(getattr(app, case.function)(event, context), None, self._logged)
        except Exception as error:  # noqa: BLE001
            outcome = Outcome(None, error, self._logged)
        if self._has_written:
            self._reset()
        return outcome

    @property
    def _logged(self) -> str:
        return self._log.getvalue()

    def _populate(self) -> None:
        """Create the customers through the app, then set their ids."""
        self._statement("DELETE FROM customers")
        for n, customer_id in enumerate(KNOWN):
            own = {"email": f"zqm.{n}@example.com", "external_id": f"zqm-of-{n}"} if n else {}
            created = self._app(request("POST", "/customers", CUSTOMER | own, _key(n)))
            self._statement(
                "UPDATE customers SET id = UNHEX(REPLACE(%s, '-', ''))"
                " WHERE id = UNHEX(REPLACE(%s, '-', ''))",
                customer_id,
                json.loads(created["body"])["id"],
            )
        for customer_id in (DELETED, OVERDUE):
            self._app(request("DELETE", f"/customers/{customer_id}"))
        self._app(request("POST", f"/customers/{ERASED}/erase"))
        self._statement(
            "UPDATE customers SET purge_at = '2020-01-01' WHERE id = UNHEX(REPLACE(%s, '-', ''))",
            OVERDUE,
        )
        self._statement("DROP TABLE IF EXISTS known")
        self._statement(f"CREATE TABLE known AS SELECT {_STORED} FROM customers")  # noqa: S608

    def _run_noticed(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self._has_written |= not sql.startswith("SELECT")
        return self._run_statement(sql, parameters)

    def _reset(self) -> None:
        self._has_written = False
        self._statement("DELETE FROM customers")
        self._statement(f"INSERT INTO customers ({_STORED}) SELECT {_STORED} FROM known")  # noqa: S608
        self._statement(NOTHING_SENT)

    def _app(self, case: Case) -> Any:
        response = app.app(case.event, SimpleNamespace(aws_request_id="of-lambda"))
        if response["statusCode"] not in {201, 204}:
            raise RuntimeError(f"could not create the customers: {response}")
        return response

    def _statement(self, sql: str, *values: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)


def _key(n: int) -> dict[str, str]:
    return {"Idempotency-Key": KEY} if n == 0 else {}
