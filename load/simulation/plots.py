"""Plots of docs/scaling.md: SVG for light and dark mode, with simulated values only."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

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


def drawn(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the plots by file name."""
    return {
        "ladder.svg": _ladder(results["ladder"]),
        "jump.svg": _jump(results["jumps"]),
        "outage.svg": _outage(results["outages"]),
        "tornado.svg": _tornado(results["bounds"]),
    }


def _ladder(ladder: Mapping[str, Any]) -> str:
    """Return p99 of each step by rate. The share of failures is in a table of the page."""
    lines = {
        step: [(float(rate), seen["p99"][0]) for rate, seen in by_rate.items() if seen["p99"][0]]
        for step, by_rate in ladder.items()
        if step not in {"gateway cache", "15 readers"}
    }
    title = "Simulated: p99 in seconds, retries included, by requests per second"
    return lines_plot(title, lines, is_log_x=True, is_log_y=True)


def _jump(jumps: Mapping[str, Any]) -> str:
    series = jumps["raised quotas/10000"]["series"]
    lines = {
        "sent": _by_second(series["attempts"]),
        "200": _by_second(series["answered"]),
        "failed": _by_second(series["refused"]),
        "environments busy": _by_second(series["busy"]),
    }
    title = "Simulated: 1,000 to 10,000 requests per second at once, raised quotas; per second"
    return lines_plot(title, lines)


def _outage(outages: Mapping[str, Any]) -> str:
    lines = {
        name: _by_second(each["series"]["attempts"]) for name, each in outages["failover"].items()
    }
    title = "Simulated: clients' attempts per second, failover of 30 s, 1,000 requests per second"
    return lines_plot(title, lines)


def _by_second(values: Sequence[float]) -> Points:
    """Return the points of each second; if there are many, the means of several seconds."""
    step = max(1, len(values) // 120)
    return [
        (at, sum(values[at : at + step]) / step) for at in range(0, len(values) - step + 1, step)
    ]


def lines_plot(
    title: str, lines: Mapping[str, Points], *, is_log_x: bool = False, is_log_y: bool = False
) -> str:
    """Return a plot with one line for each name, and the name at its end."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    ticks_x, x = _axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, is_log=is_log_x)
    low = min(ys) if is_log_y else 0
    ticks_y, y = _axis(low, max(*ys, 1e-9), HEIGHT - BOTTOM, TOP, is_log=is_log_y)
    content = [
        f'<path class="grid" d="M{LEFT} {y(at):.1f}H{WIDTH - RIGHT}"/>'
        + _text(LEFT - 8, y(at) + 4, f"{at:,.9g}", "end")
        for at in ticks_y
    ]
    content += [_text(x(at), HEIGHT - 15, f"{at:,.9g}", "middle") for at in ticks_x]
    ends = _apart([y(points[-1][1]) for points in lines.values()])
    for number, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        content.append(f'<polyline class="line c{number % len(COLOURS)}" points="{path}"/>')
        content.append(_label(number, name, ends[number]))
    return _svg(title, HEIGHT, content)


def _label(number: int, name: str, at: float) -> str:
    left = WIDTH - RIGHT + 8
    mark = f'<path class="line c{number % len(COLOURS)}" d="M{left} {at:.1f}h10"/>'
    return mark + _text(left + 14, at + 4, name, "start")


def _apart(heights: Sequence[float], least: float = 15) -> list[float]:
    """Return positions for labels near the heights, without overlap."""
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    placed, last = [0.0] * len(heights), -math.inf
    for number in order:
        last = placed[number] = max(heights[number], last + least)
    over = max(0.0, last - (HEIGHT - BOTTOM))
    return [each - over for each in placed]


def _axis(
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


def _tornado(bounds: Mapping[str, Any]) -> str:
    """Return bars for the change of p99 with each assumption at its bounds, the largest first."""
    rows = [
        (name, *(each[end]["p99"] / each["assumed"]["p99"] for end in ("low", "high")))
        for name, each in bounds.items()
        if name != "base"
    ]
    rows.sort(key=lambda row: -abs(math.log(row[2] / row[1])))
    least, most = min(min(row[1:]) for row in rows), max(max(row[1:]) for row in rows)
    _, x = _axis(least, most, 170, WIDTH - 90, is_log=True)
    content = [f'<path class="axis" d="M{x(1):.1f} {TOP - 8}V{TOP + 20 * len(rows)}"/>']
    for number, (name, low, high) in enumerate(rows):
        height = TOP + 20 * number
        content.append(_text(0, height + 12, name.replace("_", " "), "start"))
        content += [_bar(x(1), x(low), height, "low"), _bar(x(1), x(high), height, "high")]
        content.append(
            _text(max(x(low), x(high), x(1)) + 6, height + 12, f"{low:.2f} to {high:.2f}", "start")
        )
    title = "Simulated p99 at 10,000 per second: assumption low (blue), high (red); 1 is as assumed"
    return _svg(title, TOP + 20 * len(rows) + 10, content)


def _bar(one: float, other: float, top: float, kind: str) -> str:
    left, width = min(one, other), max(0.5, abs(one - other))
    return f'<rect class="{kind}" x="{left:.1f}" y="{top + 1}" width="{width:.1f}" height="14"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: float, content: Sequence[str]) -> str:
    lines = "\n".join(content)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">\n'
        f"<style>{STYLE}</style>\n<title>{escape(title)}</title>\n"
        f'<text class="title" x="0" y="18">{escape(title)}</text>\n{lines}\n</svg>\n'
    )
