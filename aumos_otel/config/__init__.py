"""Every option, declared once: its variables, default, check and meaning.

A user writes option objects (`OTLP`, `SamplingOptions`, …).  A field that was left out is
filled by `Options.resolve` in this order: argument, ``AUMOS_*`` variable, the
``distribution.aumos`` section of OTEL_CONFIG_FILE, ``OTEL_*`` variable, default.
docs/reference/configuration.md is generated from these declarations.
"""

from __future__ import annotations

from aumos_otel.config.declaration import UNSET, Options, explain, option, unknown_option
from aumos_otel.config.destinations import OTLP, Destination, OTLPFile, Selector, SpoolOptions
from aumos_otel.config.identity import Identity
from aumos_otel.config.objectives import KafkaOptions, SLOOptions, slo_options
from aumos_otel.config.propagation import PropagationOptions
from aumos_otel.config.redaction import RedactionOptions
from aumos_otel.config.sampling import SamplingOptions, TailSampling
from aumos_otel.config.signals import ConsoleOptions, LLMOptions, LogsOptions, MetricsOptions
from aumos_otel.config.words import SIGNALS, Action, Capture, Content, Profile, Protocol, Signal

__all__ = [
    "OTLP",
    "SIGNALS",
    "UNSET",
    "Action",
    "Capture",
    "ConsoleOptions",
    "Content",
    "Destination",
    "Identity",
    "KafkaOptions",
    "LLMOptions",
    "LogsOptions",
    "MetricsOptions",
    "OTLPFile",
    "Options",
    "Profile",
    "PropagationOptions",
    "Protocol",
    "RedactionOptions",
    "SLOOptions",
    "SamplingOptions",
    "Selector",
    "Signal",
    "SpoolOptions",
    "TailSampling",
    "explain",
    "option",
    "slo_options",
    "unknown_option",
]
