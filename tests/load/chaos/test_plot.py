"""The plot is an SVG that shows each fault."""

from xml.etree import ElementTree as ET

from load.chaos.history import Fault
from load.chaos.plot import draw
from tests.load.chaos.written import EARLY, change, create, version


def test_plot_marks_every_fault() -> None:
    operations = [create("k1", 0, version(1, "k1")), change("k2", 9, 1)]
    faults = [
        Fault("database killed", EARLY + 1, EARLY + 2),
        Fault("both killed", EARLY + 3, EARLY + 4),
        Fault("garbage", EARLY + 5, EARLY + 6, 3),
    ]

    svg = ET.fromstring(draw(operations, faults))  # noqa: S314 (our own SVG)

    marks = [item[0].text for item in svg.iter("{http://www.w3.org/2000/svg}rect")]
    assert sorted(map(str, marks)) == ["both killed", "both killed", "database killed", "garbage"]
    style = svg.findtext("{http://www.w3.org/2000/svg}style") or ""
    assert "prefers-color-scheme: dark" in style
