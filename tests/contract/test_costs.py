"""No request body costs more than ten plain bodies of its size, in instructions.

`load.fuzz.plain` defines plain bodies. The bodies are those of earlier attacks, and the most
expensive ones that `make fuzz ARGS=--costs` found, in `load/fuzz/worst`. A count of instructions
hardly depends on the machine and its load. It needs valgrind.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from load.fuzz.cases import CUSTOMER, PATCH, PATH, Case, read, request
from load.fuzz.instructions import count
from load.fuzz.plain import BATCH, plain_twin

pytestmark = pytest.mark.exhaustive

MAX_RATIO = 10
WORST = Path(__file__).parents[2] / "load" / "fuzz" / "worst"
NAMES = ("given_name", "family_name", "company_name")


def customer(**fields: Any) -> dict[str, Any]:
    return {"email": CUSTOMER["email"], "given_name": "Zqm", **fields}


def batch(**fields: Any) -> Case:
    return request("POST", BATCH, {"items": [customer(**fields)] * 5})


CASES = {
    "domain of katakana": batch(email="a@" + "a" * 120 + "\u30fb" * 118 + "\u3042"),
    "labels of katakana": batch(email="a@" + ".".join(["\u30fb" * 58 + "\u3042"] * 4)),
    "labels of Arabic digits": batch(email="a@" + ".".join(["\u0627" + "\u0660" * 50] * 4)),
    "labels of Punycode": batch(email="a@" + ".".join(["xn--l8jegikmoqs50rnb"] * 8)),
    "unknown fields": request("POST", "/customers", {f"{n}": 0 for n in range(6_000)}),
    "unknown fields of a batch": request("POST", BATCH, {f"{n}": 0 for n in range(1_000)}),
    "nested arrays": request(
        "POST", "/customers", "[" + ("[" * 15 + "]" * 15 + ",") * 2_000 + "0]"
    ),
    "names that become long": request(
        "POST", "/customers", customer(**dict.fromkeys(NAMES, "\ufdfa" * 300))
    ),
    "joined emoji": request(
        "POST",
        "/customers",
        customer(**dict.fromkeys(NAMES, "\U0001f468\u200d" * 149 + "\U0001f468")),
    ),
    "metadata of ideographs with variants": request(
        "PATCH", PATH, {"metadata": {f"{n}": "\u845b\U000e0100" * 12 for n in range(40)}}, PATCH
    ),
} | {file.stem: read(file.read_bytes()) for file in sorted(WORST.glob("*.json"))}


@pytest.fixture(scope="module")
def ratios() -> dict[str, float]:
    """Return the cost of each case in plain requests; and of a batch in creates, as a control."""
    control = (
        request("POST", BATCH, {"items": [customer(email=f"{n}@zqm.com") for n in range(60)]}),
        request("POST", "/customers", customer()),
    )
    pairs = [(case, plain_twin(case)) for case in CASES.values() if case] + [control]
    counts = count([case for pair in pairs for case in pair])
    named = zip([*CASES, "control"], counts[::2], counts[1::2], strict=True)
    return {name: cost / plain for name, cost, plain in named}


def test_no_body_costs_more_than_ten_plain_bodies(ratios: dict[str, float]) -> None:
    sys.stdout.write("".join(f"{ratio:6.2f}  {name}\n" for name, ratio in ratios.items()))
    assert {name: ratios[name] for name in CASES if ratios[name] > MAX_RATIO} == {}


def test_expensive_request_is_detected(ratios: dict[str, float]) -> None:
    """A batch of sixty customers costs more than ten single ones."""
    assert ratios["control"] > MAX_RATIO
