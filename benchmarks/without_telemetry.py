"""The app without logs, metrics and traces, for comparison.

Replaces their modules by modules that do nothing, before the app imports them. `logs` remains,
because other modules use its timestamps, but without its configuration.
"""

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace


def nothing(*_: object, **__: object) -> None:
    pass


def replace(name: str, **functions: object) -> None:
    module = ModuleType(f"chalicelib.observability.{name}")
    vars(module).update(functions)
    sys.modules[module.__name__] = module


request = nullcontext(SimpleNamespace(response=None, fail=nothing))
statement = nullcontext(SimpleNamespace(note=nothing))
replace("telemetry", RequestTelemetry=lambda *_: request, pseudonym=nothing)
replace("tracing", statement=lambda _: statement, attempted=nothing)

from chalicelib.observability import logs  # noqa: E402

logs.configure = nothing

from app import app as handler  # noqa: E402, F401
