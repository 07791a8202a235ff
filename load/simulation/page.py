"""Generate the tables of docs/scaling.md from docs/scaling/results.json. A test compares both."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from load.simulation.cells import SHOWN, ms, of_ms, percent, plain, share, spread, within
from load.simulation.designs import EXPLAINED
from load.simulation.plan import CHANGES, SCALED

MARK = re.compile(r"(<!-- simulated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NAMES = {"429": "429 gateway", "500": "500 no environment", "503": "503 database", "504": "504"}

Results = Mapping[str, Any]


def filled(text: str, results: Results) -> str:
    """Return the page with new tables between its markers."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]](results) + "\n" + found[3], text)


def decisions(results: Results) -> str:
    """Return the summary: for each rate, the first bottleneck, and the first step that passes."""
    head = (
        "requests a second",
        "gives first, as `prod` is",
        "simulated: failed",
        "simulated p50",
        "simulated p99",
        "change to",
        "simulated p50 then",
        "simulated p99 then",
        "dollars a month",
        "dollars a million",
    )
    lines = [f"| {' | '.join(head)} |", "|--:|---|--:|--:|--:|---|--:|--:|--:|--:|"]
    for rate, seen in results["ladder"]["prod as it is"].items():
        before = [_first(seen["needs"]), percent(seen["failed"][0]), *_times(seen)]
        after = _after(results["ladder"], rate)
        lines.append(f"| {int(rate):,} | {' | '.join([*before, *after])} |")
    return "\n".join(lines)


def _after(ladder: Results, rate: str) -> list[str]:
    """Return the first step that passes at a rate, with its results and costs."""
    for step, by_rate in ladder.items():
        seen = by_rate[rate]
        if seen["holds"]:
            dollars = seen["dollars"]
            return [_named(step), *_times(seen), f"{dollars:,.0f}", _million(dollars, rate)]
    return ["nothing here holds", "-", "-", "-", "-"]


def _times(seen: Results) -> list[str]:
    return [ms(seen["p50"]), ms(seen["p99"])]


def _named(step: str) -> str:
    return "nothing" if step == "prod as it is" else f"*{step}*"


def _million(dollars: float, rate: str) -> str:
    return f"{dollars / (int(rate) * 730 * 3600 / 1e6):,.2f}"


def _first(needs: Mapping[str, float]) -> str:
    name, share = max(needs.items(), key=lambda item: item[1])
    return (
        f"{name}, {share:.1f} times what there is"
        if share > 1
        else f"nothing: {name} at {share:.0%}"
    )


def ladder(results: Results) -> str:
    """Return a row for each step: p99, failures and dollars at each rate."""
    rates = list(next(iter(results["ladder"].values())))
    head = " | ".join(f"{int(rate):,}" for rate in rates)
    lines = [f"| simulated: step | {head} |", "|---|" + "---|" * len(rates)]
    for step, by_rate in results["ladder"].items():
        cells = " | ".join(_cell(by_rate[rate]) for rate in rates)
        lines.append(f"| {step} | {cells} |")
    return "\n".join(lines)


def _cell(seen: Results) -> str:
    failed = seen["failed"][0]
    if seen["holds"]:
        return f"**{ms(seen['p99'])}**, ${seen['dollars']:,.0f}"
    kind = max(seen["kinds"], key=lambda item: float(seen["kinds"][item]))
    why = f", {percent(failed)} fail ({NAMES[kind]})" if failed > SHOWN else ""
    return f"{ms(seen['p99'])}{why}"


def steps(_: Results) -> str:
    lines = ["| step | what it is; each has all before it |", "|---|---|"]
    return "\n".join([*lines, *(f"| {step} | {what} |" for step, what in EXPLAINED.items())])


def needs(results: Results) -> str:
    """Return the utilization of each limit."""
    names = ("gateway's rate", "environments", "writer", "readers")
    lines = ["| step | requests a second | " + " | ".join(names) + " |", "|---|--:|" + "--:|" * 4]
    for step, by_rate in results["ladder"].items():
        for rate in list(by_rate)[1:]:
            asked = by_rate[rate]["needs"]
            cells = (f"{asked[name]:.0%}" if name in asked else "" for name in names)
            bold = (f"**{cell}**" if cell and int(cell[:-1]) > 100 else cell for cell in cells)
            lines.append(f"| {step} | {int(rate):,} | {' | '.join(bold)} |")
    return "\n".join(lines)


def bills(results: Results) -> str:
    """Return the bill of the first passing step, for each rate."""
    found: dict[str, Mapping[str, float]] = {}
    for rate in results["ladder"]["prod as it is"]:
        held = (by[rate] for by in results["ladder"].values() if by[rate]["holds"])
        found[rate] = next(held, {"parts": {}})["parts"]
    parts = list(dict.fromkeys(part for item in found.values() for part in item))
    lines = [
        "| dollars a month, of simulated use | "
        + " | ".join(f"{int(rate):,}" for rate in found)
        + " |"
    ]
    lines.append("|---|" + "--:|" * len(found))
    for part in parts:
        cells = (f"{item[part]:,.0f}" if part in item else "" for item in found.values())
        lines.append(f"| {part} | {' | '.join(cells)} |")
    sums = (f"{sum(item.values()):,.0f}" for item in found.values())
    return "\n".join([*lines, f"| **together** | {' | '.join(sums)} |"])


def jumps(results: Results) -> str:
    """Return the effect of a sudden tenfold load on three steps."""
    head = "to requests a second | failed for good | p99 | attempts a request | well again after"
    lines = [f"| simulated: step | {head} |", "|---|--:|--:|--:|--:|--:|"]
    for name, seen in results["jumps"].items():
        step, _, rate = name.rpartition("/")
        length = len(seen["series"]["attempts"])
        until = "not within the run" if seen["until"] >= length else f"{seen['until']} s"
        lines.append(
            f"| {step} | {int(rate):,} | {percent(seen['failed'][0])} | {ms(seen['p99'])} "
            f"| {seen['attempts']:.2f} | {until} |"
        )
    return "\n".join(lines)


def outages(results: Results) -> str:
    """Return the effect of each retry policy during a failover."""
    head = "failed for good | p99 | most attempts a second | most environments | well again after"
    lines = [f"| simulated: who repeats | {head} |", "|---|--:|--:|--:|--:|--:|"]
    for policy, seen in results["outages"].items():
        lines.append(
            f"| {policy} | {percent(seen['failed'][0])} | {ms(seen['p99'])} "
            f"| {seen['peak_attempts']:,} | {seen['peak_busy']:,} | {seen['recovered']} s |"
        )
    return "\n".join(lines)


def changes(results: Results) -> str:
    """Return the effect of a usage plan on an API key that sends too much."""
    head = "| simulated: what happens | what is done | failed, of all others | p99 of all others |"
    lines = [head, "|---|---|--:|--:|"]
    for name, (event, change) in CHANGES.items():
        seen = results["changes"][name]
        lines.append(f"| {event} | {change} | {percent(seen['failed'][0])} | {ms(seen['p99'])} |")
    return "\n".join(lines)


def not_modified(results: Results) -> str:
    """Return the savings if half of the responses have no body."""
    saved = results["not_modified"]
    lines = ["| half of all answers are 304 | " + " | ".join(f"{int(r):,}" for r in saved) + " |"]
    lines.append("|---|" + "--:|" * len(saved))
    cells = " | ".join(f"{item:,.0f}" for item in saved.values())
    return "\n".join([*lines, f"| dollars a month less, computed | {cells} |"])


def theory(results: Results) -> str:
    lines = ["| what | theory | simulated, 95% interval | within it |", "|---|--:|--:|---|"]
    for name, row in results["theory"].items():
        mean, half = row["simulated"]
        holds = "yes" if row["holds"] else "**no**"
        lines.append(f"| {name} | {row['theory']:.4g} | {mean:.4g} ± {half:.2g} | {holds} |")
    return "\n".join(lines)


def scales(results: Results) -> str:
    lines = [
        "| scaled down by, to requests a second | simulated p50 | simulated p99 | failed |",
        "|--:|--:|--:|--:|",
    ]
    for scale, seen in results["scales"].items():
        left, p50, p99 = SCALED / float(scale), within(seen["p50"]), within(seen["p99"])
        lines.append(f"| {scale}, {left:.0f} | {p50} | {p99} | {percent(seen['failed'][0])} |")
    return "\n".join(lines)


def calibration(results: Results) -> str:
    """Return the measured and simulated values of each rate, and the error."""
    forms = {"throughput": plain, "utilization": share, "p50": of_ms, "p95": of_ms}
    head = " | ".join(f"{name}: measured | simulated" for name in forms)
    lines = [f"| sent a second, measured times | {head} |", "|--:|" + "--:|" * 2 * len(forms)]
    rows = results["calibration"]["rates"]
    for row in rows.values():
        cells = [f"{row['rate']:.0f}, {row['rounds']}"]
        for name, form in forms.items():
            said = f"{form(row[name]['simulated'])} ({row[name]['error']:+.0%})"
            cells += [form(row[name]["measured"]), said]
        lines.append(f"| {' | '.join(cells)} |")
    below = [row for share, row in rows.items() if float(share) < 1]
    errors = (f"{name} {spread([row[name]['error'] for row in below])}" for name in forms)
    return "\n".join([*lines, "", f"Its error below saturation: {', '.join(errors)}."])


def assumptions(results: Results) -> str:
    lines = ["| assumption | value | from | to | of what | source |", "|---|--:|--:|--:|---|---|"]
    for name, assumption in results["assumptions"].items():
        values = " | ".join(f"{assumption[key]:g}" for key in ("value", "low", "high"))
        lines.append(
            f"| {name.replace('_', ' ')} | {values} "
            f"| {assumption['unit']} | {assumption['source']} |"
        )
    return "\n".join(lines)


def bounds(results: Results) -> str:
    """Return the effect of each assumption on p99, environments and the bill, the largest first."""
    lines = ["| simulated: assumption | p99 | environments | dollars a month | failed |"]
    lines += ["|---|--:|--:|--:|--:|", _bound("*as assumed*", results["bounds"]["base"])]
    rows = [(name, bound) for name, bound in results["bounds"].items() if name != "base"]
    shown = ("p99", "environments", "dollars")
    rows.sort(key=lambda row: -max(_swing(row[1], key) for key in shown))
    for name, bound in rows:
        lines.append(_bound(name.replace("_", " "), bound["low"], bound["high"]))
    return "\n".join(lines)


def _bound(name: str, *ends: Results) -> str:
    """Return a row. With two results, each cell shows the range from low to high."""
    columns = (
        [of_ms(end["p99"]) for end in ends],
        [f"{end['environments']:,.0f}" for end in ends],
        [f"{end['dollars']:,.0f}" for end in ends],
        [percent(end["failed"]) for end in ends],
    )
    return f"| {name} | {' | '.join(' to '.join(column) for column in columns)} |"


def _swing(bound: Results, key: str) -> float:
    """Return the difference between the bounds, relative to the larger one."""
    low, high = float(bound["low"][key]), float(bound["high"][key])
    return max(low, high) / max(1e-9, min(low, high))


TABLES: Mapping[str, Callable[[Results], str]] = {
    item.__name__: item
    for item in (
        decisions,
        ladder,
        steps,
        needs,
        bills,
        jumps,
        outages,
        changes,
        not_modified,
        theory,
        scales,
        calibration,
        assumptions,
        bounds,
    )
}
