"""OTLP/JSON metrics as a service with objectives sends them."""

from __future__ import annotations

from typing import Any

from .conftest import NOW, attributes

SECOND = 1_000_000_000


def number(value: float, at: float, given: dict[str, Any], *, start: float = -1, **more: Any) -> dict[str, Any]:
    """A data point ``at`` seconds from now, of a counter that began at ``start``."""
    return {
        "timeUnixNano": str(NOW + int(at * SECOND)),
        "startTimeUnixNano": str(NOW + int(start * SECOND)),
        "asDouble": value,
        "attributes": attributes(given),
    } | more


def counter(name: str, points: list[dict[str, Any]], temporality: int = 2) -> dict[str, Any]:
    """A monotonic sum."""
    return {"name": name, "sum": {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": points}}


def counts(rows: list[tuple[float, float, float]], sli: str = "requests", **more: Any) -> list[dict[str, Any]]:
    """Both counters of an SLI from rows (seconds from now, good, total); ``tenant``, ``start``, ``exemplars``."""
    given = {"aumos.sli.name": sli} | ({"aumos.tenant.id": more.pop("tenant")} if "tenant" in more else {})
    start, exemplars = more.pop("start", rows[0][0] - 1), more.pop("exemplars", [])
    events = [number(total, at, given, start=start) for at, _, total in rows]
    events[-1] |= {"exemplars": exemplars} if exemplars else {}
    good = [number(fine, at, given, start=start) for at, fine, _ in rows]
    return [counter("aumos.sli.events", events, **more), counter("aumos.sli.good_events", good, **more)]


def target(
    value: float = 0.999, *, name: str = "available", sli: str | None = "requests", policy: str = "demo", window: str = "30d", at: float = 0
) -> dict[str, Any]:  # fmt: skip
    """The gauge that tells of an objective."""
    given = {"aumos.slo.name": name, "aumos.slo.policy": policy, "aumos.slo.window": window, "aumos.owner": "team-a"}
    given |= {} if sli is None else {"aumos.sli.name": sli}
    return {"name": "aumos.slo.target", "gauge": {"dataPoints": [number(value, at, given)]}}


def exemplar(trace: str, span: str, *, good: bool = False, at: float = 0) -> dict[str, Any]:
    """An exemplar of an event."""
    given = attributes({"aumos.sli.good": good})
    return {"traceId": trace, "spanId": span, "timeUnixNano": str(NOW + int(at * SECOND)), "asInt": "1", "filteredAttributes": given}  # fmt: skip


def run(bad: dict[int, int], seconds: int = 60, each: int = 10) -> list[tuple[float, float, float]]:
    """A row a second until now, ``each`` events a second, so many of them bad at the seconds given."""
    rows, good, total = [], 0, 0
    for at in range(-seconds, 1):
        total += each
        good += each - bad.get(at, 0)
        rows.append((float(at), float(good), float(total)))
    return rows
