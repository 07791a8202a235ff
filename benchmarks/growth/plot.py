"""Plot the benchmark's output: `python -m benchmarks.growth.plot < printed > growth.svg`."""

import math
import sys
from collections.abc import Iterable
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 540, 70, 220, 20, 40
LOWEST, HIGHEST = -1, 3  # powers of ten, in milliseconds
NAMED = {
    "get": "get",
    "create": "create",
    "patch": "merge-patch",
    "list: -created_at": "list",
    "list: limit=100": "list, limit=100",
    "list: q=mar": "list, q=mar",
    "list: created_after, updated_at": "list, created_after, updated_at",
}
PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 font-family="sans-serif" font-size="12" fill="none">
<title>Milliseconds of a request, by the number of customers</title>
<rect width="100%" height="100%" fill="#fff"/>
{content}
</svg>"""


class Line(NamedTuple):
    """A request, with its milliseconds at each size."""

    name: str
    times: list[float]


def read(text: Iterable[str]) -> tuple[list[int], list[Line]]:
    """Return the sizes, and the plotted requests of the first table."""
    sizes: list[int] = []
    lines: list[Line] = []
    for row in text:
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if cells[0] == "request" and not sizes:
            sizes = [int(cell.replace(",", "")) for cell in cells[1:-2]]
        elif row.startswith("32 "):
            break
        elif cells[0].strip("`") in NAMED:
            times = [float(cell.removesuffix(" ms")) for cell in cells[1 : len(sizes) + 1]]
            lines.append(Line(NAMED[cells[0].strip("`")], times))
    return sizes, lines


def draw(sizes: list[int], lines: list[Line]) -> str:
    """Return the plot, with two logarithmic axes."""
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(size) - first) / (last - first)

    content = [_text(x(size), HEIGHT - 15, f"{size:,}", "middle") for size in sizes]
    for power in range(LOWEST, HIGHEST + 1):
        height = _y(10**power)
        content.append(f'<path d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        content.append(_text(LEFT - 8, height + 4, f"{10**power:g} ms", "end"))
    for line in lines:
        points = " ".join(f"{x(n):.1f},{_y(t):.1f}" for n, t in zip(sizes, line.times, strict=True))
        content.append(f'<polyline points="{points}" stroke="#06c" stroke-width="2"/>')
        content.append(_text(WIDTH - RIGHT + 8, _y(line.times[-1]) + 4, line.name, "start"))
    return PAGE.format(width=WIDTH, height=HEIGHT, content="\n".join(content))


def _y(milliseconds: float) -> float:
    share = (math.log10(milliseconds) - LOWEST) / (HIGHEST - LOWEST)
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{text}</text>'


if __name__ == "__main__":
    print(draw(*read(sys.stdin)))
