"""The embedded local backend: OTLP in, SQLite, a page on loopback.  Needs the extra ``[local]``."""

from __future__ import annotations

from aumos_otel.local.queries import Totals, TraceFilter
from aumos_otel.local.server import LocalServer
from aumos_otel.local.store import Store

__all__ = ["LocalServer", "Store", "Totals", "TraceFilter"]
