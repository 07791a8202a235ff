import argparse
from collections.abc import Callable

import pytest

from load.traffic import arguments
from load.traffic.target import Target, TargetError, configured


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
