"""What ``configure()`` was asked for, with every gap filled: the input of the build.

Nothing is built here and nothing is contacted; a wrong option ends here as a `ConfigError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from aumos_otel._internal import configuration_file, quantities
from aumos_otel._internal.values import boolean, names
from aumos_otel.config import (
    OTLP,
    SIGNALS,
    Capture,
    ConsoleOptions,
    Content,
    Destination,
    Identity,
    KafkaOptions,
    LLMOptions,
    LogsOptions,
    MetricsOptions,
    Options,
    OTLPFile,
    PropagationOptions,
    RedactionOptions,
    SamplingOptions,
    Signal,
    SLOOptions,
    SpoolOptions,
    slo_options,
    unknown_option,
)
from aumos_otel.errors import ConfigError

_SECTIONS: dict[str, type[Options]] = {
    "sampling": SamplingOptions,
    "llm": LLMOptions,
    "metrics": MetricsOptions,
    "logs": LogsOptions,
    "console": ConsoleOptions,
    "redaction": RedactionOptions,
    "spool": SpoolOptions,
    "propagation": PropagationOptions,
    "slos": SLOOptions,
}
_CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURES: dict[str, Capture] = {"SPAN_ONLY": "span", "EVENT_ONLY": "event", "SPAN_AND_EVENT": "both"}
#: Sections that ``False`` switches off; the console is off unless asked for.
_SWITCHABLE = ("llm", "metrics", "logs", "console", "redaction")
#: Levels of content, each of which shows more than the one before.
_LEVELS: tuple[Content, ...] = ("none", "hash", "redacted", "full")
#: What ``distribution.aumos`` of a configuration file may hold.
_FILE_OPTIONS: dict[str, tuple[str, ...]] = {declared.name: () for declared in fields(Identity)} | {
    name: tuple(declared.name for declared in fields(cast("Any", kind)))
    for name, kind in {**_SECTIONS, "otlp": OTLP, "otlp_file": OTLPFile}.items()
}
#: What follows AUMOS_OTEL_ in the names of our variables; the last four are read where they are used.
_OUR_VARIABLES = [
    *(
        variable.removeprefix("AUMOS_OTEL_")
        for kind in (Identity, OTLP, KafkaOptions, *_SECTIONS.values())
        for declared in fields(cast("Any", kind))
        for variable in declared.metadata["variables"]
    ),
    *("CONSOLE", "DEMO_STATUS", "SLO_TOKEN", "STATE_DIR"),
]
_OTHERS = ("destinations", "identity", "instrumentations")
_SCALARS = tuple(declared.name for declared in fields(Identity))
#: Variables of the specification that do nothing here, and what to do instead.
_WITHOUT_EFFECT = {
    "OTEL_ENTITIES": "set OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPERIMENTAL_CONFIG_FILE": "set OTEL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_SPAN_INSECURE": "set OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_METRIC_INSECURE": "set OTEL_EXPORTER_OTLP_METRICS_INSECURE",
}


@dataclass(frozen=True)
class Plan:
    """Everything that the build needs; option objects have all their fields filled.

    ``exporters`` names what each signal leaves through, as OTEL_*_EXPORTER does.
    ``environ`` is where OTEL_* variables are read: empty when a configuration file stands in their place.
    ``quantities`` are the numbers among them, with their defaults.
    ``content`` is what may be seen of prompts and answers where nothing else is said, ``contents`` what each
    destination may see, and ``llm.content`` the most of them, which is captured.
    ``redaction`` is None when it is switched off.
    ``sources`` tells for each option where its value came from.
    """

    scalars: Identity
    sampling: SamplingOptions
    llm: LLMOptions | None
    metrics: MetricsOptions | None
    logs: LogsOptions | None
    console: ConsoleOptions | None
    redaction: RedactionOptions | None
    spool: SpoolOptions
    propagation: PropagationOptions
    slos: SLOOptions
    destinations: Sequence[Destination]
    content: Content
    contents: Mapping[str, Content]
    exporters: Mapping[Signal, Sequence[str]]
    identity: Callable[[Mapping[str, Any]], Any] | None
    instrumentations: bool | Mapping[str, bool]
    config_file: Any
    environ: Mapping[str, str]
    quantities: Mapping[str, int | None]
    sources: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def disabled(self) -> bool:
        """Whether nothing is to be set up at all."""
        return not self.scalars.enabled

    def sections(self) -> list[Options]:
        """The option objects that are in force."""
        found: tuple[Options | None, ...] = (self.scalars, *self.destinations, self.sampling, self.sampling.tail)
        found += (
            self.slos,
            self.slos.kafka,
            self.propagation,
            self.redaction,
            self.spool,
            self.llm,
            self.metrics,
            self.logs,
            self.console,
        )
        return [section for section in found if section is not None]


def resolve(given: Mapping[str, Any], environ: Mapping[str, str]) -> Plan:
    """Fill every gap: argument, ``AUMOS_*``, configuration file, ``OTEL_*``, default.

    Args:
        given: the arguments of ``configure()`` that were not left out.
        environ: the environment variables.

    Raises:
        ConfigError: an unknown option, a wrong type or value, an unreadable file.
    """
    known = (*_SCALARS, *_SECTIONS, *_OTHERS)
    for name in given:
        if name not in known:
            raise unknown_option(name, known)
    sources: dict[str, str] = {}
    warnings: list[str] = []
    config_file, section = configuration_file.load(environ.get("OTEL_CONFIG_FILE", "").strip(), _FILE_OPTIONS)
    scalars = Identity(**{name: given[name] for name in _SCALARS if name in given}).resolve(environ, section, sources)
    if _disabled(environ, sources["enabled"], config_file, warnings):
        scalars = replace(scalars, enabled=False)
        sources["enabled"] = "OTEL_SDK_DISABLED" if config_file is None else "OTEL_CONFIG_FILE"
    otel_environ = {} if config_file is not None else environ
    sections = {name: _section(name, given, environ, section, sources) for name in _SECTIONS}
    destinations = _destinations(given, environ, section, sources)
    exporters = _exporters(given, otel_environ, warnings)
    if config_file is not None and not any(map(_is_named, destinations)):
        exporters = dict.fromkeys(SIGNALS, ())
    identity = given.get("identity")
    if identity is not None and not callable(identity):
        raise ConfigError(
            "identity",
            seen=identity,
            expected="a callable over the ASGI scope",
            remedy='use aumos.from_headers(tenant_id="X-Tenant-ID")',
        )
    llm = _content_ceiling(cast("LLMOptions | None", sections["llm"]), environ, sources, warnings)
    content: Content = "none" if llm is None else llm.content
    contents = _contents(llm, destinations, sources)
    if llm is not None:
        llm = replace(llm, content=max((llm.content, *contents.values()), key=_LEVELS.index))
    if config_file is not None:
        ignored = sorted(name for name in environ if name.startswith("OTEL_") and name != "OTEL_CONFIG_FILE")
        if ignored:
            warnings.append("OTEL_CONFIG_FILE is set, these variables are ignored: " + ", ".join(ignored))
    _warn_of_idle_variables(otel_environ, exporters, warnings)
    return Plan(
        scalars=scalars,
        sampling=_with_tail(cast("SamplingOptions", sections["sampling"]), environ, sources),
        llm=llm,
        metrics=cast("MetricsOptions | None", sections["metrics"]),
        logs=cast("LogsOptions | None", sections["logs"]),
        console=cast("ConsoleOptions | None", sections["console"]),
        redaction=cast("RedactionOptions | None", sections["redaction"]),
        spool=cast("SpoolOptions", sections["spool"]),
        propagation=cast("PropagationOptions", sections["propagation"]),
        slos=cast("SLOOptions", sections["slos"]),
        destinations=destinations,
        content=content,
        contents=contents,
        exporters=exporters,
        identity=identity,
        instrumentations=_instrumentations(given.get("instrumentations", True)),
        config_file=config_file,
        environ=otel_environ,
        quantities=quantities.read(otel_environ, warnings.append),
        sources=sources,
        warnings=warnings,
    )


def _warn_of_idle_variables(
    environ: Mapping[str, str], exporters: Mapping[Signal, Sequence[str]], warnings: list[str]
) -> None:
    idle = [f"{name} ({remedy})" for name, remedy in _WITHOUT_EFFECT.items() if environ.get(name)]
    if "zipkin" not in exporters["traces"]:
        found = [name for name in sorted(environ) if name.startswith("OTEL_EXPORTER_ZIPKIN_")]
        idle += [f"{name} (install a zipkin exporter and set OTEL_TRACES_EXPORTER)" for name in found]
    for name in sorted(environ):
        prefix, _, rest = name.partition("AUMOS_OTEL_")
        if not prefix and rest and rest not in _OUR_VARIABLES:
            near = difflib.get_close_matches(rest, _OUR_VARIABLES, n=1)
            idle.append(f"{name} (did you mean AUMOS_OTEL_{near[0]}?)" if near else f"{name} (unknown)")
    if idle:
        warnings.append("these variables have no effect: " + ", ".join(idle))


def _section(
    name: str, given: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]
) -> Options | None:
    kind, value = _SECTIONS[name], given.get(name)
    if value is None and name in (*_SWITCHABLE, "spool") and isinstance(file.get(name), bool):
        value = file[name]
    if name == "console" and value is None:
        value = _flag("AUMOS_OTEL_CONSOLE", environ) or bool(file.get("console", False))
    if name == "spool" and isinstance(value, bool):
        value = SpoolOptions(enabled=value)
    if name == "slos" and value is not None:
        value = slo_options(value)
    if value is False and name in _SWITCHABLE:
        sources[name] = "argument" if name in given else "OTEL_CONFIG_FILE" if name in file else "default"
        return None
    if value is None or value is True:
        value = kind()
    if not isinstance(value, kind):
        off = ", or False" if name in _SWITCHABLE else ", or a bool" if name == "spool" else ""
        raise ConfigError(
            name, seen=value, expected=f"aumos_otel.{kind.__name__}{off}", remedy=f"pass {name}={kind.__name__}(…)"
        )
    return value.resolve(environ, file, sources)


def _destinations(
    given: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]
) -> list[Destination]:
    value = given.get("destinations", (OTLP(),))
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or any(not isinstance(each, Destination) for each in value)
    ):
        raise ConfigError(
            "destinations",
            seen=value,
            expected="a list of aumos_otel.OTLP or aumos_otel.OTLPFile",
            remedy="pass destinations=[OTLP(…)]",
        )
    resolved = [_completed(destination.resolve(environ, file, sources), environ) for destination in value]
    taken = [destination.name for destination in resolved]
    repeated = {name for name in taken if taken.count(name) > 1}
    if repeated:
        raise ConfigError("destinations", seen=taken, expected="distinct names", remedy='give each one a name="…"')
    return resolved


def _completed(destination: Destination, environ: Mapping[str, str]) -> Destination:
    """Fill the option objects that a destination has of its own."""
    own: dict[str, Any] = {
        name: value.resolve(environ, {}, {}) for name, value in vars(destination).items() if isinstance(value, Options)
    }
    return replace(destination, **own)


def _is_named(destination: Destination) -> bool:
    """Whether it says itself where it leads."""
    return bool(destination.endpoint) if isinstance(destination, OTLP) else True


def _with_tail(sampling: SamplingOptions, environ: Mapping[str, str], sources: dict[str, str]) -> SamplingOptions:
    tail = sampling.tail
    return sampling if tail is None else replace(sampling, tail=tail.resolve(environ, {}, sources))


def _exporters(
    given: Mapping[str, Any], environ: Mapping[str, str], warnings: list[str]
) -> dict[Signal, Sequence[str]]:
    """What each signal leaves through: the argument, else OTEL_*_EXPORTER, else otlp."""
    chosen: dict[Signal, Sequence[str]] = {}
    for signal in SIGNALS:
        variable = f"OTEL_{signal.upper()}_EXPORTER"
        words = names(environ.get(variable, "").lower())
        if "none" in words and len(words) > 1:
            warnings.append(f"{variable}: none beside other exporters is ignored")
        if "destinations" in given:
            chosen[signal] = ("otlp",)
        else:
            chosen[signal] = tuple(dict.fromkeys(word for word in words if word != "none")) if words else ("otlp",)
    return chosen


def _instrumentations(value: Any) -> bool | Mapping[str, bool]:
    if isinstance(value, bool):
        return value
    if isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, bool) for k, v in value.items()):
        return dict(value)
    raise ConfigError(
        "instrumentations",
        seen=value,
        expected="True, False, or a mapping of names to bools",
        remedy='pass instrumentations={"httpx": False}',
    )


def _disabled(environ: Mapping[str, str], source: str, config_file: Any, warnings: list[str]) -> bool:
    """OTEL_SDK_DISABLED as the specification says: only "true" disables; it decides when nothing of ours does."""
    if source != "default":
        return False
    if config_file is not None:
        return bool(config_file.disabled)
    word = environ.get("OTEL_SDK_DISABLED", "").strip().lower()
    if word not in ("", "true", "false"):
        warnings.append(f"OTEL_SDK_DISABLED: got {word!r}, expected true or false; false is used")
    return word == "true"


def _content_ceiling(
    llm: LLMOptions | None, environ: Mapping[str, str], sources: dict[str, str], warnings: list[str]
) -> LLMOptions | None:
    """OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: where content goes; NO_CONTENT beats every option."""
    word = environ.get(_CAPTURE_VARIABLE, "").strip().upper()
    if llm is None or not word:
        return llm
    if word == "NO_CONTENT":
        sources["llm.content"] = _CAPTURE_VARIABLE
        return replace(llm, content="none")
    if word not in _CAPTURES:
        allowed = ", ".join(("NO_CONTENT", *_CAPTURES))
        warnings.append(f"{_CAPTURE_VARIABLE}: got {word!r}, expected one of {allowed}; it is ignored")
        return llm
    if sources["llm.capture"] == "default":
        llm, sources["llm.capture"] = replace(llm, capture=_CAPTURES[word]), _CAPTURE_VARIABLE
    if sources["llm.content"] == "default":
        llm, sources["llm.content"] = replace(llm, content="full"), _CAPTURE_VARIABLE
    return llm


def _contents(
    llm: LLMOptions | None, destinations: Sequence[Destination], sources: Mapping[str, str]
) -> dict[str, Content]:
    """What each destination may see; an explicit NO_CONTENT is a ceiling that no destination lifts."""
    if llm is None:
        return {}
    closed = llm.content == "none" and sources["llm.content"] == _CAPTURE_VARIABLE
    return {way.name: "none" if closed else way.content or llm.content for way in destinations}


def _flag(variable: str, environ: Mapping[str, str]) -> bool:
    value = environ.get(variable, "").strip()
    try:
        return bool(value) and boolean(value)
    except ValueError as error:
        raise ConfigError(variable, seen=value, expected=str(error), remedy="correct or unset it") from None
