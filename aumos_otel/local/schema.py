"""The database file: its tables, its version, and what happens to a file that is not one of ours.

Nothing is ever deleted here: a file of another schema version, or a damaged one, is renamed
beside the new one, and the caller is told.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aumos_otel.errors import LocalBackendError

VERSION: Final = 1
#: Tells our files from other programs' ("aumo").
APPLICATION_ID: Final = 0x61756D6F
#: How long a statement waits for another process that writes the same file, in seconds.
BUSY_TIMEOUT: Final = 5.0

_TABLES: Final = """
CREATE TABLE resources (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, attributes TEXT NOT NULL UNIQUE
);
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, attributes TEXT NOT NULL,
    UNIQUE (name, version, attributes)
);
-- One row a trace, so that the list of the latest never groups all spans. Its values only ever
-- widen (min, max), so a span that arrives twice changes nothing.
CREATE TABLE traces (
    trace_id TEXT PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    has_error INTEGER NOT NULL, has_llm INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX traces_by_start ON traces (start_ns);
CREATE TABLE spans (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of arrival: the cursor of who follows
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT,
    name TEXT NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    status INTEGER NOT NULL, status_message TEXT NOT NULL, service TEXT NOT NULL,
    thing TEXT NOT NULL,                     -- llm | agent | server | http | other
    tenant TEXT, route TEXT, http_status INTEGER,
    operation TEXT, provider TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER, cost REAL,
    attributes TEXT NOT NULL, events TEXT NOT NULL, links TEXT NOT NULL, dropped INTEGER NOT NULL,
    resource_id INTEGER NOT NULL, scope_id INTEGER NOT NULL,
    UNIQUE (trace_id, span_id)               -- senders retry: the same span is stored once
);
CREATE INDEX spans_by_start ON spans (start_ns);
CREATE TABLE logs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns INTEGER NOT NULL, severity INTEGER NOT NULL, severity_text TEXT NOT NULL, body TEXT NOT NULL,
    event_name TEXT NOT NULL, trace_id TEXT, span_id TEXT, service TEXT NOT NULL, attributes TEXT NOT NULL,
    resource_id INTEGER NOT NULL, scope_id INTEGER NOT NULL
);
CREATE INDEX logs_by_time ON logs (time_ns);
CREATE INDEX logs_by_trace ON logs (trace_id) WHERE trace_id IS NOT NULL;
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL, description TEXT NOT NULL, kind TEXT NOT NULL,
    temporality INTEGER NOT NULL, monotonic INTEGER NOT NULL,
    UNIQUE (name, unit, description, kind, temporality, monotonic)
);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, metric_id INTEGER NOT NULL, resource_id INTEGER NOT NULL, scope_id INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    UNIQUE (metric_id, resource_id, scope_id, attributes)
);
CREATE TABLE points (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    series_id INTEGER NOT NULL, time_ns INTEGER NOT NULL, start_ns INTEGER NOT NULL,
    value NUMERIC, count INTEGER, sum REAL, data TEXT NOT NULL,
    UNIQUE (series_id, time_ns)
);
CREATE INDEX points_by_time ON points (time_ns);
"""


def default_path() -> Path:
    """``local.db`` in ``$XDG_DATA_HOME/aumos-otel``, or in ``~/.local/share/aumos-otel``."""
    data_home = os.environ.get("XDG_DATA_HOME")
    return (Path(data_home) if data_home else Path.home() / ".local" / "share") / "aumos-otel" / "local.db"


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, str | None]:
    """The one writing connection to ``path``, and a note if an older file was set aside for it.

    Raises:
        LocalBackendError: the file cannot be written, or belongs to another program.
    """
    try:
        _make_private(path)
        return _open_or_set_aside(path)
    except (OSError, sqlite3.Error) as error:
        raise LocalBackendError(
            f"database {path}",
            seen=f"{type(error).__name__}: {error}",
            expected="a file that can be written",
            remedy="choose another file with --db, or free the disk space or the permission that is missing",
        ) from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot change anything; close it after the query."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def set_aside(path: Path, suffix: str) -> Path:
    """Rename the database and its side files to ``<name>.<suffix>-<UTC time>``; returns the new name."""
    target = path.with_name(f"{path.name}.{suffix}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for side in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(target.with_name(target.name + side))
    with contextlib.suppress(FileNotFoundError):
        path.rename(target)
    return target


def _make_private(path: Path) -> None:
    """Telemetry may hold prompts: the directory we make and the file are this user's alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _open_or_set_aside(path: Path) -> tuple[sqlite3.Connection, str | None]:
    try:
        connection = _connect(path)
    except sqlite3.OperationalError:
        raise  # locked, full, read-only: the file itself may be sound
    except sqlite3.DatabaseError as error:
        moved = set_aside(path, "corrupt")
        _make_private(path)
        return _connect(path), f"the database was damaged ({error}) and is kept as {moved}"
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == VERSION:
        return connection, None
    connection.close()
    moved = set_aside(path, "bak")
    _make_private(path)
    return _connect(path), f"the database had schema version {version}, this is {VERSION}; it is kept as {moved}"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        tables = _count_our_tables(connection, path)
        if not tables:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # works before the first table only
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if not tables:
            _create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _count_our_tables(connection: sqlite3.Connection, path: Path) -> int:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and owner != APPLICATION_ID:
        raise LocalBackendError(
            f"database {path}",
            seen=f"an SQLite file of another program (application id {owner})",
            expected="a file of aumos-otel, or none",
            remedy="choose another file with --db",
        )
    return int(tables)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Two backends may start on the same new file at once: the second finds it made.
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
