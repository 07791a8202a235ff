"""Line charts over time as SVG, one panel below the other, in light and dark mode."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from load.plots import Points, document

WIDTH, HEIGHT, LEFT, RIGHT, TITLE, GAP = 760, 110, 60, 150, 34, 46
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.a { stroke: #0969da } .b { stroke: #bc4c00 } .c { stroke: #8250df } .d { stroke: #8c959f }
text.a { fill: #0969da } text.b { fill: #bc4c00 } text.c { fill: #8250df } text.d { fill: #656d76 }
text.a, text.b, text.c, text.d { stroke: none }
polyline { fill: none; stroke-width: 1.5 } .axis { stroke: #8c959f } .mark { stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .mark { stroke: #30363d }
  .a { stroke: #4493f8 } .b { stroke: #f0883e } .c { stroke: #ab7df8 } .d { stroke: #6e7681 }
  text.a { fill: #4493f8 } text.b { fill: #f0883e }
  text.c { fill: #ab7df8 } text.d { fill: #9198a1 }
}
"""


class Panel(NamedTuple):
    """Up to four named lines over the same time. The title contains the unit."""

    title: str
    lines: dict[str, Points]


def draw(title: str, panels: Sequence[Panel], moments: dict[str, float], unit: str) -> str:
    """Return all panels. Times are in `unit`; `marks` are named moments."""
    end = max(
        (at for panel in panels for line in panel.lines.values() for at, _ in line), default=0
    )
    end = max(end, 1)  # a run may be interrupted at once
    height = TITLE + len(panels) * (HEIGHT + GAP)
    content = [
        _panel(panel, end, TITLE + number * (HEIGHT + GAP), moments)
        for number, panel in enumerate(panels)
    ]
    content.append(_text("", WIDTH - RIGHT - 60, height - 6, f"{end:,.0f} {unit}"))
    return document(title, STYLE, (WIDTH, height), content)


def _panel(panel: Panel, end: float, top: float, moments: dict[str, float]) -> str:
    maximum = max((value for line in panel.lines.values() for _, value in line), default=0) or 1
    floor = top + GAP / 2 + HEIGHT
    across, up = (WIDTH - LEFT - RIGHT) / end, HEIGHT / maximum
    parts = [
        _text("title", LEFT, top + 14, panel.title),
        _text("", 0, floor - HEIGHT + 10, f"{maximum:,.4g}"),
        _text("", 0, floor, "0"),
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>',
    ]
    for name, at in moments.items():
        x = LEFT + at * across
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{floor - HEIGHT}" y2="{floor}">'
            f"<title>{escape(name)}</title></line>"
        )
    for kind, (row, (name, line)) in zip("abcd", enumerate(panel.lines.items()), strict=False):
        points = " ".join(
            f"{LEFT + at * across:.1f},{floor - value * up:.1f}" for at, value in line
        )
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        parts.append(_text(kind, WIDTH - RIGHT + 8, floor - HEIGHT + 12 + 16 * row, name))
    return "\n".join(parts)


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'
