"""What the vectors in tests/contract/sli say of a span or a log record, as the package asks for it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "contract" / "sli"
KINDS = {0: "internal", 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUSES = {0: "unset", 1: "ok", 2: "error"}


@dataclass
class Facts:
    """A span or an event."""

    kind: str = "internal"
    name: str = "work"
    status: str = "unset"
    scope: str = ""
    duration: float = 0.0
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    events: tuple[tuple[str, dict[str, Any]], ...] = ()


def vectors(name):
    """The vectors of a file."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def facts(vector):
    """The facts of a vector."""
    resource = attributes(vector["resource"])
    scope = vector["scope"].get("name", "")
    if "log" in vector:
        log = vector["log"]
        return Facts("event", log["eventName"], scope=scope, attributes=attributes(log), resource=resource)
    span = vector["span"]
    return Facts(
        kind=KINDS[span["kind"]],
        name=span["name"],
        status=STATUSES[span["status"]["code"]],
        scope=scope,
        duration=max(0, int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9,
        attributes=attributes(span),
        resource=resource,
        events=tuple((event["name"], attributes(event)) for event in span["events"]),
    )


def attributes(holder):
    """The attributes of a span, an event or a resource."""
    return {entry["key"]: value(entry["value"]) for entry in holder.get("attributes", ())}


def value(given):
    """A value, arrays as the SDK keeps them."""
    readers = {
        "intValue": int,
        "doubleValue": float,
        "bytesValue": base64.b64decode,
        "arrayValue": lambda inner: tuple(map(value, inner["values"])),
        "kvlistValue": lambda inner: {entry["key"]: value(entry["value"]) for entry in inner["values"]},
    }
    return next((readers.get(kind, lambda inner: inner)(inner) for kind, inner in given.items()), None)
