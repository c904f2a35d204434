"""What LLM spans, metrics, log records and the console carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from aumos_otel._internal.values import boolean, choice, instances, integer, log_level, readable_file, text
from aumos_otel.config.declaration import Options, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View

    from aumos_otel.config.words import Capture, Content, Profile


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
