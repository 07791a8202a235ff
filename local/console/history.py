"""The console's routes for requests: the list, and the details of each."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chalicelib.observability.telemetry import pseudonym
from chalicelib.settings import LOCAL_CURSOR_KEY
from local.console.collector import Collector
from local.console.lines import Lines
from local.console.plans import PlanError, explain
from local.console.shelf import KEPT
from local.console.traces import Traces
from local.issuer import SUBJECT

# Not Starlette's JSONResponse: text from other programs may not be encodable in UTF-8.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class History:
    """Serves the requests of `traces`. Without a database there are no query plans."""

    def __init__(
        self,
        traces: Traces,
        collector: Collector,
        lines: Lines,
        database_url: str | None,
        api_failure: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._traces = traces
        self._collector = collector
        self._lines = lines
        self._database_url = database_url
        self._api_failure = api_failure

    def routes(self, origin: str) -> list[Route]:
        """Return the routes of single requests, and of their callers.

        Only the console's own pages may request query plans.
        """
        plan = partial(self._plan, origin)
        return [
            Route("/requests/{trace_id}", self._one_request),
            Route("/requests/{trace_id}/plan", plan, methods=["POST"]),
            Route("/callers", self._callers),
        ]

    def list(self, request: Request) -> Response:
        """Return the requests that changed since a `sequence` and match `q`, and what is missing.

        A sequence before `first` is from an earlier console, whose requests are not stored here.
        `api_failure` says why the API does not start.
        """
        try:
            since = int(request.query_params["since"])
        except ValueError:
            return _error("since must be the sequence of an earlier response, or 0.", 400)
        self._lines.read()
        traces, search = self._traces, request.query_params.get("q", "")
        sequence = traces.sequence  # before the list, so that no change is skipped
        return _json(
            {
                "first": traces.first,
                "sequence": sequence,
                "requests": traces.since(since, search),
                "total": traces.total,
                "oldest": traces.oldest,
                "evicted": {"count": traces.evicted, "until": traces.evicted_until},
                "api_failure": self._api_failure(),
                "dropped": {
                    "lost": self._collector.lost,
                    "refused": traces.refused,
                    "full": traces.full,
                },
            }
        )

    def _one_request(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        known_request = self._traces.request(trace_id)
        if known_request is None:
            return _error(
                f"Unknown request. The console stores the last {KEPT:,}: this one was evicted, or"
                " is from before the console started.",
                404,
            )
        try:
            return _json({"request": known_request, **self._details(trace_id)})
        except RecursionError:  # a trace may be too deep for JSON
            return _error(
                "The trace is nested too deeply to be shown.", HTTPStatus.UNPROCESSABLE_ENTITY
            )

    def _callers(self, _: Request) -> Response:
        """Return the names of callers by their pseudonyms, which the API's history contains."""
        key = LOCAL_CURSOR_KEY.encode()
        return _json({pseudonym(name, key): name for name in [SUBJECT, *self._traces.callers]})

    def _details(self, trace_id: str) -> dict[str, Any]:
        lines = self._lines.of(trace_id)
        request_ids = (line["request_id"] for line in lines if "request_id" in line)
        return {
            "request_id": next(request_ids, None),
            "segments": self._traces.segments(trace_id),
            "exchanges": self._traces.exchanges(trace_id),
            "lines": lines,
            "metrics": _metrics(lines),
            "has_plans": self._database_url is not None,
        }

    def _plan(self, origin: str, request: Request) -> Response:
        # Browsers send Origin with every POST, and a page can't fake it.
        if request.headers.get("origin") != origin:
            return _error("Query plans are only for the console's own pages.", 403)
        segments = self._traces.segments(request.path_params["trace_id"])
        segment_id = request.query_params.get("segment")
        sql = next((segment["sql"] for segment in segments if segment["id"] == segment_id), None)
        if sql is None or self._database_url is None:
            return _error("Unknown statement, or no database.", 404)
        try:
            return _json(explain(self._database_url, sql))
        except PlanError as error:
            return _error(str(error), HTTPStatus.UNPROCESSABLE_ENTITY)


def _metrics(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return name, unit and value of each metric that CloudWatch would extract from the lines."""
    return [
        {"name": metric["Name"], "unit": metric["Unit"], "value": line[metric["Name"]]}
        for line in lines
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
    ]


def _error(message: str, status: int) -> Response:
    return _json({"error": message}, status)


def _json(content: object, status: int = 200) -> Response:
    return Response(_encode(content), status, media_type="application/json")
