"""Estimate monthly costs: `python -m infrastructure.costs` prints the tables of docs/costs.md.

Each price has a source, or is marked as unchecked. The usage is measured in this project, or
assumed. After a change here, `make costs` updates the page.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.stages import DATA_API, MYSQL, MYSQL_PASSWORD, STAGES, Stage

PAGE = Path(__file__).parents[1] / "docs" / "costs.md"
MARK = re.compile("(?<=<!-- computed -->\n).*?(?=<!-- end -->)", re.DOTALL)
HOURS = 730.0
SECONDS = HOURS * 3_600
MILLION = 1e6
PEAK = 3.0
"""Ratio of peak to mean traffic. The database is sized for the peak."""
PROXY_ACU = 8
"""RDS Proxy bills at least this capacity."""
ZONES = 2
"""Zones of the network, each with an interface of an endpoint."""


@dataclass(frozen=True)
class Price:
    """US dollars per unit. `source` says where the price is from, or that it is unchecked."""

    dollars: float
    unit: str
    source: str


_VOLUMES = "| 10 thousand | 10 million | 1 billion |"
UNCHECKED = "unchecked"
AWS_PAGE = "AWS's price page"
BLOG = "third-party pages"
PRICES: Mapping[str, Price] = {
    "lambda_request": Price(0.20, "million invocations", BLOG),
    "lambda_duration": Price(0.0000166667, "GB-second", BLOG),
    "acu": Price(0.12, "ACU-hour", BLOG),
    "data_api": Price(0.35, "million calls", UNCHECKED),
    "proxy": Price(0.015, "ACU-hour of RDS Proxy, of at least 8 ACU", UNCHECKED),
    "endpoint": Price(0.01, "hour of an interface endpoint, per zone", UNCHECKED),
    "storage": Price(0.10, "GB-month", UNCHECKED),
    "io": Price(0.20, "million I/O", UNCHECKED),
    "logs": Price(0.57, "GB ingested", UNCHECKED),
    "waf": Price(0.60, "million requests", UNCHECKED),
    "waf_fixed": Price(12.00, "month, for a web ACL and its rules", UNCHECKED),
    "alarms": Price(0.10, "metric of an alarm per month", UNCHECKED),
    "composites": Price(0.50, "composite alarm per month", UNCHECKED),
    "dashboard": Price(3.00, "dashboard per month", UNCHECKED),
    "metric": Price(0.30, "custom metric per month", UNCHECKED),
    "event": Price(1.00, "million events put on a bus", UNCHECKED),
    "archive": Price(0.10, "GB of events archived", UNCHECKED),
    "secret": Price(0.40, "secret per month", UNCHECKED),
    "key": Price(1.00, "KMS key per month", UNCHECKED),
    "trace": Price(5.00, "million traces", UNCHECKED),
    "transfer": Price(0.09, "GB sent", UNCHECKED),
}
# REST API requests: dollars per million, and the tier's upper limit in millions per month.
GATEWAY: tuple[tuple[float, float], ...] = (
    (333, 3.50),
    (1_000, 2.80),
    (20_000, 2.38),
    (float("inf"), 1.51),
)


@dataclass(frozen=True)
class Usage:
    """A month of a stage with this number of requests. All other values are stated in the page."""

    requests: float
    min_capacity: float
    max_capacity: float
    instances: int = 2
    memory_gb: float = 0.5
    seconds: float = 0.1
    authorized_share: float = 0.05
    """Requests for which the authorizer runs. The gateway caches its response for 300 s."""
    statements: float = 1.1
    per_acu: float = 100.0
    """Statements per second that one ACU executes: assumed, not measured."""
    rows_gb: float = 10.0
    io_per_statement: float = 0.5
    log_bytes: float = 1_200.0
    response_bytes: float = 1_000.0
    writing_share: float = 0.2
    """Requests that write a version, of which the relay sends an event."""
    event_bytes: float = 600.0
    relay_statements: float = 5.0
    """Statements of a run of the relay, each minute."""
    traced_share: float = 0.05
    alarms: int = 36
    composites: int = 4
    metrics: int = 61
    secrets: int = 4
    keys: int = 2

    @property
    def millions(self) -> float:
        return self.requests / MILLION

    @property
    def capacity(self) -> float:
        """ACU of an instance: the mean load with room for the peak, within the stage's limits."""
        needed = self.requests / SECONDS * self.statements * PEAK / self.per_acu
        return min(max(needed, self.min_capacity), self.max_capacity)


def gateway(millions: float) -> float:
    """Return dollars for this number of million requests, each tier at its price."""
    total, lower = 0.0, 0.0
    for upper, dollars in GATEWAY:
        total += max(0.0, min(millions, upper) - lower) * dollars
        lower = upper
    return total


def _compute(usage: Usage) -> float:
    invoked = usage.millions * (1 + usage.authorized_share)
    duration = invoked * MILLION * usage.seconds * usage.memory_gb
    return invoked * _price("lambda_request") + duration * _price("lambda_duration")


def _storage(usage: Usage) -> float:
    reads = usage.millions * usage.statements * usage.io_per_statement
    return usage.rows_gb * _price("storage") + reads * _price("io")


def _data_api(usage: Usage) -> float:
    return usage.millions * usage.statements * _price("data_api")


def _proxy(usage: Usage) -> float:
    """Return the price of the proxy, and of the endpoint through which the relay sends events."""
    billed = max(PROXY_ACU, usage.capacity * usage.instances)
    return billed * HOURS * _price("proxy") + _endpoint()


def _proxy_and_secrets(usage: Usage) -> float:
    return _proxy(usage) + _endpoint()


def _endpoint() -> float:
    return ZONES * HOURS * _price("endpoint")


def _events(usage: Usage) -> float:
    events = usage.millions * usage.writing_share
    archived = events * usage.event_bytes / 1_000 * _price("archive")
    runs = HOURS * 60 / MILLION
    statements = runs * usage.relay_statements * _price("data_api")
    return events * _price("event") + archived + statements + runs * _price("lambda_request")


def _observability(usage: Usage) -> float:
    logs = usage.requests * usage.log_bytes / 1e9 * _price("logs")
    traces = usage.millions * usage.traced_share * _price("trace")
    alarms = usage.alarms * _price("alarms") + usage.composites * _price("composites")
    return logs + traces + alarms + usage.metrics * _price("metric") + _price("dashboard")


PARTS: Mapping[str, Callable[[Usage], float]] = {
    "API Gateway": lambda usage: gateway(usage.millions),
    "Lambda": _compute,
    "Data API": _data_api,
    "Aurora: capacity": lambda usage: usage.capacity * usage.instances * HOURS * _price("acu"),
    "Aurora: storage and I/O": _storage,
    "Logs, metrics, alarms, traces": _observability,
    "Events": _events,
    "WAF": lambda usage: _price("waf_fixed") + usage.millions * _price("waf"),
    "Secrets and keys": lambda usage: usage.secrets * _price("secret") + usage.keys * _price("key"),
    "Data sent": lambda usage: usage.requests * usage.response_bytes / 1e9 * _price("transfer"),
}


# What each backend of infrastructure/stages.py adds to the database.
WAYS: Mapping[str, Callable[[Usage], float]] = {
    DATA_API: _data_api,
    MYSQL: _proxy,
    MYSQL_PASSWORD: _proxy_and_secrets,
}


def _price(name: str) -> float:
    return PRICES[name].dollars


def month(usage: Usage) -> dict[str, float]:
    """Return dollars per month, by part."""
    return {part: cost(usage) for part, cost in PARTS.items()}


def tables() -> str:
    """Return the page's text between its markers."""
    return "\n".join(["", *_months(), "", *_ways(), "", *_ceilings(), "", *_prices(), ""])


def ceiling(stage: Stage) -> float:
    """Return dollars per month if all instances are at the stage's maximum capacity."""
    return stage.max_capacity * stage.instances * HOURS * _price("acu")


def _ceilings() -> list[str]:
    lines = ["| stage | maximum ACU | instances | highest costs of capacity | budget |"]
    lines.append("|---|--:|--:|--:|--:|")
    lines += [
        f"| {each.name} | {each.max_capacity:g} | {each.instances} | {ceiling(each):,.2f}"
        f" | {each.monthly_budget:,} |"
        for each in STAGES.values()
    ]
    return lines


def _usages() -> list[Usage]:
    prod = STAGES["prod"]
    return [
        Usage(requests, prod.min_capacity, prod.max_capacity, prod.instances)
        for requests in (1e4, 1e7, 1e9)
    ]


def _ways() -> list[str]:
    lines = [f"| backend {_VOLUMES}", "|---|--:|--:|--:|"]
    return [*lines, *(_row(f"`{name}`", list(map(way, _usages()))) for name, way in WAYS.items())]


def _months() -> list[str]:
    usages = _usages()
    months = [month(usage) for usage in usages]
    lines = [f"| requests per month {_VOLUMES}", "|---|--:|--:|--:|"]
    lines += [_row(part, [month[part] for month in months]) for part in PARTS]
    totals = [sum(month.values()) for month in months]
    lines.append(_row("**total**", totals))
    averages = [total / usage.millions for total, usage in zip(totals, usages, strict=True)]
    lines.append(_row("per million requests", averages))
    lines.append(f"| ACU per instance | {' | '.join(f'{u.capacity:.1f}' for u in usages)} |")
    return lines


def _row(name: str, dollars: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{dollar:,.2f}' for dollar in dollars)} |"


def _prices() -> list[str]:
    lines = ["| price | US dollars | unit | source |", "|---|--:|---|---|"]
    lower = 0.0
    for upper, dollars in GATEWAY:
        tier = f"{lower:,.0f} to {upper:,.0f}" if upper < float("inf") else f"over {lower:,.0f}"
        unit = f"million requests ({tier} million per month)"
        lines.append(f"| API Gateway, REST | {dollars} | {unit} | {AWS_PAGE} |")
        lower = upper
    for name, price in PRICES.items():
        dollars_text = f"{price.dollars:.10f}".rstrip("0")
        dollars_text += "0" * max(0, 2 - len(dollars_text.partition(".")[2]))
        label = name.replace("_", " ")
        lines.append(f"| {label} | {dollars_text} | {price.unit} | {price.source} |")
    return lines


def main() -> int:
    """Update the page's tables."""
    PAGE.write_text(MARK.sub(lambda _: tables(), PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
