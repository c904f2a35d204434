"""What the page, the API and ``tail`` ask of the database.  Read-only, one short connection a question."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from aumos_otel.local import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Most spans of one trace that are read; the page says when there are more.
MAX_SPANS: Final = 5000
_MAX_LOGS: Final = 1000
_MAX_SERIES: Final = 20


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces are wanted; the empty filter wants all.

    Attributes:
        service: only traces in which this service took part.
        errors: only traces with a failed span.
        llm: only traces with a model call.
        text: part of a span name, a status message or an attribute, or the beginning of a trace id.
        before_ns: only traces that started before this time.
    """

    service: str = ""
    errors: bool = False
    llm: bool = False
    text: str = ""
    before_ns: int | None = None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs are wanted; the empty filter wants all.

    Attributes:
        service: only logs of this service.
        severity: the least OTLP severity number.
        text: part of the message, an attribute or the event name, or of a trace id.
    """

    service: str = ""
    severity: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One line of the list of traces; the tokens and the cost are those of its model calls."""

    trace_id: str
    start_ns: int
    duration_ns: int
    root_name: str
    root_service: str
    root_status: int
    root_http_status: int | None
    root_missing: bool
    services: tuple[str, ...]
    spans: int
    errors: int
    llm_calls: int
    models: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    cost: float | None
    tenant: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it is stored; ``attributes``, ``events`` and ``links`` are decoded."""

    seq: int
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: int
    start_ns: int
    duration_ns: int
    status: int
    status_message: str
    service: str
    thing: str
    tenant: str | None
    route: str | None
    http_status: int | None
    operation: str | None
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    dropped: int
    scope: str
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Log:
    """One log record as it is stored."""

    seq: int
    time_ns: int
    severity: int
    severity_text: str
    body: str
    event_name: str
    trace_id: str | None
    span_id: str | None
    service: str
    scope: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known about one trace: its summary, spans in order of start, and logs in order of time."""

    summary: TraceSummary
    spans: list[Span]
    logs: list[Log]


@dataclass(frozen=True, slots=True)
class Point:
    """The latest point of one series."""

    service: str
    attributes: dict[str, Any]
    time_ns: int
    value: float | None
    count: int | None
    sum: float | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and the latest point of its most recent series."""

    name: str
    unit: str
    description: str
    kind: str
    monotonic: bool
    series: int
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Totals:
    """What has arrived; a span that arrived twice counts once.

    ``spans_by_thing`` has the keys llm, agent, server, http and other; tokens and cost are those of model calls.
    """

    traces: int
    spans: int
    spans_by_thing: dict[str, int]
    logs: int
    logs_joined: int
    metric_points: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has followed the arrivals."""

    spans: int = 0
    logs: int = 0
    points: int = 0


THINGS: Final = ("server", "llm", "agent", "http", "other")

_SPAN: Final = """
SELECT s.*, c.name AS scope, r.attributes AS resource
FROM spans s JOIN scopes c ON c.id = s.scope_id JOIN resources r ON r.id = s.resource_id
"""
_LOG: Final = "SELECT l.*, c.name AS scope FROM logs l JOIN scopes c ON c.id = l.scope_id"
_SUMMARY: Final = """
SELECT t.trace_id, t.start_ns, t.end_ns - t.start_ns AS duration_ns, root.name AS root_name,
    root.service AS root_service, root.status AS root_status, root.http_status AS root_http_status,
    root.parent_id IS NOT NULL AS root_missing, json_group_array(DISTINCT s.service) AS services, count(*) AS spans,
    sum(s.status = 2) AS errors, sum(s.thing = 'llm') AS llm_calls,
    json_group_array(DISTINCT CASE WHEN s.thing = 'llm' THEN s.model END) AS models,
    ifnull(sum(CASE WHEN s.thing = 'llm' THEN s.input_tokens END), 0) AS input_tokens,
    ifnull(sum(CASE WHEN s.thing = 'llm' THEN s.output_tokens END), 0) AS output_tokens,
    sum(CASE WHEN s.thing = 'llm' THEN s.cost END) AS cost, max(s.tenant) AS tenant
FROM traces t
JOIN spans s ON s.trace_id = t.trace_id
JOIN spans root ON root.seq = (
    SELECT seq FROM spans WHERE trace_id = t.trace_id ORDER BY parent_id IS NOT NULL, start_ns LIMIT 1
)
WHERE {where}
GROUP BY t.trace_id ORDER BY t.start_ns DESC
"""


class Reader:
    """The questions; safe to ask from any thread while another thread or process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def traces(self, wanted: TraceFilter | None = None, *, limit: int = 50) -> list[TraceSummary]:
        """The latest traces that pass the filter, newest first."""
        where, values = _conditions(wanted or TraceFilter())
        inner = f"t.trace_id IN (SELECT trace_id FROM traces t WHERE {where} ORDER BY start_ns DESC LIMIT ?)"  # noqa: S608 - conditions of our own, values are bound
        with self.snapshot() as connection:
            rows = connection.execute(_SUMMARY.format(where=inner), (*values, limit)).fetchall()
        return [_summary(row) for row in rows]

    def trace(self, trace_id: str) -> Trace | None:
        """One trace with its spans (at most `MAX_SPANS`) and logs; None if nothing of it has arrived."""
        with self.snapshot() as connection:
            found = connection.execute(_SUMMARY.format(where="t.trace_id = ?"), (trace_id,)).fetchone()
            if found is None:
                return None
            spans = connection.execute(
                f"{_SPAN} WHERE s.trace_id = ? ORDER BY s.start_ns, s.seq LIMIT ?", (trace_id, MAX_SPANS)
            ).fetchall()
            logs = connection.execute(
                f"{_LOG} WHERE l.trace_id = ? ORDER BY l.time_ns, l.seq LIMIT ?", (trace_id, _MAX_LOGS)
            ).fetchall()
        return Trace(_summary(found), [_span(row) for row in spans], [_log(row) for row in logs])

    def logs(self, wanted: LogFilter | None = None, *, limit: int = 200) -> list[Log]:
        """The latest logs that pass the filter, newest first."""
        wanted = wanted or LogFilter()
        conditions, values = ["l.severity >= ?"], list[Any]([wanted.severity])
        if wanted.service:
            conditions.append("l.service = ?")
            values.append(wanted.service)
        if wanted.text:
            columns = ("l.body", "l.attributes", "l.event_name", "l.trace_id")
            conditions.append("(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns) + ")")
            values += [_like(wanted.text)] * len(columns)
        sql = f"{_LOG} WHERE {' AND '.join(conditions)} ORDER BY l.time_ns DESC, l.seq DESC LIMIT ?"
        with self.snapshot() as connection:
            return [_log(row) for row in connection.execute(sql, (*values, limit))]

    def metrics(self, *, text: str = "") -> list[Metric]:
        """All metrics by name, each with the latest points of its most recent series."""
        with self.snapshot() as connection:
            found = connection.execute(
                "SELECT m.*, count(*) AS series FROM metrics m JOIN series ON series.metric_id = m.id "
                "WHERE m.name LIKE ? ESCAPE '\\' GROUP BY m.id ORDER BY m.name, m.id LIMIT 500",
                (_like(text),),
            ).fetchall()
            return [_metric(connection, row) for row in found]

    def spans_of(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Span]:
        """Those of the spans, by trace and span id, that have arrived."""
        with self.snapshot() as connection:
            rows = (
                connection.execute(f"{_SPAN} WHERE s.trace_id = ? AND s.span_id = ?", ids).fetchone() for ids in wanted
            )
            return {(row["trace_id"], row["span_id"]): _span(row) for row in rows if row is not None}

    def services(self) -> list[str]:
        """Names of all services that have sent anything."""
        with self.snapshot() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT service FROM resources ORDER BY service")]

    def totals(self, since_ns: int = 0) -> Totals:
        """Counts of what began at ``since_ns`` (nanoseconds since the epoch) or later."""
        with self.snapshot() as connection:
            things = connection.execute(
                "SELECT thing, count(*) AS spans, count(DISTINCT trace_id) AS traces, sum(input_tokens) AS input, "
                "sum(output_tokens) AS output, sum(cost) AS cost FROM spans WHERE start_ns >= ? GROUP BY thing",
                (since_ns,),
            ).fetchall()
            traces = connection.execute(
                "SELECT count(DISTINCT trace_id) FROM spans WHERE start_ns >= ?", (since_ns,)
            ).fetchone()[0]
            logs = connection.execute(
                "SELECT count(*), ifnull(sum(trace_id IN (SELECT trace_id FROM traces)), 0) FROM logs WHERE time_ns >= ?",
                (since_ns,),
            ).fetchone()
            points = connection.execute("SELECT count(*) FROM points WHERE time_ns >= ?", (since_ns,)).fetchone()[0]
        counts = dict.fromkeys(THINGS, 0) | {row["thing"]: row["spans"] for row in things}
        calls = next((row for row in things if row["thing"] == "llm"), None)
        return Totals(
            traces=traces,
            spans=sum(counts.values()),
            spans_by_thing=counts,
            logs=logs[0],
            logs_joined=logs[1],
            metric_points=points,
            input_tokens=(calls["input"] or 0) if calls else 0,
            output_tokens=(calls["output"] or 0) if calls else 0,
            cost=(calls["cost"] or 0.0) if calls else 0.0,
        )

    def cursor(self) -> Cursor:
        """The end of what has arrived so far."""
        with self.snapshot() as connection:
            ends = connection.execute(
                "SELECT (SELECT max(seq) FROM spans), (SELECT max(seq) FROM logs), (SELECT max(seq) FROM points)"
            ).fetchone()
        return Cursor(*(end or 0 for end in ends))

    def arrivals(self, after: Cursor, *, limit: int = 500) -> tuple[list[Span], list[Log], Cursor]:
        """Spans and logs that arrived after ``after``, in order of arrival, and the cursor to go on from."""
        end = self.cursor()
        if after.spans > end.spans or after.logs > end.logs:
            after = Cursor()  # the database was replaced: follow the new one from its beginning
        with self.snapshot() as connection:
            spans = connection.execute(
                f"{_SPAN} WHERE s.seq > ? ORDER BY s.seq LIMIT ?", (after.spans, limit)
            ).fetchall()
            logs = connection.execute(f"{_LOG} WHERE l.seq > ? ORDER BY l.seq LIMIT ?", (after.logs, limit)).fetchall()
        reached = Cursor(
            spans=spans[-1]["seq"] if spans else after.spans,
            logs=logs[-1]["seq"] if logs else after.logs,
            points=end.points,
        )
        return [_span(row) for row in spans], [_log(row) for row in logs], reached

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read-only snapshot for questions that are asked elsewhere; its SQL is hidden from an instrumented sqlite3."""
        with suppress_instrumentation(), closing(schema.open_for_reading(self.path)) as connection:
            connection.execute("BEGIN")
            yield connection


def _conditions(wanted: TraceFilter) -> tuple[str, list[Any]]:
    conditions, values = ["1"], list[Any]()
    if wanted.errors:
        conditions.append("t.has_error")
    if wanted.llm:
        conditions.append("t.has_llm")
    if wanted.before_ns is not None:
        conditions.append("t.start_ns < ?")
        values.append(wanted.before_ns)
    if wanted.service:
        conditions.append("EXISTS (SELECT 1 FROM spans WHERE trace_id = t.trace_id AND service = ?)")
        values.append(wanted.service)
    if wanted.text:
        conditions.append(
            "(t.trace_id LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM spans WHERE trace_id = t.trace_id AND "
            "(name LIKE ? ESCAPE '\\' OR status_message LIKE ? ESCAPE '\\' OR attributes LIKE ? ESCAPE '\\')))"
        )
        values += [_like(wanted.text)[1:], *[_like(wanted.text)] * 3]
    return " AND ".join(conditions), values


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _summary(row: sqlite3.Row) -> TraceSummary:
    values = dict(row)
    for name in ("services", "models"):
        values[name] = tuple(sorted(item for item in json.loads(values[name]) if item is not None))
    return TraceSummary(**values | {"root_missing": bool(values["root_missing"])})


def _span(row: sqlite3.Row) -> Span:
    values = {name: row[name] for name in Span.__slots__}
    for name in ("attributes", "events", "links", "resource"):
        values[name] = json.loads(values[name])
    return Span(**values)


def _log(row: sqlite3.Row) -> Log:
    values = {name: row[name] for name in Log.__slots__}
    return Log(**values | {"attributes": json.loads(values["attributes"])})


def _metric(connection: sqlite3.Connection, metric: sqlite3.Row) -> Metric:
    rows = connection.execute(
        "SELECT r.service, s.attributes, p.time_ns, p.value, p.count, p.sum, p.data FROM series s "
        "JOIN resources r ON r.id = s.resource_id JOIN points p ON p.seq = "
        "(SELECT seq FROM points WHERE series_id = s.id ORDER BY time_ns DESC LIMIT 1) "
        "WHERE s.metric_id = ? ORDER BY p.time_ns DESC, s.attributes LIMIT ?",
        (metric["id"], _MAX_SERIES),
    )
    points = [
        Point(**dict(row) | {"attributes": json.loads(row["attributes"]), "data": json.loads(row["data"])})
        for row in rows
    ]
    return Metric(
        name=metric["name"],
        unit=metric["unit"],
        description=metric["description"],
        kind=metric["kind"],
        monotonic=bool(metric["monotonic"]),
        series=metric["series"],
        points=points,
    )
