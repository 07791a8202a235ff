"""The server of a gateway, without sockets: what it rejects, and what waits."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, cast

import pytest
from starlette.types import Message

from chalicelib.observability import logs
from serve import server as module
from serve import threads as threads_module
from serve.gateway import Gateway, LambdaResponse, own_response
from serve.server import MAX_IN_FLIGHT, Server
from serve.threads import Threads

THREADS = 2
OK: LambdaResponse = {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "body": "ok"}


class Blocked:
    """A gateway whose handlers wait until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def handle_request(self, *arguments: Any) -> LambdaResponse:
        assert arguments[1] == "/health" or self.release.wait(30)
        return OK


class Recorded(list[tuple[str, str, int, float]]):
    """The responses that a server has recorded."""

    def __call__(self, method: str, target: str, status: int, seconds: float) -> None:
        self.append((method, target, status, seconds))


Send = Callable[[str], Awaitable[tuple[int, dict[str, str], bytes]]]


def exchange(own: Server) -> Send:
    async def send(path: str) -> tuple[int, dict[str, str], bytes]:
        messages: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("a GET has no body")

        async def take(message: Message) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "client": ("192.0.2.1", 1),
        }
        await own(scope, receive, take)
        head, body = messages
        headers = {name.decode(): value.decode() for name, value in head["headers"]}
        return head["status"], headers, body["body"]

    return send


def test_request_beyond_the_limit_gets_429_while_all_handlers_are_blocked() -> None:
    gateway, threads, recorded = Blocked(), Threads(THREADS), Recorded()
    send = exchange(Server(cast("Gateway", gateway), threads, recorded))

    async def run() -> None:
        waiting = [asyncio.ensure_future(send("/customers")) for _ in range(MAX_IN_FLIGHT)]
        await asyncio.sleep(0)
        assert threads.busy == MAX_IN_FLIGHT

        status, headers, body = await send("/customers?email=ada@example.com")
        assert (status, headers["retry-after"]) == (429, "1")
        document = json.loads(body)
        assert document["request_id"] == headers["request-id"]
        assert document["instance"] == "/customers"
        assert document == json.loads(own_response("THROTTLED", "/customers")["body"]) | {
            "request_id": document["request_id"]
        }
        assert not any(task.done() for task in waiting)

        gateway.release.set()
        assert [(await task)[0] for task in waiting] == [200] * MAX_IN_FLIGHT
        assert (await send("/customers"))[0] == 200

    asyncio.run(run())
    assert [status for _, _, status, _ in recorded] == [200] * (MAX_IN_FLIGHT + 1)


def test_health_responds_while_all_handlers_are_blocked() -> None:
    gateway, threads = Blocked(), Threads(THREADS)
    send = exchange(Server(cast("Gateway", gateway), threads, Recorded(), lambda: False))

    async def run() -> None:
        assert (await send("/health"))[0] == 200
        assert (await send("/health?deep=true"))[0] == 429  # it needs a thread

    asyncio.run(run())


def test_rejected_requests_are_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    own = Server(cast("Gateway", Blocked()), Threads(1), Recorded(), lambda: False)
    send = exchange(own)

    async def run() -> None:
        for _ in range(50):
            await send("/customers")
        own._report_rejected()

    asyncio.run(run())
    (line,) = [json.loads(logs.Formatter().format(record)) for record in caplog.records]
    assert line["message"] == "too many requests in progress"
    assert line["rejected"] == 50


def test_client_of_a_handler_that_does_not_end_gets_504(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTEGRATION_SECONDS", 0)
    gateway, threads = Blocked(), Threads(1)
    send = exchange(Server(cast("Gateway", gateway), threads, Recorded()))

    async def run() -> None:
        assert (await send("/customers"))[0] == 504
        assert threads.busy == 1  # its thread is not free yet
        gateway.release.set()
        await threads.run(lambda: None)  # in the same thread, later
        assert threads.busy == 0

    asyncio.run(run())


def test_exception_of_a_call_is_raised_where_it_is_awaited() -> None:
    async def run() -> None:
        with pytest.raises(ZeroDivisionError):
            await Threads(1).run(lambda: 1 / 0)

    asyncio.run(run())


@pytest.mark.parametrize(("seconds", "count"), [(1000.0, threads_module.ACTIVE), (0.0, 8)])
def test_more_calls_begin_only_when_those_that_run_wait_for_long(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int
) -> None:
    """Each further thread that competes for Python's lock delays the event loop."""
    monkeypatch.setattr(threads_module, "ACTIVE_SECONDS", seconds)
    threads, release = Threads(8), threading.Event()
    begun: SimpleQueue[int] = SimpleQueue()

    def call(number: int) -> int:
        begun.put(number)
        assert release.wait(30)
        return number

    async def run() -> None:
        short = [
            asyncio.ensure_future(threads.run(threading.get_ident))
            for _ in range(threads_module.ACTIVE)  # their threads take the next calls themselves
        ]
        calls = [asyncio.ensure_future(threads.run(partial(call, n))) for n in range(8)]
        await asyncio.gather(*short)
        first = [await asyncio.to_thread(begun.get, timeout=30) for _ in range(count)]
        assert sorted(first) == list(range(count))
        assert len(threads._waiting) == 8 - count

        release.set()
        assert [await each for each in calls] == list(range(8))
        assert (threads.busy, threads._active) == (0, 0)

    asyncio.run(run())


def test_call_runs_in_the_thread_that_became_idle_last() -> None:
    """Each further thread needs memory, and finds nothing in the processor's caches."""
    threads, release, others = Threads(8), threading.Event(), set(threading.enumerate())

    def wait() -> int:
        assert release.wait(30)
        return threading.get_ident()

    async def run() -> None:
        first = await threads.run(threading.get_ident)
        assert {await threads.run(threading.get_ident) for _ in range(20)} == {first}
        assert len(set(threading.enumerate()) - others) == 1

        waiting = asyncio.ensure_future(threads.run(wait))
        await asyncio.sleep(0)
        second = await threads.run(threading.get_ident)
        release.set()
        assert await waiting == first != second
        assert {await threads.run(threading.get_ident) for _ in range(20)} == {first}
        assert len(set(threading.enumerate()) - others) == 2

    asyncio.run(run())


def test_calls_beyond_the_limit_wait_for_a_thread() -> None:
    threads, release = Threads(THREADS), threading.Event()
    assert THREADS < threads_module.ACTIVE

    async def run() -> None:
        waiting = [asyncio.ensure_future(threads.run(lambda: release.wait(30))) for _ in range(5)]
        await asyncio.sleep(0)
        assert len(threads._waiting) == 5 - THREADS
        release.set()
        assert await asyncio.gather(*waiting) == [True] * 5

    asyncio.run(run())


def test_each_of_many_short_calls_runs_once() -> None:
    """Threads take waiting calls themselves, while the loop gives them others."""
    threads, ran = Threads(4), list[int]()

    async def run() -> None:
        numbers = range(2_000)
        results = await asyncio.gather(*(threads.run(partial(ran.append, n)) for n in numbers))
        assert (len(results), sorted(ran)) == (len(numbers), list(numbers))
        assert (threads.busy, threads._active) == (0, 0)

    asyncio.run(run())
