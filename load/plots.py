"""Plots as SVG, in light and dark mode."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 330, 70, 225, 44, 40
COLOURS = (
    ("#0969da", "#4493f8"),
    ("#cf222e", "#f85149"),
    ("#1a7f37", "#3fb950"),
    ("#8250df", "#ab7df8"),
    ("#9a6700", "#d29922"),
    ("#57606a", "#8c959f"),
)
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px } .grid { stroke: #d0d7de }
.line { fill: none; stroke-width: 2 } .low { fill: #0969da } .high { fill: #cf222e }
.axis { stroke: #57606a; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .grid { stroke: #30363d } .low { fill: #4493f8 } .high { fill: #f85149 }
  .axis { stroke: #8c959f }
}
""" + "".join(
    f".c{n} {{ stroke: {day} }}\n"
    f"@media (prefers-color-scheme: dark) {{ .c{n} {{ stroke: {night} }} }}\n"
    for n, (day, night) in enumerate(COLOURS)
)

Points = Sequence[tuple[float, float]]


def lines_plot(
    title: str, lines: Mapping[str, Points], *, is_log_x: bool = False, is_log_y: bool = False
) -> str:
    """Return a plot with one line for each name, and the name at its end."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    ticks_x, x = axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, is_log=is_log_x)
    low = min(ys) if is_log_y else 0
    ticks_y, y = axis(low, max(*ys, 1e-9), HEIGHT - BOTTOM, TOP, is_log=is_log_y)
    content = [
        f'<path class="grid" d="M{LEFT} {y(at):.1f}H{WIDTH - RIGHT}"/>'
        + text(LEFT - 8, y(at) + 4, f"{at:,.9g}", "end")
        for at in ticks_y
    ]
    content += [text(x(at), HEIGHT - 15, f"{at:,.9g}", "middle") for at in ticks_x]
    ends = _apart([y(points[-1][1]) for points in lines.values()])
    for number, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        content.append(f'<polyline class="line c{number % len(COLOURS)}" points="{path}"/>')
        content.append(_label(number, name, ends[number]))
    return document(title, STYLE, (WIDTH, HEIGHT), content)


def _label(number: int, name: str, at: float) -> str:
    left = WIDTH - RIGHT + 8
    mark = f'<path class="line c{number % len(COLOURS)}" d="M{left} {at:.1f}h10"/>'
    return mark + text(left + 14, at + 4, name, "start")


def _apart(heights: Sequence[float], least: float = 15) -> list[float]:
    """Return positions for labels near the heights, without overlap."""
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    placed, last = [0.0] * len(heights), -math.inf
    for number in order:
        last = placed[number] = max(heights[number], last + least)
    over = max(0.0, last - (HEIGHT - BOTTOM))
    return [each - over for each in placed]


def axis(
    low: float, high: float, start: float, end: float, *, is_log: bool
) -> tuple[list[float], Callable[[float], float]]:
    """Return the ticks, and a function that converts a value to a coordinate."""
    if is_log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        ticks = [10.0**power for power in range(first, last + 1)]
        return ticks, lambda at: start + (end - start) * (math.log10(at) - first) / (last - first)
    step = _round_step(high / 5)
    top = step * math.ceil(high / step)
    ticks = [step * number for number in range(round(top / step) + 1)]
    return ticks, lambda at: start + (end - start) * at / top


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * each for each in (1, 2, 5, 10) if step <= power * each * 1.0001)


def text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def document(title: str, style: str, size: tuple[float, float], content: Sequence[str]) -> str:
    """Return an SVG document with the title above the content. `size` is width and height."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" role="img">\n'
        f"<style>{style}</style>\n<title>{escape(title)}</title>\n"
        f'<text class="title" x="0" y="18">{escape(title)}</text>\n'
        + "\n".join(content)
        + "\n</svg>\n"
    )
