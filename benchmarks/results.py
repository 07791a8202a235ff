"""Markdown tables, and bar charts as SVG in light and dark mode."""

from collections.abc import Collection, Iterable, Mapping
from html import escape

from load.plots import document

WIDTH, LEFT, BAR, GAP, TOP = 720, 190, 18, 8, 44
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.bar { fill: #8c959f } .ours { fill: #0969da } .limit { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #4493f8 } .limit { stroke: #f85149 }
}
"""


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bars(
    title: str, values: Mapping[str, float], limit: float, ours: Collection[str] = ("ours",)
) -> str:
    """Return a chart with a bar for each value, and a line at the limit. `ours` are highlighted."""
    scale = (WIDTH - LEFT - 70) / max(limit, *values.values())
    height = TOP + len(values) * (BAR + GAP)
    at = LEFT + limit * scale
    drawn = [
        _bar(name, value, scale, at, TOP + n * (BAR + GAP), is_ours=name in ours)
        for n, (name, value) in enumerate(values.items())
    ]
    line = f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{height}"/>'
    return document(title, STYLE, (WIDTH, height), [*drawn, line])


def _bar(  # noqa: PLR0913 (what a bar has)
    name: str, value: float, scale: float, limit_at: float, y: int, *, is_ours: bool
) -> str:
    kind = "ours" if is_ours else "bar"
    end = LEFT + value * scale
    number_at = 6 + max(end, limit_at)  # beside the line, not below it
    return (
        f'<text x="0" y="{y + 14}">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}" rx="2"/>'
        f'<text x="{number_at:.1f}" y="{y + 14}">{value:.3g}</text>'
    )
