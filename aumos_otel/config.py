"""Every option, declared once: its variables, default, check and meaning.

A user writes option objects (`OTLP`, `SamplingOptions`, …).  A field that was left out is
filled by `Options.resolve` in this order: argument, ``AUMOS_*`` variable, the
``distribution.aumos`` section of OTEL_CONFIG_FILE, ``OTEL_*`` variable, default.
docs/reference/configuration.md is generated from these declarations.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from aumos_otel._internal import hosts
from aumos_otel._internal.values import (
    anything,
    boolean,
    choice,
    endpoint,
    function,
    headers,
    instances,
    integer,
    log_level,
    mapping,
    mapping_to,
    members,
    names,
    number,
    path,
    readable_file,
    signal_name,
    text,
)
from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.sampling import Sampler

    from aumos_otel._internal.values import Parser

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
Protocol = Literal["http/protobuf", "http/json", "grpc"]
Content = Literal["none", "hash", "redacted", "full"]
Action = Literal["keep", "mask", "hash", "drop"]
Capture = Literal["span", "event", "both"]
Profile = Literal["1.37", "genai-0.1", "dup"]


class _Unset:
    """The value of a field that the user left out."""

    def __repr__(self) -> str:
        return "unset"


UNSET = _Unset()


def option(default: Any, *variables: str, parse: Parser, doc: str, secret: bool = False) -> Any:
    """Declare one option: default, variables in order of precedence, check and meaning."""
    metadata = {"default": default, "variables": variables, "parse": parse, "doc": doc, "secret": secret}
    return field(default=cast("Any", UNSET), metadata=metadata)


class Options:
    """Base of the option objects: checks arguments, fills what was left out."""

    prefix: ClassVar[str] = ""

    def __new__(cls, *_args: object, **given: object) -> Self:
        """Refuse an option that does not exist, with the nearest that does."""
        known = [declared.name for declared in fields(cast("Any", cls))]
        for name in given:
            if name not in known:
                raise unknown_option(f"{cls.prefix}.{name}" if cls.prefix else name, known)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for declared in _declared(self):
            value = getattr(self, declared.name)
            if value is not UNSET and value is not None:
                object.__setattr__(self, declared.name, self._check(declared, value, self._subject(declared)))

    def resolve(self, environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]) -> Self:
        """Fill the fields left out; record in ``sources`` where each value came from."""
        filled = {}
        for declared in _declared(self):
            value, source = getattr(self, declared.name), "argument"
            if value is UNSET:
                value, source = self._look_up(declared, environ, file)
            filled[declared.name] = value
            sources[self._subject(declared)] = source
        return cast("Self", replace(cast("Any", self), **filled))

    def _look_up(self, declared: Field[Any], environ: Mapping[str, str], file: Mapping[str, Any]) -> tuple[Any, str]:
        variables = declared.metadata["variables"]
        for variable in (name for name in variables if name.startswith("AUMOS_")):
            if environ.get(variable, "").strip():
                return self._check(declared, environ[variable], variable), variable
        section = file.get(self.prefix, {}) if self.prefix else file
        if isinstance(section, Mapping) and declared.name in section:
            subject = f"OTEL_CONFIG_FILE distribution.aumos.{self._subject(declared)}"
            return self._check(declared, section[declared.name], subject), "OTEL_CONFIG_FILE"
        for variable in (name for name in variables if name.startswith("OTEL_")):
            if environ.get(variable, "").strip() and not environ.get("OTEL_CONFIG_FILE", "").strip():
                return self._check(declared, environ[variable], variable), variable
        return declared.metadata["default"], "default"

    def _subject(self, declared: Field[Any]) -> str:
        return f"{self.prefix}.{declared.name}" if self.prefix else declared.name

    @staticmethod
    def _check(declared: Field[Any], value: Any, subject: str) -> Any:
        try:
            return declared.metadata["parse"](value)
        except ValueError as error:
            seen = "(hidden)" if declared.metadata["secret"] else value
            raise ConfigError(subject, seen=seen, expected=str(error), remedy="correct it or leave it out") from None


def _declared(options: Any) -> list[Field[Any]]:
    return [declared for declared in fields(options) if "parse" in declared.metadata]


def unknown_option(name: str, known: Sequence[str]) -> ConfigError:
    """The error for an option that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    remedy = f"did you mean {near[0]}?" if near else "see docs/reference/configuration.md"
    return ConfigError(name, seen="an unknown option", expected="one of " + ", ".join(known), remedy=remedy)


def _of(kind: str) -> Parser:
    """An option object of that kind, which is declared further down."""

    def parse(value: Any) -> Any:
        if type(value).__name__ == kind and isinstance(value, Options):
            return value
        raise ValueError(f"aumos_otel.{kind}(…)")

    return parse


def _spool(value: Any) -> SpoolOptions:
    return SpoolOptions(enabled=value) if isinstance(value, bool) else cast("SpoolOptions", _of("SpoolOptions")(value))


@dataclass(frozen=True, kw_only=True)
class OTLP(Options):
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
    name: str = option("otlp", parse=text, doc="Name of the destination in status() and describe().")
    signals: Sequence[Signal] = option(
        SIGNALS, parse=members(*SIGNALS), doc="Signals that it gets: any of traces, metrics, logs."
    )
    select: Selector | None = option(
        None, parse=_of("Selector"), doc="Which records it gets; None: all."
    )
    sampling: float = option(1.0, parse=number(0, 1), doc="Share of the traces that it gets, by trace id.")
    content: Content | None = option(
        None,
        parse=choice("none", "hash", "redacted", "full"),
        doc="Prompts and answers that it gets; default `llm.content`.",
    )
    redaction: RedactionOptions | None = option(
        None, parse=_of("RedactionOptions"), doc="Its redaction profile; default: configure(redaction=…)."
    )
    spool: SpoolOptions | bool | None = option(
        None, parse=_spool, doc="Its own spool, or True or False; default: configure(spool=…)."
    )
    queue_bytes: int = option(
        16 * 1024 * 1024,
        "AUMOS_OTEL_QUEUE_BYTES",
        parse=integer(64 * 1024, 2**40),
        doc="Encoded bytes that may wait in memory, for each signal.",
    )


@dataclass(frozen=True, kw_only=True)
class OTLPFile(Options):
    """A file as a destination: a line of OTLP/JSON for each request, as the collector's otlpjsonfile receiver reads it.

    It may be shared by several processes of one machine.

    >>> from aumos_otel.config import OTLPFile
    >>> OTLPFile(path="telemetry.jsonl").backups
    3
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
    signals: Sequence[Signal] = option(
        SIGNALS, parse=members(*SIGNALS), doc="Signals that it gets: any of traces, metrics, logs."
    )


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

    >>> from aumos_otel.config import SpoolOptions
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


def _tail_sampling(value: Any) -> TailSampling:
    if isinstance(value, Mapping):  # in a configuration file
        return TailSampling(**value)
    if isinstance(value, TailSampling):
        return value
    raise ValueError("a TailSampling(…)")


@dataclass(frozen=True, kw_only=True)
class RedactionOptions(Options):
    """What is found in texts, names and values before they leave, and what becomes of it.

    An action is ``keep``, ``mask`` (``[REDACTED:jwt]``), ``hash`` (``[HASH:email:0123456789ab]``, equal for
    equal values of one tenant) or ``drop`` (the attribute goes; a name or body is masked as a whole).

    >>> from aumos_otel.config import RedactionOptions
    >>> RedactionOptions(personal="mask", patterns={"badge": r"BADGE-[0-9]{6}"}).personal
    'mask'
    """

    prefix: ClassVar[str] = "redaction"

    secrets: Action = option(
        "mask",
        "AUMOS_OTEL_REDACTION_SECRETS",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="Keys, tokens, passwords and payment cards.",
    )
    personal: Action = option(
        "keep",
        "AUMOS_OTEL_REDACTION_PERSONAL",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="E-mail addresses, phone numbers, IBANs.",
    )
    national_ids: Action = option(
        "keep",
        "AUMOS_OTEL_REDACTION_NATIONAL_IDS",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="National identity numbers of eleven countries.",
    )
    patterns: Mapping[str, str] = option(
        {}, parse=mapping, doc="Further secrets: regular expressions of linear cost by the name that a marker shows."
    )
    keys: Sequence[str] = option(
        (), "AUMOS_OTEL_REDACTION_KEYS", parse=names, doc="Further names whose value is a secret whatever it is."
    )
    hash_key: str | None = option(
        None,
        "AUMOS_OTEL_REDACTION_HASH_KEY",
        parse=text,
        doc="Secret from which each tenant's key for `hash` is derived.",
        secret=True,
    )
    fail_closed: bool = option(
        False,
        "AUMOS_OTEL_REDACTION_FAIL_CLOSED",
        parse=boolean,
        doc="Drop a record that cannot be told clean in time, instead of masking the text.",
    )
    custom: Callable[[str, str], str] | None = option(
        None, parse=function, doc="Function of key and redacted text that returns the text that leaves."
    )


@dataclass(frozen=True, kw_only=True)
class SamplingOptions(Options):
    """Which traces are kept; decided on roots, children follow their parent.

    ``routes`` decides first, ``ratio`` for what no route names, ``rate`` caps what these let pass,
    ``tail`` decides once more when a trace has ended.

    >>> from aumos_otel import SamplingOptions
    >>> SamplingOptions(ratio=0.1).ratio
    0.1
    """

    prefix: ClassVar[str] = "sampling"

    ratio: float | None = option(
        None, "AUMOS_OTEL_SAMPLING_RATIO", parse=number(0, 1), doc="Share of root traces kept, 0 to 1."
    )
    sampler: str | Sampler | None = option(
        None,
        parse=anything,
        doc="A sampler of the SDK, or a name as in OTEL_TRACES_SAMPLER; excludes `ratio`, `rate` and `routes`.",
    )
    rate: float | None = option(
        None,
        "AUMOS_OTEL_SAMPLING_RATE",
        parse=number(0, 1_000_000, " per second"),
        doc="Most root traces kept per second.",
    )
    routes: Mapping[str, float] = option(
        {},
        parse=mapping_to(number(0, 1)),
        doc="Share kept by route, path or span name; the first pattern that matches decides, e.g. `/users/{id}`.",
    )
    tail: TailSampling | None = option(
        None, parse=_tail_sampling, doc="`TailSampling(…)`: decide when the trace has ended; None: do not wait."
    )


@dataclass(frozen=True, kw_only=True)
class TailSampling(Options):
    """Which traces of this process are kept, decided when their first span here has ended.

    A trace is kept when one of its spans meets one of the conditions; of the others a share is.

    >>> from aumos_otel import TailSampling
    >>> TailSampling(ratio=0.05, first_chunk_above=2.0, tenants=["acme"]).tenants
    ('acme',)
    """

    prefix: ClassVar[str] = "tail"

    ratio: float = option(0.1, parse=number(0, 1), doc="Share kept of the traces that meet no condition.")
    errors: bool = option(True, parse=boolean, doc="Keep traces with a span of status error.")
    first_chunk_above: float | None = option(
        None, parse=number(0, 86_400, " seconds"), doc="Keep traces with an LLM call whose first chunk took longer."
    )
    cost_above: float | None = option(
        None, parse=number(0, 1_000_000, " US dollars"), doc="Keep traces with an LLM call that cost more."
    )
    duration_above: float | None = option(
        None, parse=number(0, 86_400, " seconds"), doc="Keep traces with a span that took longer."
    )
    tenants: Sequence[str] = option((), parse=names, doc="Keep traces of these tenants.")
    routes: Sequence[str] = option((), parse=names, doc="Keep traces with a span of such a route, path or name.")
    max_wait: float = option(
        60.0, parse=number(0.01, 3600, " seconds"), doc="Longest wait for the end of a trace; then it is decided."
    )
    max_traces: int = option(20_000, parse=integer(1, 10_000_000), doc="Traces that may be undecided.")
    max_spans: int = option(100_000, parse=integer(1, 10_000_000), doc="Spans that may wait.")
    max_bytes: int = option(
        64 * 1024 * 1024, parse=integer(1, 1 << 40), doc="Bytes that waiting spans may take, as estimated."
    )


@dataclass(frozen=True, kw_only=True)
class PropagationOptions(Options):
    """What of a trace may cross the border of this service.

    A host is a name, ``*.suffix``, an address, a network such as ``10.0.0.0/8``, or ``*``.

    >>> from aumos_otel import PropagationOptions
    >>> PropagationOptions(traceparent_hosts=["*.svc", "10.0.0.0/8"], edge=True).edge
    True
    """

    prefix: ClassVar[str] = "propagation"

    traceparent_hosts: Sequence[str] = option(
        ("*",),
        "AUMOS_OTEL_TRACEPARENT_HOSTS",
        parse=hosts.patterns,
        doc="Hosts that get the trace context, whichever propagator writes it.",
    )
    baggage_hosts: Sequence[str] | None = option(
        None,
        parse=hosts.patterns,
        doc="Hosts that get baggage; to others queries are third-party. Default: `baggage_hosts` of `configure()`.",
    )
    baggage_keys: Sequence[str] | None = option(
        None, "AUMOS_OTEL_BAGGAGE_KEYS", parse=names, doc="Baggage that is sent, by key; default: all."
    )
    inbound_baggage_keys: Sequence[str] = option(
        (), "AUMOS_OTEL_INBOUND_BAGGAGE_KEYS", parse=names, doc="Baggage that is accepted, by key; `*` for all."
    )
    edge: bool = option(
        False,
        "AUMOS_OTEL_EDGE",
        parse=boolean,
        doc="True: clients are strangers; each request is a new trace, linked to theirs.",
    )
    query_keys: Sequence[str] = option(
        (),
        "AUMOS_OTEL_QUERY_KEYS",
        parse=names,
        doc="Query parameters of third parties whose value is recorded; `*` for all.",
    )


@dataclass(frozen=True, kw_only=True)
class LLMOptions(Options):
    """What LLM spans carry.

    ``content="none"`` (default) captures no prompt and no answer.

    >>> from aumos_otel import LLMOptions
    >>> LLMOptions(content="hash").content
    'hash'
    """

    prefix: ClassVar[str] = "llm"

    content: Content = option(
        "none",
        "AUMOS_OTEL_LLM_CONTENT",
        parse=choice("none", "hash", "redacted", "full"),
        doc="Prompt and answer capture.",
    )
    capture: Capture = option(
        "span", "AUMOS_OTEL_LLM_CAPTURE", parse=choice("span", "event", "both"), doc="Where captured content goes."
    )
    profile: Profile = option(
        "1.37",
        "AUMOS_OTEL_LLM_PROFILE",
        parse=choice("1.37", "genai-0.1", "dup"),
        doc="Which generation of gen_ai names is emitted.",
    )
    prices: str | None = option(
        None, "AUMOS_OTEL_LLM_PRICES", parse=readable_file, doc="Price table (JSON) laid over the bundled one."
    )


@dataclass(frozen=True, kw_only=True)
class MetricsOptions(Options):
    """How metrics leave: pushed to the destinations, and pulled by Prometheus when asked.

    >>> from aumos_otel import MetricsOptions
    >>> MetricsOptions(prometheus=True, prometheus_port=9464).prometheus_port
    9464
    """

    prefix: ClassVar[str] = "metrics"

    prometheus: bool = option(False, "AUMOS_OTEL_PROMETHEUS", parse=boolean, doc="Serve a Prometheus page.")
    prometheus_host: str = option(
        "127.0.0.1",
        "AUMOS_OTEL_PROMETHEUS_HOST",
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        parse=text,
        doc="Address of the page.",
    )
    prometheus_port: int = option(
        9464,
        "AUMOS_OTEL_PROMETHEUS_PORT",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        parse=integer(0, 65535),
        doc="Port of the page; 0 = any.",
    )
    views: Sequence[View] = option((), parse=instances(), doc="Views of the SDK, before ours.")
    readers: Sequence[MetricReader] = option((), parse=instances("collect", "shutdown"), doc="Further metric readers.")
    cardinality_limit: int = option(
        2000,
        "AUMOS_OTEL_CARDINALITY_LIMIT",
        parse=integer(1, 10_000_000),
        doc="Most attribute sets an instrument keeps.",
    )


@dataclass(frozen=True, kw_only=True)
class LogsOptions(Options):
    """Which log records of the standard library leave.

    >>> from aumos_otel import LogsOptions
    >>> LogsOptions(level="INFO").level
    20
    """

    prefix: ClassVar[str] = "logs"

    level: int = option(
        0, "AUMOS_LOG_LEVEL", "OTEL_PYTHON_LOG_HANDLER_LEVEL", parse=log_level, doc="Least level that is exported."
    )
    capture_warnings: bool = option(
        True, "AUMOS_OTEL_CAPTURE_WARNINGS", parse=boolean, doc="Send warnings.warn() through logging."
    )
    code_attributes: bool = option(
        False, "OTEL_PYTHON_LOG_CODE_ATTRIBUTES", parse=boolean, doc="Add file, function and line to records."
    )


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions(Options):
    """What the pretty console prints, on stderr.

    >>> from aumos_otel import ConsoleOptions
    >>> ConsoleOptions(logs=False).logs
    False
    """

    prefix: ClassVar[str] = "console"

    spans: bool = option(True, "AUMOS_OTEL_CONSOLE_SPANS", parse=boolean, doc="Print finished spans.")
    logs: bool = option(True, "AUMOS_OTEL_CONSOLE_LOGS", parse=boolean, doc="Print log records.")
    color: Literal["auto", "always", "never"] = option(
        "auto", "AUMOS_OTEL_CONSOLE_COLOR", parse=choice("auto", "always", "never"), doc="Colour; NO_COLOR is honoured."
    )


@dataclass(frozen=True, kw_only=True)
class Identity(Options):
    """Who the service is, and the switches of the process; the scalar arguments of ``configure()``."""

    service_name: str | None = option(
        None, "AUMOS_SERVICE_NAME", "OTEL_SERVICE_NAME", parse=text, doc="Name of the service."
    )
    service_version: str | None = option(None, "AUMOS_SERVICE_VERSION", parse=text, doc="Version of the service.")
    service_namespace: str | None = option(None, "AUMOS_SERVICE_NAMESPACE", parse=text, doc="Namespace of the service.")
    environment: str | None = option(None, "AUMOS_ENVIRONMENT", parse=text, doc="Deployment environment, e.g. prod.")
    product: str | None = option(None, "AUMOS_PRODUCT", parse=text, doc="AumOS product.")
    tier: str | None = option(None, "AUMOS_TIER", parse=text, doc="AumOS tier.")
    phase: str | None = option(None, "AUMOS_PHASE", parse=text, doc="AumOS delivery phase.")
    resource_attributes: Mapping[str, Any] = option({}, parse=mapping, doc="Further resource attributes.")
    enabled: bool = option(
        True, "AUMOS_OTEL_ENABLED", "AUMOS_OTEL__ENABLED", parse=boolean, doc="False: no telemetry, no cost."
    )
    shutdown_timeout: float = option(
        5.0, "AUMOS_OTEL_SHUTDOWN_TIMEOUT", parse=number(0, 300, " seconds"), doc="Seconds that leaving may take."
    )
    handle_signals: bool = option(
        True, "AUMOS_OTEL_HANDLE_SIGNALS", parse=boolean, doc="Flush on SIGTERM, then what was there before."
    )
    pause_signal: str | None = option(
        None, "AUMOS_OTEL_PAUSE_SIGNAL", parse=signal_name, doc="Signal that pauses and resumes telemetry."
    )
    pause_file: str | None = option(
        None, "AUMOS_OTEL_PAUSE_FILE", parse=path, doc="Telemetry is paused while this file exists."
    )
    propagators: Sequence[str] = option(
        ("tracecontext", "baggage"), "OTEL_PROPAGATORS", parse=names, doc="Propagators by name."
    )
    baggage_hosts: Sequence[str] = option(
        ("localhost", "127.0.0.1", "::1", "*.svc", "*.svc.cluster.local"),
        "AUMOS_OTEL_BAGGAGE_HOSTS",
        parse=hosts.patterns,
        doc="Hosts that outbound baggage may reach.",
    )
    span_processors: Sequence[SpanProcessor] = option(
        (), parse=instances("on_start", "on_end", "shutdown"), doc="Further span processors, run after ours."
    )
    log_record_processors: Sequence[LogRecordProcessor] = option(
        (), parse=instances("on_emit", "shutdown"), doc="Further log record processors, run after ours."
    )


def explain(sections: Sequence[Options], sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every option with its value, source, variables and meaning; secrets are hidden."""
    rows = []
    for section in sections:
        for declared in _declared(section):
            name = section._subject(declared)  # noqa: SLF001 - same module
            value = getattr(section, declared.name)
            hidden = declared.metadata["secret"] and value is not None
            rows.append(
                {
                    "option": name,
                    "value": "(hidden)" if hidden else value,
                    "default": declared.metadata["default"],
                    "source": sources.get(name, "default"),
                    "variables": list(declared.metadata["variables"]),
                    "doc": declared.metadata["doc"],
                }
            )
    return rows
