"""The store: one thread that writes, any number that read.

Requests queue up; the writer takes what waits, decodes it, inserts it and commits it as one
transaction, and only then answers each sender.  So an acknowledged record is in the database.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import operator
import queue
import sqlite3
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.instrumentation.utils import suppress_instrumentation

from aumos_otel.errors import LocalBackendError
from aumos_otel.local import records, schema, wire
from aumos_otel.local.queries import Reader
from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("aumos_otel.local")

#: The database is kept below this size by deleting what arrived first.
MAX_BYTES: Final = 1024 * 1024 * 1024
#: Requests that may wait for the writer before senders are told to come back.
MAX_WAITING: Final = 256
#: Requests that one transaction takes at most.
_GROUP: Final = 64
#: Retried requests come soon after the first; this many digests are remembered.
_REMEMBERED: Final = 1024
_CACHED_IDS: Final = 50_000
#: The part of the oldest rows that one round of retention deletes.
_TRIM: Final = 0.05
_RETRY_AFTER: Final = 1

_DECODERS: Final[dict[wire.Signal, Callable[[Any], records.Batch]]] = {
    wire.Signal.TRACES: records.from_traces,
    wire.Signal.METRICS: records.from_metrics,
    wire.Signal.LOGS: records.from_logs,
}


def _insert(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own


_TRIMMED: Final = ("spans", "logs", "points")
_TRACE_FIELDS: Final = operator.itemgetter(
    *(records.SPAN_COLUMNS.index(name) for name in ("trace_id", "start_ns", "duration_ns", "status", "thing"))
)
_INSERT_SPAN: Final = _insert("spans", (*records.SPAN_COLUMNS, "resource_id", "scope_id"))
_INSERT_LOG: Final = _insert("logs", (*records.LOG_COLUMNS, "resource_id", "scope_id"))
_INSERT_POINT: Final = _insert("points", ("series_id", *records.POINT_COLUMNS))
#: An attribute of a record's resource.
_IN_RESOURCE: Final = "(SELECT json_extract(resources.attributes, ?) FROM resources WHERE resources.id = resource_id)"
_WIDEN_TRACE: Final = """
INSERT INTO traces (trace_id, start_ns, end_ns, has_error, has_llm) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (trace_id) DO UPDATE SET
    start_ns = min(start_ns, excluded.start_ns), end_ns = max(end_ns, excluded.end_ns),
    has_error = max(has_error, excluded.has_error), has_llm = max(has_llm, excluded.has_llm)
"""


@dataclass(slots=True)
class _Work:
    body: wire.Body
    answer: Future[wire.Outcome] = field(default_factory=Future)


class Store(Reader):
    """A database of traces, logs and metrics that takes OTLP requests.

    Args:
        path: the SQLite file; made if missing, `schema.default_path` if None.
        max_bytes: the size that retention keeps it below.

    >>> import pathlib, tempfile
    >>> from aumos_otel.local.store import Store
    >>> with tempfile.TemporaryDirectory() as directory, Store(pathlib.Path(directory) / "local.db") as store:
    ...     store.totals().spans
    0
    """

    def __init__(self, path: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path or schema.default_path())
        self.max_bytes = max_bytes
        #: What happened to files that were not usable, in words.
        self.notes: list[str] = []
        self._queue: queue.Queue[_Work | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[tuple[Any, ...], int] = {}
        self._answered: OrderedDict[bytes, wire.Outcome] = OrderedDict()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Open the file and start the writer.

        Raises:
            LocalBackendError: the file cannot be written, or belongs to another program.
        """
        if self._thread is None:
            with suppress_instrumentation():
                self._open_file()
            self._thread = threading.Thread(
                target=self._write_until_closed, name="aumos-otel-local-writer", daemon=True
            )
            self._thread.start()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, then close; gives up after ``timeout`` seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        deadline = time.monotonic() + timeout
        try:
            self._queue.put(None, timeout=timeout)
        except queue.Full:
            return
        thread.join(max(deadline - time.monotonic(), 0))

    def submit(self, body: wire.Body) -> Future[wire.Outcome]:
        """Queue one export request; the future is done once it is committed, or failed with a `wire.Rejection`.

        Raises:
            Rejection: 429 when too many requests wait, 503 when the store is closed.
        """
        if self._thread is None:
            raise wire.Rejection(503, "the local backend is stopping", retry_after=_RETRY_AFTER)
        work = _Work(body)
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            raise wire.Rejection(
                429, f"{MAX_WAITING} requests wait for the database; send again later", retry_after=_RETRY_AFTER
            ) from None
        return work.answer

    def erase(self, tenant: str | None, user: str | None) -> int:
        """Delete what carries a tenant, a user, or both where both are given; returns how many records.

        The bytes are overwritten.  Another process may write the file meanwhile.

        Raises:
            LocalBackendError: the file cannot be written, or belongs to another program.
        """
        with suppress_instrumentation():
            connection, _note = schema.open_for_writing(self.path)
            with contextlib.closing(connection):
                try:
                    return _erase(connection, tenant, user)
                except sqlite3.Error as error:
                    raise LocalBackendError(
                        f"database {self.path}",
                        seen=f"{type(error).__name__}: {error}",
                        expected="a file that can be written",
                        remedy="run it again; stop `aumos-otel ui` if it holds the file",
                    ) from error

    def _open_file(self) -> sqlite3.Connection:
        self._connection, note = schema.open_for_writing(self.path)
        self._ids.clear()
        if note:
            self.notes.append(note)
            logger.warning("%s", note)
        return self._connection

    def _write_until_closed(self) -> None:
        # Our own SQL must not become spans: they would come back here, for ever.
        with suppress_instrumentation():
            open_ = True
            while open_:
                group = [self._queue.get()]
                while len(group) < _GROUP and not self._queue.empty():
                    group.append(self._queue.get())
                open_ = None not in group
                self._write([work for work in group if work is not None and work.answer.set_running_or_notify_cancel()])
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        """Answer what slipped in behind the closing mark."""
        while not self._queue.empty():
            work = self._queue.get()
            if work is not None and work.answer.set_running_or_notify_cancel():
                work.answer.set_exception(wire.Rejection(503, "the local backend stopped", retry_after=_RETRY_AFTER))

    def _write(self, group: list[_Work]) -> None:
        """Commit ``group`` as one transaction, then answer; a damaged file is set aside and the group written anew."""
        if not group:
            return
        try:
            try:
                answers = self._commit(group)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # locked or full: the file is sound
                self._set_aside(error)
                answers = self._commit(group)
        except Exception as error:  # whatever it is, the senders must hear of it and the writer must live
            logger.warning("the local backend could not write %d requests", len(group), exc_info=error)
            failure = wire.Rejection(503, f"the database cannot be written: {error}", retry_after=_RETRY_AFTER)
            answers = [failure] * len(group)
        for work, answer in zip(group, answers, strict=True):
            if isinstance(answer, wire.Rejection):
                work.answer.set_exception(answer)
            else:
                work.answer.set_result(answer)

    def _commit(self, group: list[_Work]) -> list[wire.Outcome | wire.Rejection]:
        connection = self._connection or self._open_file()
        answers: list[wire.Outcome | wire.Rejection] = []
        fresh: dict[bytes, wire.Outcome] = {}
        connection.execute("BEGIN IMMEDIATE")
        try:
            for work in group:
                digest = _digest(work.body)
                known = fresh.get(digest) or self._answered.get(digest)
                try:
                    answer = known or self._take(connection, work.body)
                except wire.Rejection as rejection:
                    answers.append(rejection)
                else:
                    answers.append(answer)
                    fresh[digest] = answer
            connection.execute("COMMIT")
        except BaseException:
            self._ids.clear()  # ids made in this transaction are void
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._remember(fresh)
        self._trim_to_size(connection)
        return answers

    def _remember(self, fresh: dict[bytes, wire.Outcome]) -> None:
        """A retry sends the same bytes: logs have no id of their own, so they are recognized by this."""
        self._answered.update(fresh)
        while len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    def _take(self, connection: sqlite3.Connection, body: wire.Body) -> wire.Outcome:
        batch = _DECODERS[body.signal](wire.decode(body))
        traces: dict[str, tuple[int, int, bool, bool]] = {}
        for group in batch.groups:
            resource = self._id(connection, "resources", ("service", "attributes"), group.resource)
            scope = self._id(connection, "scopes", ("name", "version", "attributes"), group.scope)
            if group.metric is not None:
                self._take_points(connection, group, resource, scope)
            elif body.signal is wire.Signal.TRACES:
                connection.executemany(_INSERT_SPAN, [(*row, resource, scope) for row in group.rows])
                _widen(traces, group.rows)
            else:
                connection.executemany(_INSERT_LOG, [(*row, resource, scope) for row in group.rows])
        if traces:
            connection.executemany(_WIDEN_TRACE, [(trace, *bounds) for trace, bounds in traces.items()])
        return wire.Outcome(batch.rejected, "; ".join(sorted(batch.reasons)))

    def _take_points(self, connection: sqlite3.Connection, group: records.Group, resource: int, scope: int) -> None:
        metric = group.metric
        if metric is None:
            return
        identity = (metric.name, metric.unit, metric.description, metric.kind, metric.temporality, metric.monotonic)
        columns = ("name", "unit", "description", "kind", "temporality", "monotonic")
        metric_id = self._id(connection, "metrics", columns, identity)
        points = []
        for attributes, *values in group.rows:
            series = (metric_id, resource, scope, attributes)
            series_id = self._id(connection, "series", ("metric_id", "resource_id", "scope_id", "attributes"), series)
            points.append((series_id, *values))
        connection.executemany(_INSERT_POINT, points)

    def _id(self, connection: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[Any, ...]) -> int:
        """The id of a row of a dictionary table, made if it is new."""
        key = (table, *values)
        known = self._ids.get(key)
        if known is not None:
            return known
        if len(self._ids) >= _CACHED_IDS:
            self._ids.clear()
        connection.execute(_insert(table, columns), values)
        same = " AND ".join(f"{column} = ?" for column in columns)
        found = connection.execute(f"SELECT id FROM {table} WHERE {same}", values).fetchone()  # noqa: S608 - our names
        self._ids[key] = identity = int(found[0])
        return identity

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        moved = schema.set_aside(self.path, "corrupt")
        note = f"the database was damaged ({error}) and is kept as {moved}"
        self.notes.append(note)
        logger.warning("%s", note)
        self._answered.clear()
        self._open_file()

    def _trim_to_size(self, connection: sqlite3.Connection) -> None:
        """Delete the oldest arrivals, whole traces at a time, while the database is too large."""
        try:
            while _used_bytes(connection) > self.max_bytes and _delete_oldest(connection):
                self._ids.clear()
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        except sqlite3.OperationalError as error:  # what was asked is committed; the next commit tries again
            logger.warning("the local backend could not delete old telemetry: %s", error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _digest(body: wire.Body) -> bytes:
    kind = f"{body.signal.value} {body.media_type} {body.encoding}".encode()
    return hashlib.blake2b(body.content, digest_size=16, key=kind).digest()


def _widen(traces: dict[str, tuple[int, int, bool, bool]], rows: list[tuple[Any, ...]]) -> None:
    for row in rows:
        trace_id, start, duration, status, thing = _TRACE_FIELDS(row)
        end, error, llm = start + duration, status == records.STATUS_ERROR, thing == "llm"
        known = traces.get(trace_id)
        if known is not None:
            start, end, error, llm = min(start, known[0]), max(end, known[1]), error or known[2], llm or known[3]
        traces[trace_id] = (start, end, error, llm)


def _erase(connection: sqlite3.Connection, tenant: str | None, user: str | None) -> int:
    """Delete the records, and blank what names their subject in the rows that they shared.

    Shared rows keep their ids: a process that writes the file remembers them.
    """
    wanted = {names.AUMOS_TENANT_ID: tenant, names.USER_ID: user}
    subject = [(f'$."{name}"', value) for name, value in wanted.items() if value]
    own = " AND ".join(["CAST(json_extract(attributes, ?) AS TEXT) = ?"] * len(subject))
    own_arguments = [item for pair in subject for item in pair]
    # A part of the subject may stand in the resource, the rest in the record.
    either = " AND ".join([f"CAST(coalesce(json_extract(attributes, ?), {_IN_RESOURCE}) AS TEXT) = ?"] * len(subject))
    arguments = [item for name, value in subject for item in (name, name, value)]
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    removed = 0
    for table, condition in (
        ("spans", either),
        ("logs", either),
        ("points", f"series_id IN (SELECT id FROM series WHERE {either})"),  # noqa: S608 - names of our own
    ):
        removed += connection.execute(f"DELETE FROM {table} WHERE {condition}", arguments).rowcount  # noqa: S608 - same
    for table, condition, values in (("series", either, arguments), ("resources", own, own_arguments)):
        blank = f"UPDATE {table} SET attributes = json_object('erased', id) WHERE {condition}"  # noqa: S608 - same
        connection.execute(blank, values)
    connection.execute("DELETE FROM traces WHERE trace_id NOT IN (SELECT trace_id FROM spans)")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return removed


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _delete_oldest(connection: sqlite3.Connection) -> bool:
    """Delete the first arrivals of the table that has most rows; False if all are empty."""
    spread = "SELECT ifnull(max(seq) - min(seq) + 1, 0), ifnull(min(seq), 0) FROM "
    rows, first, table = max((*connection.execute(spread + name).fetchone(), name) for name in _TRIMMED)
    if not rows:
        return False
    limit = first + max(int(rows * _TRIM), 1)
    connection.execute("BEGIN IMMEDIATE")
    if table == "spans":  # a trace goes as a whole: half a tree helps nobody
        connection.execute("CREATE TEMP TABLE old AS SELECT DISTINCT trace_id FROM spans WHERE seq < ?", (limit,))
        connection.execute("DELETE FROM spans WHERE trace_id IN (SELECT trace_id FROM old)")
        connection.execute("DELETE FROM traces WHERE trace_id IN (SELECT trace_id FROM old)")
        connection.execute("DROP TABLE old")
    else:
        connection.execute(f"DELETE FROM {table} WHERE seq < ?", (limit,))  # noqa: S608 - names of our own
    connection.execute("DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM points WHERE series_id = series.id)")
    connection.execute("DELETE FROM metrics WHERE id NOT IN (SELECT metric_id FROM series)")
    for dictionary, column in (("resources", "resource_id"), ("scopes", "scope_id")):
        used = " UNION ".join(f"SELECT {column} FROM {user}" for user in ("spans", "logs", "series"))  # noqa: S608 - same
        connection.execute(f"DELETE FROM {dictionary} WHERE id NOT IN ({used})")  # noqa: S608 - same
    connection.execute("COMMIT")
    return True
