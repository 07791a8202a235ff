"""Tables of docs/scaling.md, made from the results of a simulation."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from load.simulation.designs import EXPLAINED
from load.simulation.plan import CHANGES, LOADED, OUTAGES
from load.simulation.spending import per_million

MARK = re.compile(r"(<!-- simulated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SHOWN = 0.0005
"""Smaller shares of failures are not shown."""
NAMES = {"429": "429 gateway", "500": "500 no environment", "503": "503 database"}
SHOWN_SWING = 1.05
"""An assumption is in the table if it changes a value by more than this factor."""

Results = Mapping[str, Any]


def filled(text: str, results: Results) -> str:
    """Return the page with each table replaced between its marks."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]](results) + "\n" + found[4], text)


def _table(head: str, alignment: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a table; `alignment` has `l` or `r` for each column."""
    rule = "".join({"l": "---|", "r": "--:|"}[side] for side in alignment)
    return "\n".join([f"| {head} |", f"|{rule}", *(f"| {' | '.join(row)} |" for row in rows)])


def decisions(results: Results) -> str:
    """Return, for each rate, the bottleneck of `prod` and the first step that meets the targets."""
    head = (
        "requests per second | largest utilization in `prod` | simulated: failed | p50 | p99 | "
        "first step that passes | p50 in this step | p99 in this step | $ per month | "
        "$ per million requests"
    )
    rows = []
    for rate, seen in results["ladder"]["prod as deployed"].items():
        limit, used = max(seen["needs"].items(), key=lambda need: need[1])
        before = [f"{limit}: {used:.0%}", percent(seen["failed"][0]), *_times(seen)]
        rows.append([f"{int(rate):,}", *before, *_after(results["ladder"], rate)])
    return _table(head, "rlrrrlrrrr", rows)


def _after(ladder: Results, rate: str) -> list[str]:
    """Return the first step that meets the targets at a rate, with its latency and costs."""
    for step, by_rate in ladder.items():
        seen = by_rate[rate]
        if seen["holds"]:
            dollars = seen["dollars"]
            per_request = f"{per_million(dollars, int(rate)):,.2f}"
            return [step, *_times(seen), f"{dollars:,.0f}", per_request]
    return ["none", "-", "-", "-", "-"]


def _times(seen: Results) -> list[str]:
    return [ms(seen["p50"]), ms(seen["p99"])]


def ladder(results: Results) -> str:
    """Return a row for each step: p99, failures and costs at each rate."""
    rates = list(next(iter(results["ladder"].values())))
    head = " | ".join(["simulated: step", *(f"{int(rate):,}" for rate in rates)])
    rows = [
        [step, *(_cell(by_rate[rate]) for rate in rates)]
        for step, by_rate in results["ladder"].items()
    ]
    return _table(head, "l" * (1 + len(rates)), rows)


def _cell(seen: Results) -> str:
    failed = seen["failed"][0]
    if seen["holds"]:
        return f"**{ms(seen['p99'])}**, ${seen['dollars']:,.0f}"
    kind = max(seen["kinds"], key=lambda each: float(seen["kinds"][each]))
    why = f", {percent(failed)} fail ({NAMES[kind]})" if failed > SHOWN else ""
    return f"{ms(seen['p99'])}{why}"


def steps(_: Results) -> str:
    return _table("step | change", "ll", EXPLAINED.items())


def needs(results: Results) -> str:
    """Return the utilization of each limit at one rate. It is proportional to the rate."""
    names = ("gateway rate", "environments", "writer", "readers")
    rows = []
    for step, by_rate in results["ladder"].items():
        used = by_rate[str(LOADED)]["needs"]
        rows.append([step, *(_utilization(used[name]) if name in used else "" for name in names)])
    head = " | ".join([f"at {LOADED:,} requests per second", *names])
    return _table(head, "lrrrr", rows)


def _utilization(share: float) -> str:
    return f"**{share:.0%}**" if share > 1 else f"{share:.1%}"


def bills(results: Results) -> str:
    """Return, for each rate, the bill of the first step that meets the targets."""
    found: dict[str, Mapping[str, float]] = {}
    for rate in results["ladder"]["prod as deployed"]:
        held = (by[rate] for by in results["ladder"].values() if by[rate]["holds"])
        found[rate] = next(held, {"parts": {}})["parts"]
    parts = dict.fromkeys(part for bill in found.values() for part in bill)
    rows = [
        [part, *(f"{bill[part]:,.0f}" if part in bill else "" for bill in found.values())]
        for part in parts
    ]
    rows.append(["**total**", *(f"{sum(bill.values()):,.0f}" for bill in found.values())])
    head = " | ".join(["$ per month, simulated usage", *(f"{int(rate):,}" for rate in found)])
    return _table(head, "l" + "r" * len(found), rows)


def jumps(results: Results) -> str:
    """Return the effect of a load that rises to ten times as much at once."""
    rows = []
    for name, seen in results["jumps"].items():
        step, _, rate = name.rpartition("/")
        length = len(seen["series"]["attempts"])
        until = "not within the run" if seen["until"] >= length else f"{seen['until']} s"
        figures = [percent(seen["failed"][0]), ms(seen["p99"]), f"{seen['attempts']:.2f}", until]
        rows.append([step, f"{int(rate):,}", *figures])
    head = "requests per second | failed | p99 | attempts per request | recovered after"
    return _table(f"simulated: step | {head}", "lrrrrr", rows)


def outages(results: Results) -> str:
    """Return the effect of each retry policy on both kinds of outage."""
    rows = []
    for event, by_policy in results["outages"].items():
        length = f"{OUTAGES[event].end - OUTAGES[event].start:.2g} s"
        for policy, seen in by_policy.items():
            peaks = [f"{seen['peak_attempts']:,}", f"{seen['peak_busy']:,}"]
            figures = [percent(seen["failed"][0]), ms(seen["p99"]), *peaks]
            rows.append([length, policy, *figures, f"{seen['recovered']} s"])
    head = "failed | p99 | peak attempts per second | peak environments | recovered after"
    return _table(f"simulated: outage | maximum attempts | {head}", "llrrrrr", rows)


def changes(results: Results) -> str:
    """Return the effect of each limit on the other clients, if one client sends too much."""
    seen = results["changes"]
    rows = [
        [limit, percent(seen[name]["failed"][0]), ms(seen[name]["p99"])]
        for name, limit in CHANGES.items()
    ]
    head = "simulated: limit of a client | failed, other clients | p99, other clients"
    return _table(head, "lrr", rows)


def calibration(results: Results) -> str:
    """Return, for each rate, measured and simulated values, and the error of the simulation."""
    forms: Mapping[str, Callable[[float], str]] = {
        "throughput": "{:.0f}".format,
        "utilization": "{:.0%}".format,
        "p50": of_ms,
        "p95": of_ms,
    }
    by_share = results["calibration"]["rates"]
    rows = []
    for row in by_share.values():
        cells = [f"{row['rate']:.0f} ({row['rounds']})"]
        for name, form in forms.items():
            simulated = f"{form(row[name]['simulated'])} ({row[name]['error']:+.0%})"
            cells += [form(row[name]["measured"]), simulated]
        rows.append(cells)
    below = [row for share, row in by_share.items() if float(share) < 1]
    errors = (f"{name} {_spread([row[name]['error'] for row in below])}" for name in forms)
    head = " | ".join(f"{name}: measured | simulated" for name in forms)
    table = _table(f"requests per second (runs) | {head}", "r" * (1 + 2 * len(forms)), rows)
    return f"{table}\n\nErrors below saturation: {', '.join(errors)}."


def _spread(errors: list[float]) -> str:
    return f"{min(errors):+.0%} to {max(errors):+.0%}"


def bounds(results: Results) -> str:
    """Return the effect of each assumption at its bounds, the largest effect first."""
    rows = [_bound("*all as assumed*", "", results["bounds"]["base"])]
    swings = {name: _swing(each) for name, each in results["bounds"].items() if name != "base"}
    for name in sorted(swings, key=lambda name: -swings[name]):
        if swings[name] > SHOWN_SWING:
            ends, assumed = results["bounds"][name], assumption(results["assumptions"][name])
            rows.append(_bound(f"`{name}`", assumed, ends["low"], ends["high"]))
    head = "assumption | value | p99 | environments | $ per month | failed"
    return _table(head, "llrrrr", rows)


def assumption(told: Results) -> str:
    """Return the value and the bounds of an assumption, with their unit."""
    return f"{told['value']:g} ({told['low']:g} to {told['high']:g}) {told['unit']}"


def _bound(name: str, value: str, *ends: Results) -> list[str]:
    """Return a row; with two ends, from the low one to the high one."""
    columns = (
        [of_ms(each["p99"]) for each in ends],
        [f"{each['environments']:,.0f}" for each in ends],
        [f"{each['dollars']:,.0f}" for each in ends],
        [percent(each["failed"]) for each in ends],
    )
    return [name, value, *(" to ".join(column) for column in columns)]


def _swing(ends: Results) -> float:
    """Return the largest ratio of a value between the bounds."""
    pairs = [(ends["low"][key], ends["high"][key]) for key in ("p99", "environments", "dollars")]
    return max(float(max(pair) / max(1e-9, min(pair))) for pair in pairs)


def percent(share: float) -> str:
    return "0" if share < SHOWN / 10 else f"{share:.2%}" if share < 0.01 else f"{share:.0%}"


def ms(value: Any) -> str:
    """Format the mean of an interval, in seconds."""
    return of_ms(value[0])


def of_ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


_TABLES = (decisions, ladder, steps, needs, bills, jumps, outages, changes, calibration, bounds)
TABLES: Mapping[str, Callable[[Results], str]] = {table.__name__: table for table in _TABLES}
