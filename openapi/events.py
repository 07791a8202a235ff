"""The documents of the events: an AsyncAPI 3.0 document, and the JSON Schema of an event.

Sources: https://www.asyncapi.com/docs/reference/specification/v3.0.0
         https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/cloudevents.json
"""

from typing import Any

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.events.cloudevents import OPERATIONS, SOURCE, SPECVERSION, Event
from openapi.service import INFO

JSONObject = dict[str, Any]

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"
EXAMPLE = ("01a2043a-b5d2-7386-b484-33764a732a70", 7, "2026-01-31T12:00:00.123Z")
SUMMARIES = {
    "created": "A customer was created.",
    "updated": "Fields of a customer have changed.",
    "deleted": "A customer was deleted. It can be restored until it is erased.",
    "restored": "A deleted customer was restored.",
    "erased": "The personal data of a customer was erased permanently. Erase your copies.",
}


def schema() -> JSONObject:
    """Return the JSON Schema of an event. Consumers must accept types and fields that are added."""
    time = {"type": "string", "format": "date-time"}
    identifier = {"type": "string", "format": "uuid"}
    version = {"type": "integer", "minimum": 1, "maximum": 4_294_967_295}
    fields = {
        "specversion": {"const": SPECVERSION},
        "id": {
            "type": "string",
            "pattern": f"^{UUID}/[1-9][0-9]*$",
            "description": "The customer's id and version. Each delivery of an event has the same.",
        },
        "source": {"const": SOURCE},
        "type": {"enum": [_type(operation) for operation in OPERATIONS]},
        "subject": identifier | {"description": "The customer's id."},
        "time": time | {"description": "The time of the change, by the database's clock."},
        "datacontenttype": {"const": "application/json"},
        "data": {
            "type": "object",
            "required": ["id", "version", "time"],
            "properties": {
                "id": identifier | {"description": "The customer's id."},
                "version": version | {"description": "The customer's version, as in its ETag."},
                "time": time | {"description": "The time of the change."},
            },
        },
    }
    return {"type": "object", "required": list(fields), "properties": fields}


def json_schema() -> JSONObject:
    """Return the schema as a separate document."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Customer event"}
    return {**head, **schema()}


def asyncapi(version: str) -> JSONObject:
    """Return the AsyncAPI document."""
    channel = {"$ref": "#/channels/customers"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{INFO['title']}: events",
            "version": version,
            "description": "Thin CloudEvents 1.0, at least once and without personal data.",
            "license": {"name": "Apache 2.0", "url": LICENSE_URL},
            "tags": [{"name": "customers", "description": "Changes of customers."}],
        },
        "servers": {
            "eventbridge": {
                "host": "events.{region}.amazonaws.com",
                "protocol": "https",
                "description": "Amazon EventBridge in the stage's account.",
                "variables": {"region": {"description": "The region, such as eu-west-1."}},
            }
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "customers": {
                "address": "customers-{stage}",
                "title": "The event bus of a stage",
                "description": "An event bus of Amazon EventBridge. An entry has the source"
                f" `{SOURCE}`, the event's type as its detail-type, and the event as its detail.",
                "parameters": {"stage": {"description": "The stage, such as prod."}},
                "messages": {
                    operation: {"$ref": f"#/components/messages/{operation}"}
                    for operation in OPERATIONS
                },
            }
        },
        "operations": {
            "sendCustomerEvents": {
                "action": "send",
                "channel": channel,
                "summary": "The relay sends an event for each version of a customer.",
                "description": "One to two minutes after the change: docs/events.md.",
            }
        },
        "components": {
            "messages": {operation: _message(operation) for operation in OPERATIONS},
            "schemas": {"CustomerEvent": schema()},
        },
    }


def example(operation: str) -> Event:
    """Return an event of the operation."""
    return Event(CUSTOMERS.name, operation, *EXAMPLE)


def _message(operation: str) -> JSONObject:
    own = {"type": "object", "properties": {"type": {"const": _type(operation)}}}
    return {
        "name": _type(operation),
        "summary": SUMMARIES[operation],
        "payload": {"allOf": [{"$ref": "#/components/schemas/CustomerEvent"}, own]},
        "examples": [{"payload": example(operation).document()}],
    }


def _type(operation: str) -> str:
    return f"{CUSTOMERS.name}.{operation}"
