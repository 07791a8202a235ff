"""Short real runs of `make load`, with thresholds that are met and that are missed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import requests

from local.processes import PROJECT, Child, answers, free_port
from tests import tokens
from tests.local.support import eventually
from tests.service import Service, running

# So many requests that five of them, which are judged, are always reads.
BRIEF = ["--rate", "20", "--ramp", "0", "--steady", "3", "--spike", "0", "--customers", "20"]
SLOW = ["--limit", "60000", "--quick", "60"]  # the client waits for 30 s

Load = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """Run the service on a Data API that fails on demand; yield it, and the URL of its faults."""
    directory = tmp_path_factory.mktemp("faulty")
    data_api, api = free_port(), free_port()
    with running(directory) as service:
        environment = {**os.environ, "DATABASE_URL": service.database_server.url}
        command = [sys.executable, "-m", "local.data_api", "--port", str(data_api), "--faults"]
        with Child("faulty", command, directory / "faulty.log", environment) as server:
            server.wait_until(lambda: answers(data_api))
            endpoint = f"http://127.0.0.1:{data_api}"
            with _gateway(directory, api, endpoint) as gateway:
                gateway.wait_until(lambda: answers(api))
                url = f"http://127.0.0.1:{api}"
                yield Service(url, service.token, service.database_server), f"{endpoint}/_faults"


def _gateway(directory: Path, port: int, endpoint: str) -> Child:
    tokens.issuer()
    environment = {**os.environ, "AWS_ENDPOINT_URL_RDS_DATA": endpoint}
    command = [sys.executable, "-m", "local.gateway", "--port", str(port)]
    return Child("gateway", command, directory / "gateway.log", environment)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with _started([*arguments, "--output", str(tmp_path)], environment) as process:
            out, err = process.communicate(timeout=300)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return run


def _started(arguments: list[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "load.traffic", *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _there(service: Service) -> dict[str, str]:
    return {"BASE_URL": service.url, "TOKEN": service.token}


def _customers(service: Service) -> list[str]:
    return [customer["email"] for page in service.pages() for customer in page]


def test_private_stack_meets_the_thresholds(load: Load, tmp_path: Path) -> None:
    spike = ["--spike", "5", "--spike-seconds", "1", "--after", "2"]

    run = load(*BRIEF, *spike, *SLOW)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "| steady: unexpected responses" in run.stdout
    assert "| recovery after the spike" in run.stdout
    assert "MISSED" not in run.stdout
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 1
    assert "steady: unexpected responses" in page


def test_impossible_threshold_is_missed(load: Load, faulty: tuple[Service, str]) -> None:
    service, _ = faulty

    run = load(*BRIEF, "--limit", "0.01", **_there(service))

    assert run.returncode == 1, run.stdout + run.stderr
    [missed] = [line for line in run.stdout.splitlines() if "steady: get, p50" in line]
    assert "MISSED" in missed
    assert _customers(service) == []


def test_database_faults_miss_thresholds(load: Load, faulty: tuple[Service, str]) -> None:
    service, faults = faulty
    plan = [{"fault": "InternalServerErrorException", "share": 0.7, "operation": "Execute"}]
    requests.put(faults, json=plan, timeout=10).raise_for_status()
    try:
        run = load(*BRIEF, *SLOW, **_there(service))
    finally:
        requests.delete(faults, timeout=10).raise_for_status()

    assert run.returncode == 1, run.stdout + run.stderr
    assert "status 503" in run.stdout


def test_ctrl_c_prints_results_and_erases_customers(
    faulty: tuple[Service, str], tmp_path: Path
) -> None:
    service, _ = faulty
    before = _customers(service)
    arguments = [*BRIEF, "--steady", "600", *SLOW, "--output", str(tmp_path)]
    with _started(arguments, _there(service)) as process:
        eventually(lambda: _is_changed(service, before))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 130, out + err
    assert "| steady " in out
    assert _customers(service) == before


def _is_changed(service: Service, before: list[str]) -> bool:
    """Return whether the load has changed one of its own customers."""
    customers = (item for page in service.pages() for item in page)
    return any(
        customer["version"] > 1 and customer["email"] not in before for customer in customers
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ((), {"BASE_URL": "http://127.0.0.1:1"}, "set both BASE_URL and TOKEN, or neither"),
        (("--rate", "0"), {}, "must be more than 0"),
    ],
)
def test_usage_error_is_reported_in_one_line(
    load: Load, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    run = load(*arguments, **environment)

    assert run.returncode == 2
    assert words in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
