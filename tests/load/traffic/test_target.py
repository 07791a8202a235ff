import argparse
from collections.abc import Callable

import pytest

from load.traffic import arguments
from load.traffic.target import Target, TargetError, given


def test_nothing_is_given() -> None:
    assert given({}) is None
    assert given({"BASE_URL": "", "TOKEN": ""}) is None


def test_a_running_service_is_given() -> None:
    there = {"BASE_URL": "https://api.example.com/staging/", "TOKEN": "t"}

    assert given(there) == Target("https://api.example.com/staging", "t", {})


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
def test_what_is_no_service_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(TargetError, match="BASE_URL"):
        given(environ)


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
def test_wrong_numbers_are_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        read(text)


def test_right_numbers_are_read() -> None:
    assert (arguments.positive("0.5"), arguments.not_negative("0"), arguments.count("7")) == (
        0.5,
        0,
        7,
    )
