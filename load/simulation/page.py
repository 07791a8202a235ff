"""Tables of docs/scaling.md, made from the results of a simulation."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from load.simulation.cells import SHOWN, ms, of_ms, percent, plain, share, spread
from load.simulation.designs import EXPLAINED
from load.simulation.plan import CHANGES, LOADED, OUTAGES
from load.simulation.spending import per_million

MARK = re.compile(r"(<!-- simulated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NAMES = {"429": "429 gateway", "500": "500 no environment", "503": "503 database"}
SHOWN_SWING = 1.05
"""An assumption is in the table if it changes a value by more than this factor."""

Results = Mapping[str, Any]


def filled(text: str, results: Results) -> str:
    """Return the page with each table replaced between its marks."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]](results) + "\n" + found[4], text)


def decisions(results: Results) -> str:
    """Return, for each rate, the bottleneck of `prod` and the first step that meets the targets."""
    head = (
        "requests per second",
        "largest utilization in `prod`",
        "simulated: failed",
        "p50",
        "p99",
        "first step that passes",
        "p50 in this step",
        "p99 in this step",
        "$ per month",
        "$ per million requests",
    )
    lines = [f"| {' | '.join(head)} |", "|--:|---|--:|--:|--:|---|--:|--:|--:|--:|"]
    for rate, seen in results["ladder"]["prod as deployed"].items():
        before = [_first(seen["needs"]), percent(seen["failed"][0]), *_times(seen)]
        after = _after(results["ladder"], rate)
        lines.append(f"| {int(rate):,} | {' | '.join([*before, *after])} |")
    return "\n".join(lines)


def _after(ladder: Results, rate: str) -> list[str]:
    """Return the first step that meets the targets at a rate, with its latency and costs."""
    for step, by_rate in ladder.items():
        seen = by_rate[rate]
        if seen["holds"]:
            dollars = seen["dollars"]
            return [_named(step), *_times(seen), f"{dollars:,.0f}", _per_million(dollars, rate)]
    return ["none", "-", "-", "-", "-"]


def _times(seen: Results) -> list[str]:
    return [ms(seen["p50"]), ms(seen["p99"])]


def _named(step: str) -> str:
    return step


def _per_million(dollars: float, rate: str) -> str:
    return f"{per_million(dollars, int(rate)):,.2f}"


def _first(needs: Mapping[str, float]) -> str:
    name, share = max(needs.items(), key=lambda each: each[1])
    return f"{name}: {share:.0%}"


def ladder(results: Results) -> str:
    """Return a row for each step: p99, failures and costs at each rate."""
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
    kind = max(seen["kinds"], key=lambda each: float(seen["kinds"][each]))
    why = f", {percent(failed)} fail ({NAMES[kind]})" if failed > SHOWN else ""
    return f"{ms(seen['p99'])}{why}"


def steps(_: Results) -> str:
    lines = ["| step | change |", "|---|---|"]
    return "\n".join([*lines, *(f"| {step} | {what} |" for step, what in EXPLAINED.items())])


def needs(results: Results) -> str:
    """Return the utilization of each limit at one rate. It is proportional to the rate."""
    names = ("gateway rate", "environments", "writer", "readers")
    lines = [f"| at {LOADED:,} requests per second | {' | '.join(names)} |", "|---|" + "--:|" * 4]
    for step, by_rate in results["ladder"].items():
        used = by_rate[str(LOADED)]["needs"]
        cells = (_utilization(used[name]) if name in used else "" for name in names)
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _utilization(share: float) -> str:
    return f"**{share:.0%}**" if share > 1 else f"{share:.1%}"


def bills(results: Results) -> str:
    """Return, for each rate, the bill of the first step that meets the targets."""
    found: dict[str, Mapping[str, float]] = {}
    for rate in results["ladder"]["prod as deployed"]:
        held = (by[rate] for by in results["ladder"].values() if by[rate]["holds"])
        found[rate] = next(held, {"parts": {}})["parts"]
    parts = list(dict.fromkeys(part for each in found.values() for part in each))
    lines = [
        "| $ per month, simulated usage | " + " | ".join(f"{int(rate):,}" for rate in found) + " |"
    ]
    lines.append("|---|" + "--:|" * len(found))
    for part in parts:
        cells = (f"{each[part]:,.0f}" if part in each else "" for each in found.values())
        lines.append(f"| {part} | {' | '.join(cells)} |")
    sums = (f"{sum(each.values()):,.0f}" for each in found.values())
    return "\n".join([*lines, f"| **total** | {' | '.join(sums)} |"])


def jumps(results: Results) -> str:
    """Return the effect of a load that rises to ten times as much at once."""
    head = "requests per second | failed | p99 | attempts per request | recovered after"
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
    """Return the effect of each retry policy on both kinds of outage."""
    head = "failed | p99 | peak attempts per second | peak environments | recovered after"
    lines = [f"| simulated: outage | maximum attempts | {head} |", "|---|---|--:|--:|--:|--:|--:|"]
    for event, by_policy in results["outages"].items():
        length = f"{OUTAGES[event].end - OUTAGES[event].start:.2g} s"
        for policy, seen in by_policy.items():
            lines.append(
                f"| {length} | {policy} | {percent(seen['failed'][0])} | {ms(seen['p99'])} "
                f"| {seen['peak_attempts']:,} | {seen['peak_busy']:,} | {seen['recovered']} s |"
            )
    return "\n".join(lines)


def changes(results: Results) -> str:
    """Return the effect of a usage plan on one key that sends too much."""
    head = "| simulated: limit per key | failed, other clients | p99, other clients |"
    lines = [head, "|---|--:|--:|"]
    for name, limit in CHANGES.items():
        seen = results["changes"][name]
        lines.append(f"| {limit} | {percent(seen['failed'][0])} | {ms(seen['p99'])} |")
    return "\n".join(lines)


def calibration(results: Results) -> str:
    """Return, for each rate, measured and simulated values, and the error of the simulation."""
    forms = {"throughput": plain, "utilization": share, "p50": of_ms, "p95": of_ms}
    head = " | ".join(f"{name}: measured | simulated" for name in forms)
    lines = [f"| requests per second (runs) | {head} |", "|--:|" + "--:|" * 2 * len(forms)]
    rows = results["calibration"]["rates"]
    for row in rows.values():
        cells = [f"{row['rate']:.0f} ({row['rounds']})"]
        for name, form in forms.items():
            said = f"{form(row[name]['simulated'])} ({row[name]['error']:+.0%})"
            cells += [form(row[name]["measured"]), said]
        lines.append(f"| {' | '.join(cells)} |")
    below = [row for share, row in rows.items() if float(share) < 1]
    errors = (f"{name} {spread([row[name]['error'] for row in below])}" for name in forms)
    return "\n".join([*lines, "", f"Errors below saturation: {', '.join(errors)}."])


def bounds(results: Results) -> str:
    """Return the effect of each assumption at its bounds, the largest effect first."""
    lines = ["| assumption | value | p99 | environments | $ per month | failed |"]
    lines += [
        "|---|---|--:|--:|--:|--:|",
        _bound("*all as assumed*", "", results["bounds"]["base"]),
    ]
    swings = {name: _swing(each) for name, each in results["bounds"].items() if name != "base"}
    for name in sorted(swings, key=lambda name: -swings[name]):
        if swings[name] > SHOWN_SWING:
            ends, assumed = results["bounds"][name], assumption(results["assumptions"][name])
            lines.append(_bound(f"`{name}`", assumed, ends["low"], ends["high"]))
    return "\n".join(lines)


def assumption(told: Results) -> str:
    """Return the value and the bounds of an assumption, with their unit."""
    return f"{told['value']:g} ({told['low']:g} to {told['high']:g}) {told['unit']}"


def _bound(name: str, value: str, *ends: Results) -> str:
    """Return a row; with two ends, from the low one to the high one."""
    columns = (
        [of_ms(each["p99"]) for each in ends],
        [f"{each['environments']:,.0f}" for each in ends],
        [f"{each['dollars']:,.0f}" for each in ends],
        [percent(each["failed"]) for each in ends],
    )
    return f"| {name} | {value} | {' | '.join(' to '.join(column) for column in columns)} |"


def _swing(ends: Results) -> float:
    """Return the largest ratio of a value between the bounds."""
    pairs = [(ends["low"][key], ends["high"][key]) for key in ("p99", "environments", "dollars")]
    return max(float(max(pair) / max(1e-9, min(pair))) for pair in pairs)


TABLES: Mapping[str, Callable[[Results], str]] = {
    each.__name__: each
    for each in (
        decisions,
        ladder,
        steps,
        needs,
        bills,
        jumps,
        outages,
        changes,
        calibration,
        bounds,
    )
}
