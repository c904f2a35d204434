"""What services count for their SLIs, and how they define their objectives: rows of the store, ready to be evaluated."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aumos_otel.semconv import attributes as names
from aumos_otel.semconv import metrics
from aumos_otel.sources import local

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

#: Newest points of one SLI that are read, of each of its two counters; older ones are as good as not there.
MAX_POINTS: Final = 100_000
#: Traces behind bad events that are kept of one SLI.
_MAX_TRACES: Final = 50
#: Seconds between two points, when there are not two; the default of OpenTelemetry's periodic reader.
_INTERVAL: Final = 60.0
#: Gaps that tell how often points come, and the bounds of what they may tell, in seconds.
_GAPS: Final = 200
_SHORTEST: Final = 0.1
_LONGEST: Final = 3600.0
_DELTA: Final = 1
_SECOND: Final = 1_000_000_000

#: A service, and the name of an SLI of it.
Key = tuple[str, str]
#: From the attributes of a series to the group that it is counted in.
Grouping: TypeAlias = "Callable[[dict[str, Any]], tuple[str, ...]]"


@dataclass(frozen=True, slots=True)
class Told:
    """An objective as its service told it last, in the words of the metric.

    Attributes:
        sli: empty when nothing is counted for it where it is defined.
        at: Unix seconds.
    """

    service: str
    name: str
    target: float | None
    sli: str
    window: str
    policy: str
    owner: str
    at: float


@dataclass(frozen=True, slots=True)
class BadEvent:
    """The trace behind a bad event, and its span; ``at`` in Unix seconds."""

    trace_id: str
    span_id: str
    at: float


@dataclass(slots=True)
class Counted:
    """The counters of one SLI.

    Attributes:
        events: points of the counters of all events, over all instances and tenants.
        good: same, of the good ones.
        bad: newest first, each trace once.
    """

    events: list[local.Point] = field(default_factory=list)
    good: list[local.Point] = field(default_factory=list)
    bad: list[BadEvent] = field(default_factory=list)

    @property
    def step(self) -> float:
        """Seconds from one point to the next, as they usually come."""
        times: dict[Any, list[float]] = defaultdict(list)
        for point in self.events:
            times[point.series].append(point.at)
        longest = sorted(times[max(times, key=lambda series: len(times[series]), default=None)])[-_GAPS:]
        gaps = [after - before for before, after in pairwise(longest)]
        return min(max(median(gaps), _SHORTEST), _LONGEST) if gaps else _INTERVAL


def objectives(connection: sqlite3.Connection) -> list[Told]:
    """Each objective of each service, by its latest point: a service may have changed its mind."""
    rows = connection.execute(
        "SELECT r.service, s.attributes, p.value, p.time_ns FROM metrics m JOIN series s ON s.metric_id = m.id "
        "JOIN resources r ON r.id = s.resource_id JOIN points p ON p.seq = "
        "(SELECT seq FROM points WHERE series_id = s.id ORDER BY time_ns DESC LIMIT 1) "
        "WHERE m.name = ? AND m.kind = 'gauge' ORDER BY p.time_ns",
        (metrics.AUMOS_SLO_TARGET.name,),
    )
    latest: dict[Key, Told] = {}
    for row in rows:
        known = {key: str(value) for key, value in json.loads(row["attributes"]).items()}
        told = Told(
            service=row["service"],
            name=known.get(names.AUMOS_SLO_NAME, ""),
            target=row["value"],
            sli=known.get(names.AUMOS_SLI_NAME, ""),
            window=known.get(names.AUMOS_SLO_WINDOW, ""),
            policy=known.get(names.AUMOS_SLO_POLICY, ""),
            owner=known.get(names.AUMOS_OWNER, ""),
            at=row["time_ns"] / _SECOND,
        )
        latest[told.service, told.name] = told
    return list(latest.values())


def slis(connection: sqlite3.Connection) -> list[Key]:
    """The SLIs that are counted, by service and name."""
    rows = connection.execute(
        "SELECT DISTINCT r.service, json_extract(s.attributes, ?) FROM metrics m JOIN series s ON s.metric_id = m.id "
        "JOIN resources r ON r.id = s.resource_id WHERE m.name = ? AND m.kind = 'sum'",
        (f'$."{names.AUMOS_SLI_NAME}"', metrics.AUMOS_SLI_EVENTS.name),
    )
    return sorted((service, str(name)) for service, name in rows if name is not None)


def count(connection: sqlite3.Connection, key: Key) -> Counted:
    """The counters of one SLI."""
    return count_apart(connection, key, lambda _attributes: ()).get((), Counted())


def count_apart(connection: sqlite3.Connection, key: Key, group: Grouping) -> dict[tuple[str, ...], Counted]:
    """The counters of one SLI, by the group that ``group`` makes of the attributes of resource and series."""
    found: dict[tuple[str, ...], Counted] = defaultdict(Counted)
    series = connection.execute(
        "SELECT s.id, m.name, m.temporality, r.attributes AS resource, s.attributes FROM metrics m "
        "JOIN series s ON s.metric_id = m.id JOIN resources r ON r.id = s.resource_id "
        "WHERE m.name IN (?, ?) AND m.kind = 'sum' AND r.service = ? AND json_extract(s.attributes, ?) = ?",
        (
            metrics.AUMOS_SLI_EVENTS.name,
            metrics.AUMOS_SLI_GOOD_EVENTS.name,
            key[0],
            f'$."{names.AUMOS_SLI_NAME}"',
            key[1],
        ),
    ).fetchall()
    since = _beginning(connection, [row["id"] for row in series if row["name"] == metrics.AUMOS_SLI_EVENTS.name])
    for row in series:
        counted = found[group(json.loads(row["resource"]) | json.loads(row["attributes"]))]
        column = counted.events if row["name"] == metrics.AUMOS_SLI_EVENTS.name else counted.good
        delta = row["temporality"] == _DELTA
        for at, start, value, data in connection.execute(
            "SELECT time_ns, start_ns, value, data FROM points WHERE series_id = ? AND time_ns >= ?", (row["id"], since)
        ):
            if value is not None and value >= 0:
                column.append(local.Point(row["id"], at / _SECOND, start / _SECOND, float(value), delta))
            if len(data) > len("{}") and column is counted.events:
                counted.bad += _bad_events(json.loads(data))
    for counted in found.values():
        counted.bad = _newest(counted.bad)
    return dict(found)


def _beginning(connection: sqlite3.Connection, series: list[int]) -> int:
    """From when on points are read, in nanoseconds: both counters have to begin at one moment."""
    each = MAX_POINTS // max(len(series), 1)
    return max(
        (
            row[0]
            for one in series
            for row in connection.execute(
                "SELECT time_ns FROM points WHERE series_id = ? ORDER BY time_ns DESC LIMIT 1 OFFSET ?", (one, each)
            )
        ),
        default=0,
    )


def _bad_events(data: dict[str, Any]) -> Iterable[BadEvent]:
    for exemplar in data.get("exemplars", ()):
        if exemplar["attributes"].get(names.AUMOS_SLI_GOOD) is False:
            yield BadEvent(exemplar["trace_id"], exemplar["span_id"], exemplar["time_ns"] / _SECOND)


def _newest(events: list[BadEvent]) -> list[BadEvent]:
    by_trace = {event.trace_id: event for event in sorted(events, key=lambda event: event.at)}
    return sorted(by_trace.values(), key=lambda event: -event.at)[:_MAX_TRACES]
