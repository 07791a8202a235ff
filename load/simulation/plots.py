"""Plots of docs/scaling.md, with simulated values only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from load.plots import STYLE, TOP, WIDTH, Points, axis, document, lines_plot, text


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


def _tornado(bounds: Mapping[str, Any]) -> str:
    """Return bars for the change of p99 with each assumption at its bounds, the largest first."""
    rows = [
        (name, *(each[end]["p99"] / each["assumed"]["p99"] for end in ("low", "high")))
        for name, each in bounds.items()
        if name != "base"
    ]
    rows.sort(key=lambda row: -abs(math.log(row[2] / row[1])))
    least, most = min(min(row[1:]) for row in rows), max(max(row[1:]) for row in rows)
    _, x = axis(least, most, 170, WIDTH - 90, is_log=True)
    content = [f'<path class="axis" d="M{x(1):.1f} {TOP - 8}V{TOP + 20 * len(rows)}"/>']
    for number, (name, low, high) in enumerate(rows):
        height = TOP + 20 * number
        content.append(text(0, height + 12, name.replace("_", " "), "start"))
        content += [_bar(x(1), x(low), height, "low"), _bar(x(1), x(high), height, "high")]
        content.append(
            text(max(x(low), x(high), x(1)) + 6, height + 12, f"{low:.2f} to {high:.2f}", "start")
        )
    title = "Simulated p99 at 10,000 per second: assumption low (blue), high (red); 1 is as assumed"
    return document(title, STYLE, (WIDTH, TOP + 20 * len(rows) + 10), content)


def _bar(one: float, other: float, top: float, kind: str) -> str:
    left, width = min(one, other), max(0.5, abs(one - other))
    return f'<rect class="{kind}" x="{left:.1f}" y="{top + 1}" width="{width:.1f}" height="14"/>'
