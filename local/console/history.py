"""What the console tells of requests: which there were, and what is known of each."""

import json
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.console.collector import Collector
from local.console.lines import Lines
from local.console.plans import PlanError, explain
from local.console.traces import Traces

# Not Starlette's own: what others send may be text that UTF-8 does not have.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class History:
    """Answers about the requests of `traces`; without a database there are no plans."""

    def __init__(
        self, traces: Traces, collector: Collector, lines: Lines, database_url: str | None
    ) -> None:
        self._traces = traces
        self._collector = collector
        self._lines = lines
        self._database_url = database_url

    def routes(self, origin: str) -> list[Route]:
        """Return the routes of single requests; plans are for pages of the origin alone."""
        plan = partial(self._plan, origin)
        return [
            Route("/requests/{trace_id}", self._one),
            Route("/requests/{trace_id}/plan", plan, methods=["POST"]),
        ]

    def list(self, request: Request) -> Response:
        """Answer with what has changed since a `sequence`, and with what could not be kept.

        A sequence before `first` is of another console: what it told of is not here.
        """
        try:
            since = int(request.query_params["since"])
        except ValueError:
            return _error("since is the sequence of an earlier answer, or 0.", 400)
        self._lines.read()
        sequence = self._traces.sequence  # before the list: what comes meanwhile is told twice
        return _json(
            {
                "first": self._traces.first,
                "sequence": sequence,
                "requests": self._traces.since(since),
                "dropped": {
                    "lost": self._collector.lost,
                    "refused": self._traces.refused,
                    "full": self._traces.full,
                },
            }
        )

    def _one(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        found = self._traces.request(trace_id)
        if found is None:
            return _error("It is not here: the last 2,000 requests are kept.", 404)
        try:
            return _json({"request": found, **self._details(trace_id)})
        except RecursionError:  # what could be taken is not always what can be told
            return _error("It is nested too deeply to be shown.", HTTPStatus.UNPROCESSABLE_ENTITY)

    def _details(self, trace_id: str) -> dict[str, Any]:
        lines = self._lines.of(trace_id)
        request_ids = (line["request_id"] for line in lines if "request_id" in line)
        return {
            "request_id": next(request_ids, None),
            "segments": self._traces.segments(trace_id),
            "lines": lines,
            "metrics": _metrics(lines),
            "has_plans": self._database_url is not None,
        }

    def _plan(self, origin: str, request: Request) -> Response:
        # A browser says it of every POST, and no page can have it say another's.
        if request.headers.get("origin") != origin:
            return _error("Plans are for the console's own pages.", 403)
        segments = self._traces.segments(request.path_params["trace_id"])
        wanted = request.query_params.get("segment")
        sql = next((segment["sql"] for segment in segments if segment["id"] == wanted), None)
        if sql is None or self._database_url is None:
            return _error("There is no such statement, or no database to ask.", 404)
        try:
            return _json(explain(self._database_url, sql))
        except PlanError as error:
            return _error(str(error), HTTPStatus.UNPROCESSABLE_ENTITY)


def _metrics(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return name, unit and value of each metric that CloudWatch would make of the lines."""
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
