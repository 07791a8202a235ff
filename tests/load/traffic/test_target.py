import argparse
import asyncio
import random
from collections.abc import Callable

import pytest

from load.traffic import arguments, lifecycle, soak
from load.traffic.customers import Customers
from load.traffic.sending import sender
from load.traffic.target import Target, TargetError, configured
from local.processes import free_port


def test_target_without_environment_is_none() -> None:
    assert configured({}) is None
    assert configured({"BASE_URL": "", "TOKEN": ""}) is None


def test_target_from_environment_is_used() -> None:
    there = {"BASE_URL": "https://api.example.com/staging/", "TOKEN": "t"}

    assert configured(there) == Target("https://api.example.com/staging", "t", {})


@pytest.mark.parametrize(
    "environ",
    [
        {"BASE_URL": "https://api.example.com"},
        {"TOKEN": "t"},
        {"BASE_URL": "api.example.com", "TOKEN": "t"},
        {"BASE_URL": "file:///etc/passwd", "TOKEN": "t"},
        {"BASE_URL": "https://", "TOKEN": "t"},
    ],
)
def test_invalid_target_raises_target_error(environ: dict[str, str]) -> None:
    with pytest.raises(TargetError, match="BASE_URL"):
        configured(environ)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (arguments.positive, "0"),
        (arguments.positive, "-1"),
        (arguments.positive, "nan"),
        (arguments.not_negative, "much"),
        (arguments.not_negative, "inf"),
        (arguments.count, "0"),
        (arguments.count, "10001"),
        (arguments.count, "1.5"),
    ],
)
def test_invalid_number_is_rejected(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        read(text)


def test_valid_number_is_parsed() -> None:
    assert (arguments.positive("0.5"), arguments.not_negative("0"), arguments.count("7")) == (
        0.5,
        0,
        7,
    )


def test_soak_rejects_a_running_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BASE_URL", "https://api.example.com")
    monkeypatch.setattr("sys.argv", ["soak"])

    with pytest.raises(SystemExit, match="2"):
        soak.main()

    assert "unset BASE_URL, or use `make load`" in capsys.readouterr().err


def test_service_that_does_not_respond_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "ATTEMPTS", 1)
    customers = Customers("load-1", random.Random(1))

    async def make() -> None:
        async with sender(f"http://127.0.0.1:{free_port()}", "token") as sending:
            await lifecycle.make(sending, customers, 1)

    with pytest.raises(TargetError, match=r"does not respond.*correct BASE_URL"):
        asyncio.run(make())
