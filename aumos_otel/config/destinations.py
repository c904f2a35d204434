"""Where telemetry goes, which records, and what is kept until it got there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from aumos_otel._internal.values import (
    boolean,
    choice,
    endpoint,
    headers,
    integer,
    log_level,
    mapping,
    members,
    names,
    number,
    path,
    readable_file,
    text,
)
from aumos_otel.config.declaration import Options, one_of, option
from aumos_otel.config.redaction import RedactionOptions
from aumos_otel.config.words import SIGNALS, Content, Protocol, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Selector(Options):
    """Which records a destination gets: those for which every given condition holds.

    A destination that names tenants gets their records and no others: a record of another tenant,
    or of none, never leaves through it.

    >>> from aumos_otel import OTLP, Selector
    >>> OTLP(name="acme", endpoint="collector.acme.example:4317", select=Selector(tenants=["acme"])).select.tenants
    ('acme',)
    """

    prefix: ClassVar[str] = "select"

    tenants: Sequence[str] = option((), parse=names, doc="Tenants; empty: whatever the tenant.")
    scopes: Sequence[str] = option((), parse=names, doc="Instrumentation scopes; a trailing * matches any ending.")
    operations: Sequence[str] = option((), parse=names, doc="GenAI operations, e.g. chat.")
    attributes: Mapping[str, Any] = option({}, parse=mapping, doc="Attributes with the value that they must have.")
    severity: int | None = option(None, parse=log_level, doc="Least level of log records, e.g. WARNING.")


@dataclass(frozen=True, kw_only=True)
class SpoolOptions(Options):
    """What is kept on disk until a destination takes it; the bounds are those of one signal in one process.

    >>> from aumos_otel import SpoolOptions
    >>> SpoolOptions(enabled=True, fsync="each").fsync
    'each'
    """

    prefix: ClassVar[str] = "spool"

    enabled: bool = option(False, "AUMOS_OTEL_SPOOL", parse=boolean, doc="Keep on disk what cannot be sent yet.")
    directory: str | None = option(
        None,
        "AUMOS_OTEL_SPOOL_DIR",
        parse=path,
        doc="Where; default $XDG_STATE_HOME/aumos-otel/spool, else ~/.local/state/aumos-otel/spool.",
    )
    max_bytes: int = option(
        256 * 1024 * 1024, parse=integer(64 * 1024, 2**50), doc="Most bytes; beyond them the oldest are dropped."
    )
    max_age: float = option(
        86_400.0, parse=number(1, 31_536_000, " seconds"), doc="Seconds after which what was kept is dropped."
    )
    min_free: int = option(
        128 * 1024 * 1024, parse=integer(0, 2**50), doc="Bytes that stay free on the disk; below them memory is used."
    )
    drain_rate: float = option(
        0.0, parse=number(0, 1_000_000), doc="Most requests a second while a backlog is sent; 0: as fast as possible."
    )
    fsync: Literal["interval", "each"] = option(
        "interval", parse=choice("interval", "each"), doc="Survive a power cut: but for the last second, or wholly."
    )


@dataclass(frozen=True, kw_only=True)
class Destination(Options):
    """What every destination has: a name, and a say in what it gets."""

    name: str = option("", parse=text, doc="Name of the destination in status() and describe().")
    signals: Sequence[Signal] = option(
        SIGNALS, parse=members(*SIGNALS), doc="Signals that it gets: any of traces, metrics, logs."
    )
    select: Selector | None = option(None, parse=one_of(Selector), doc="Which records it gets; None: all.")
    sampling: float = option(1.0, parse=number(0, 1), doc="Share of the traces that it gets, by trace id.")
    content: Content | None = option(
        None,
        parse=choice("none", "hash", "redacted", "full"),
        doc="Prompts and answers that it gets; default `llm.content`.",
    )
    redaction: RedactionOptions | None = option(
        None, parse=one_of(RedactionOptions), doc="Its redaction profile; default: configure(redaction=…)."
    )
    queue_bytes: int = option(
        16 * 1024 * 1024,
        "AUMOS_OTEL_QUEUE_BYTES",
        parse=integer(64 * 1024, 2**40),
        doc="Encoded bytes that may wait in memory, for each signal.",
    )


def _spool(value: Any) -> Any:
    return SpoolOptions(enabled=value) if isinstance(value, bool) else one_of(SpoolOptions)(value)


@dataclass(frozen=True, kw_only=True)
class OTLP(Destination):
    """An OTLP destination: a collector, or a backend that speaks OTLP.

    ``endpoint`` without a scheme is plaintext; port 4317 means grpc, 4318 http/protobuf.  For
    HTTP it is the base URL: ``/v1/traces`` and its like are added.  Times are seconds.

    >>> from aumos_otel import OTLP
    >>> OTLP(endpoint="otel-collector:4317").endpoint
    'otel-collector:4317'
    """

    prefix: ClassVar[str] = "otlp"

    endpoint: str | None = option(
        None,
        "AUMOS_OTEL_ENDPOINT",
        "AUMOS_OTEL__ENDPOINT",
        parse=endpoint,
        doc="Collector; without one OTEL_EXPORTER_OTLP_*_ENDPOINT, a running `aumos-otel ui`, or localhost.",
    )
    protocol: Protocol | None = option(
        None,
        "AUMOS_OTEL_PROTOCOL",
        parse=choice("http/protobuf", "http/json", "grpc"),
        doc="Wire protocol; by default from scheme, port, OTEL_EXPORTER_OTLP_*_PROTOCOL, else http/protobuf.",
    )
    headers: Mapping[str, str] | None = option(
        None, parse=headers, doc="Headers sent along; default OTEL_EXPORTER_OTLP_*_HEADERS.", secret=True
    )
    timeout: float | None = option(
        None, parse=number(0.001, 600, " seconds"), doc="Seconds for one export; default OTEL_EXPORTER_OTLP_*_TIMEOUT."
    )
    compression: Literal["gzip", "zstd", "none"] | None = option(
        None, parse=choice("gzip", "zstd", "none"), doc="Compression; default OTEL_EXPORTER_OTLP_*_COMPRESSION."
    )
    certificate: str | None = option(
        None, parse=readable_file, doc="CA bundle in PEM; default OTEL_EXPORTER_OTLP_*_CERTIFICATE."
    )
    spool: SpoolOptions | bool | None = option(
        None, parse=_spool, doc="Its own spool, or True or False; default: configure(spool=…)."
    )
    name: str = option("otlp", parse=text, doc="Name of the destination in status() and describe().")


@dataclass(frozen=True, kw_only=True)
class OTLPFile(Destination):
    """A file as a destination: a line of OTLP/JSON for each request, as the collector's otlpjsonfile receiver reads it.

    It may be shared by several processes of one machine.

    >>> from aumos_otel import OTLPFile
    >>> OTLPFile(path="telemetry.jsonl", backups=5).backups
    5
    """

    prefix: ClassVar[str] = "otlp_file"

    path: str = option(
        "telemetry.jsonl", parse=path, doc="The file; made with its directory when there is something to write."
    )
    max_bytes: int = option(
        64 * 1024 * 1024, parse=integer(1, 2**50), doc="A file that would grow beyond it is renamed to `path.1`."
    )
    max_age: float | None = option(
        None, parse=number(1, 1e9, " seconds"), doc="Seconds after which a file is renamed, too; None: at no age."
    )
    backups: int = option(3, parse=integer(0, 10_000), doc="Renamed files that are kept; the oldest goes.")
    name: str = option("file", parse=text, doc="Name of the destination in status() and describe().")
