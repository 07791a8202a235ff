"""Every acknowledged customer survives a crash of the database."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service import Service

HOW_MANY = 1_000
BEFORE = HOW_MANY * 3 // 4
"""Clients create the other customers only after the kill, however late it comes."""


@pytest.mark.slow
def test_acknowledged_customers_survive_a_killed_database(
    service: Service,
) -> None:
    """Clients keep creating customers while the database is killed, stays down and restarts."""
    created: dict[int, str] = {}
    rejected: list[tuple[int, str | None]] = []
    half_way, killed = threading.Event(), threading.Event()
    down, back = threading.Event(), threading.Event()

    def create(number: int) -> None:
        if number >= BEFORE:
            killed.wait(timeout=120)
        while True:
            answer = service.create(number)
            if answer.status_code == 201:
                created[number] = answer.json()["id"]
                if len(created) >= HOW_MANY // 2:
                    half_way.set()
                return
            if answer.status_code == 409:
                return  # an earlier attempt was stored, although its response was 503
            rejected.append((answer.status_code, answer.headers.get("Retry-After")))
            down.set()
            back.wait(timeout=60)

    with ThreadPoolExecutor(8) as clients:
        attempts = [clients.submit(create, number) for number in range(HOW_MANY)]
        assert half_way.wait(timeout=120)
        os.kill(service.database_server.pid, signal.SIGKILL)
        killed.set()
        assert down.wait(timeout=60)
        during = service.get("/customers")
        service.database_server.start()
        back.set()
        for attempt in attempts:
            attempt.result(timeout=120)

    assert (during.status_code, during.headers["Retry-After"]) == (503, "2")
    assert set(rejected) == {(503, "2")}
    listed = [customer["id"] for page in service.pages() for customer in page]
    assert set(created.values()) <= set(listed)
    assert len(listed) == len(set(listed)) == HOW_MANY
