"""Report a run: Markdown tables, and a page with plots."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from html import escape
from itertools import starmap
from typing import TypeVar

from load.plots import Points
from load.traffic.outcomes import Outcome, quantile
from load.traffic.plots import Panel, draw
from load.traffic.thresholds import Threshold

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load</title>
<meta name="color-scheme" content="light dark">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
td, th {{ padding: 2px 12px 2px 0; text-align: left }} pre {{ white-space: pre-wrap }}
</style>
<h1>Load</h1><pre>{head}</pre>
{plots}
{tables}
</html>
"""

Row = Sequence[str]
Key = TypeVar("Key")


HEAD = ("requests", "a second", "p50", "p95", "p99", "slowest", "429, 503", "faults")


def phases(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a table of the phases."""
    grouped = _grouped(outcomes, lambda outcome: outcome.phase)
    return [("phase", *HEAD), *starmap(_row, grouped.items())]


def operations(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a table of the operations."""
    grouped = _grouped(outcomes, lambda outcome: outcome.operation)
    return [("operation", *HEAD), *starmap(_row, sorted(grouped.items()))]


def faults(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a table of the faults."""
    counted = Counter(
        (outcome.phase, outcome.operation, outcome.fault) for outcome in outcomes if outcome.fault
    )
    rows = [(*names, str(times)) for names, times in counted.most_common(20)]
    return [("phase", "operation", "fault", "times"), *rows]


def thresholds(judged: Iterable[Threshold]) -> list[Row]:
    """Return a table of the thresholds."""
    rows = [(*threshold[:3], "met" if threshold.is_met else "MISSED") for threshold in judged]
    return [("threshold", "allowed", "measured", ""), *rows]


def markdown(table: Sequence[Row]) -> str:
    """Return a table for the terminal, in Markdown."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in table
    ]
    return "\n".join(
        [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
    )


def page(head: str, outcomes: Sequence[Outcome], tables: Iterable[Sequence[Row]]) -> str:
    """Return the complete report as a self-contained HTML page."""
    rendered = "\n".join(_html(table) for table in tables if len(table) > 1)
    return PAGE.format(head=escape(head), plots=plots(outcomes), tables=rendered)


def plots(outcomes: Sequence[Outcome]) -> str:
    """Return throughput, latency and errors of each second, as SVG."""
    seconds = _grouped(outcomes, lambda outcome: int(outcome.due))
    answered = Counter(int(outcome.due + outcome.latency) for outcome in outcomes)
    begins: dict[str, float] = {}
    for item in outcomes:
        begins[item.phase] = min(item.due, begins.get(item.phase, item.due))
    latencies = {
        f"p{share * 100:g}": _points(seconds, partial(_quantile, share))
        for share in (0.5, 0.95, 0.99)
    }
    panels = [
        Panel(
            "requests per second",
            {"due": _points(seconds, len), "answered": sorted(answered.items())},
        ),
        Panel("latency since due, ms", latencies),
        Panel(
            "errors per second",
            {
                "faults": _points(seconds, lambda outcome: _count(outcome, overloads=False)),
                "429 and 503": _points(seconds, lambda outcome: _count(outcome, overloads=True)),
            },
        ),
        Panel(
            "delay of the load generator, ms",
            {"most": _points(seconds, lambda outcome: 1000 * max(o.late for o in outcome))},
        ),
    ]
    return draw("Load", panels, begins, "s")


def _row(name: str, outcomes: Sequence[Outcome]) -> Row:
    span = max(outcome.due for outcome in outcomes) - min(outcome.due for outcome in outcomes)
    return (
        name,
        f"{len(outcomes):,}",
        f"{len(outcomes) / max(span, 1):.1f}",
        *(f"{_quantile(share, outcomes):.0f} ms" for share in (0.5, 0.95, 0.99, 1)),
        str(_count(outcomes, overloads=True)),
        str(_count(outcomes, overloads=False)),
    )


def _quantile(share: float, outcomes: Sequence[Outcome]) -> float:
    return 1000 * quantile([outcome.latency for outcome in outcomes], share)


def _count(outcomes: Sequence[Outcome], *, overloads: bool) -> int:
    return sum(bool(outcome.fault) and outcome.is_overload == overloads for outcome in outcomes)


def _grouped(
    outcomes: Sequence[Outcome], key: Callable[[Outcome], Key]
) -> dict[Key, list[Outcome]]:
    grouped: dict[Key, list[Outcome]] = {}
    for outcome in outcomes:
        grouped.setdefault(key(outcome), []).append(outcome)
    return grouped


def _points(seconds: dict[int, list[Outcome]], value: Callable[[list[Outcome]], float]) -> Points:
    return [(second, value(seconds[second])) for second in sorted(seconds)]


def _html(table: Sequence[Row]) -> str:
    head, *rows = (
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(["th"] + ["td"] * len(table), table, strict=False)
    )
    return f"<table>{head}{''.join(rows)}</table>"
