"""Whoever receives the events learns of each version, in order."""

import json
from collections import defaultdict
from collections.abc import Iterator

from jsonschema import Draft202012Validator

from load.chaos.facts import Facts
from local.processes import PROJECT

SCHEMA = PROJECT / "docs" / "event-schema.json"


def unsent(facts: Facts) -> Iterator[str]:
    """Yield versions in the histories of the database that have no event."""
    if facts.final is None or facts.final.events is None:
        return
    sent = {event["id"] for event in facts.final.events}
    for customer, versions in facts.final.histories.items():
        for version, operation in versions.items():
            if f"{customer}/{version}" not in sent:
                yield f"version {version} of {customer}, {operation}, has no event"


def disordered(facts: Facts) -> Iterator[str]:
    """Yield events that arrived for the first time after that of a later version."""
    latest: dict[str, int] = defaultdict(int)
    received = set()
    for event in facts.events:
        customer, _, version = event["id"].partition("/")
        if event["id"] not in received and int(version) < latest[customer]:
            yield f"{event['id']} arrived after version {latest[customer]}"
        received.add(event["id"])
        latest[customer] = max(latest[customer], int(version))


def wrong(facts: Facts) -> Iterator[str]:
    """Yield events that violate their schema, or whose version the database never had."""
    schema = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for event in {json.dumps(event): event for event in facts.events}.values():
        for error in schema.iter_errors(event):
            yield f"{event['id']}: {error.message}"
        customer, _, version = event["id"].partition("/")
        versions = facts.final.histories.get(customer, {}) if facts.final else {}
        operation = versions.get(int(version), "")
        if int(version) > max(versions, default=0) or not event["type"].endswith(operation):
            yield f"{event['id']} is {event['type']}, stored is {operation or 'no such version'}"
