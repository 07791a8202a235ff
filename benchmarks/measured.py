"""The measured process: `python -m benchmarks.measured first module handler kind requests`.

Imports `first`, which a Lambda function has already loaded (AWS's runtime client). Then it imports
the module, and passes requests of a kind to its handler. Without requests, it only imports `first`,
which is the baseline to subtract. With a further argument, it prints its statistics at the end.
"""

import importlib
import os
import sys
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

from benchmarks.events import SCHEDULED, TRACE, event, token_event

CONTEXT = SimpleNamespace(
    aws_request_id="9c7e436c-c191-4f6c-9b4c-8602417c11a5",
    function_name="customers",
    function_version="1",
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:customers:live",
    memory_limit_in_mb=512,
    log_group_name="/aws/lambda/customers",
    log_stream_name="2026/01/01/[1]0123456789abcdef",
    get_remaining_time_in_millis=lambda: 28_000,
)

SCHEDULES = {"purge": 1, "relay": 2}
"""How often a scheduled function has time: until its first batch, as the stub's never end."""


def main() -> None:
    """Import the module, and pass the requests to its handler."""
    first, module, name, kind, requests = sys.argv[1:6]
    os.environ["_X_AMZN_TRACE_ID"] = TRACE
    importlib.import_module(first)
    if kind == "relay":
        os.environ["EVENT_BUS"] = "customers-dev"
        sys.modules |= accepting_boto3()
    events = [make_event(kind, number) for number in range(int(requests))]
    if events:
        handler = getattr(importlib.import_module(module), name)
        for request in events:
            handle(handler, request, kind)
    if sys.argv[6:]:
        print_statistics()


def accepting_boto3() -> dict[str, Any]:
    """Return modules in place of boto3, which is not in the package: the bus accepts all events."""
    client = SimpleNamespace(
        put_events=lambda **call: {"Entries": [{"EventId": ""} for _ in call["Entries"]]}
    )
    return {
        "boto3": SimpleNamespace(client=lambda *_, **__: client),
        "botocore": SimpleNamespace(),
        "botocore.config": SimpleNamespace(Config=dict),
    }


def make_event(kind: str, number: int) -> dict[str, Any]:
    """Return a request of a kind, or the event of another function: `token`, `purge`, `relay`."""
    if kind == "token":
        return token_event()
    return SCHEDULED if kind in SCHEDULES else event(kind, number)


def handle(handler: Any, request: dict[str, Any], kind: str) -> None:
    """Call the handler as the runtime client does."""
    if kind in SCHEDULES:
        left = chain(repeat(600_000, SCHEDULES[kind]), repeat(0))
        times = {"get_remaining_time_in_millis": left.__next__}
        handler(request, SimpleNamespace(**vars(CONTEXT) | times))
        return
    response = handler(request, CONTEXT)
    is_allowed = response.get("principalId") == "ada"  # the authorizer's response to a valid token
    if not is_allowed and response.get("statusCode") not in {200, 201, 204}:
        sys.exit(f"{request}: {response}")


def print_statistics() -> None:
    """Print the number of modules, bytes of their files, peak memory and CPU seconds."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    code = sum(os.path.getsize(name) for name in files if name and name.endswith((".py", ".pyc")))
    seconds = used.ru_utime + used.ru_stime
    print(len(sys.modules), code, _peak_kilobytes(used.ru_maxrss), seconds, file=sys.stderr)


def _peak_kilobytes(maximum: int) -> int:
    """Return the peak memory. On Linux, `ru_maxrss` includes that of the process before `exec`."""
    if not sys.platform.startswith("linux"):
        return maximum
    with open("/proc/self/status") as status:  # noqa: PTH123 (pathlib would be measured, too)
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM")))


if __name__ == "__main__":
    main()
