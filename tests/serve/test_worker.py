"""One process of the server: lost log lines, and headers that clients may not set."""

import io
import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app import app
from serve.worker import Gateway, LossReport


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk to write to")
def test_full_disk_is_reported_once_and_lost_lines_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = REGISTRY.get_sample_value("log_lines_lost_total") or 0
    with Path("/dev/full").open("wb", buffering=0) as full:
        handler = logging.StreamHandler(io.TextIOWrapper(full, write_through=True))
        handler.handleError = LossReport()  # type: ignore[method-assign, assignment]
        for _ in range(3):
            handler.handle(logging.makeLogRecord({"msg": "a line"}))
        handler.stream.detach()  # forget what could not be written

    assert capsys.readouterr().err == "serve: can't write the log: No space left on device\n"
    assert REGISTRY.get_sample_value("log_lines_lost_total") == before + 3


def test_client_can_not_request_a_trace() -> None:
    headers = {"X-Amzn-Trace-Id": "Root=1-0-0;Sampled=1", "Accept": "*/*"}
    event = Gateway(app, 28)._event("GET", "/health", headers, None)

    assert event["headers"] == {"accept": "*/*"}
    assert event["multiValueHeaders"] == {"accept": ["*/*"]}
