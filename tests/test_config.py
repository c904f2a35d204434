"""Option objects: checked when they are made, filled in one order of precedence."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aumos_otel import (
    OTLP,
    ConfigError,
    ConsoleOptions,
    LLMOptions,
    LogsOptions,
    MetricsOptions,
    OTLPFile,
    PropagationOptions,
    RedactionOptions,
    SamplingOptions,
    Selector,
    SpoolOptions,
    TailSampling,
    config,
)

KINDS = [
    OTLP,
    OTLPFile,
    Selector,
    SpoolOptions,
    SamplingOptions,
    TailSampling,
    PropagationOptions,
    RedactionOptions,
    LLMOptions,
    MetricsOptions,
    LogsOptions,
    ConsoleOptions,
    config.Identity,
]


@pytest.mark.parametrize(
    ("kind", "given", "subject"),
    [
        (OTLP, {"endpoint": ""}, "otlp.endpoint"),
        (OTLP, {"endpoint": "ftp://collector"}, "otlp.endpoint"),
        (OTLP, {"endpoint": "http://collector:99999"}, "otlp.endpoint"),
        (OTLP, {"endpoint": "http://user:hush@collector"}, "otlp.endpoint"),
        (OTLP, {"endpoint": "two words"}, "otlp.endpoint"),
        (OTLP, {"endpoint": 4317}, "otlp.endpoint"),
        (OTLP, {"protocol": "http/xml"}, "otlp.protocol"),
        (OTLP, {"headers": {"X-Team": 1}}, "otlp.headers"),
        (OTLP, {"headers": "x-team=red"}, "otlp.headers"),
        (OTLP, {"timeout": 0}, "otlp.timeout"),
        (OTLP, {"timeout": True}, "otlp.timeout"),
        (OTLP, {"compression": "brotli"}, "otlp.compression"),
        (OTLP, {"certificate": "/nowhere/ca.pem"}, "otlp.certificate"),
        (OTLP, {"name": " "}, "otlp.name"),
        (OTLP, {"select": {"tenants": ["acme"]}}, "otlp.select"),
        (OTLP, {"redaction": "mask"}, "otlp.redaction"),
        (OTLP, {"redaction": SpoolOptions()}, "otlp.redaction"),
        (OTLP, {"spool": "/var/spool"}, "otlp.spool"),
        (OTLP, {"sampling": 2}, "otlp.sampling"),
        (OTLP, {"content": "some"}, "otlp.content"),
        (OTLP, {"queue_bytes": 1}, "otlp.queue_bytes"),
        (OTLPFile, {"backups": -1}, "otlp_file.backups"),
        (Selector, {"severity": "loud"}, "select.severity"),
        (SpoolOptions, {"fsync": "never"}, "spool.fsync"),
        (RedactionOptions, {"secrets": "show"}, "redaction.secrets"),
        (TailSampling, {"ratio": 2}, "tail.ratio"),
        (PropagationOptions, {"traceparent_hosts": ["http://x"]}, "propagation.traceparent_hosts"),
        (SamplingOptions, {"tail": 0.1}, "sampling.tail"),
        (SamplingOptions, {"ratio": 1.5}, "sampling.ratio"),
        (SamplingOptions, {"ratio": -0.1}, "sampling.ratio"),
        (SamplingOptions, {"ratio": "half"}, "sampling.ratio"),
        (LLMOptions, {"content": "everything"}, "llm.content"),
        (LLMOptions, {"capture": "nowhere"}, "llm.capture"),
        (LLMOptions, {"profile": "2.0"}, "llm.profile"),
        (LLMOptions, {"prices": "/nowhere/prices.json"}, "llm.prices"),
        (MetricsOptions, {"prometheus": "perhaps"}, "metrics.prometheus"),
        (MetricsOptions, {"prometheus_port": 70000}, "metrics.prometheus_port"),
        (MetricsOptions, {"prometheus_port": 94.64}, "metrics.prometheus_port"),
        (MetricsOptions, {"cardinality_limit": 0}, "metrics.cardinality_limit"),
        (MetricsOptions, {"readers": [object()]}, "metrics.readers"),
        (MetricsOptions, {"readers": InMemoryMetricReader}, "metrics.readers"),
        (LogsOptions, {"level": "chatty"}, "logs.level"),
        (LogsOptions, {"level": -1}, "logs.level"),
        (ConsoleOptions, {"color": "blue"}, "console.color"),
    ],
)
def test_a_wrong_value(kind: type, given: dict[str, Any], subject: str) -> None:
    """A value that cannot be used is refused where it is written, naming option, seen, expected and remedy."""
    with pytest.raises(ConfigError) as caught:
        kind(**given)

    assert caught.value.subject == subject
    assert caught.value.expected
    assert caught.value.remedy == "correct it or leave it out"
    if subject != "otlp.headers":
        assert caught.value.seen == next(iter(given.values()))


@pytest.mark.parametrize(
    ("kind", "given", "near"),
    [
        (OTLP, "endpont", "endpoint"),
        (OTLPFile, "backup", "backups"),
        (TailSampling, "error", "errors"),
        (SamplingOptions, "ration", "ratio"),
        (LLMOptions, "contents", "content"),
        (MetricsOptions, "promethius", "prometheus"),
        (LogsOptions, "levels", "level"),
        (ConsoleOptions, "colour", "color"),
    ],
)
def test_an_unknown_option(kind: type, given: str, near: str) -> None:
    """An option that does not exist is refused, with the nearest that does."""
    with pytest.raises(ConfigError) as caught:
        kind(**{given: 1})

    assert caught.value.subject == f"{kind.prefix}.{given}"
    assert caught.value.remedy == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (OTLP, {"endpoint": " collector:4317 "}, {"endpoint": "collector:4317"}),
        (OTLP, {"headers": {"X-Team": "red"}}, {"headers": {"x-team": "red"}}),
        (OTLP, {"protocol": "GRPC"}, {"protocol": "grpc"}),
        (OTLP, {"spool": True}, {"spool": SpoolOptions(enabled=True)}),
        (SamplingOptions, {"tail": {"ratio": 0.5}}, {"tail": TailSampling(ratio=0.5)}),
        (Selector, {"severity": "WARNING"}, {"severity": 30}),
        (OTLP, {"endpoint": None}, {"endpoint": None}),
        (SamplingOptions, {"ratio": "0.25"}, {"ratio": 0.25}),
        (MetricsOptions, {"prometheus_port": "9464"}, {"prometheus_port": 9464}),
        (MetricsOptions, {"prometheus": "on"}, {"prometheus": True}),
        (LogsOptions, {"level": "WARN"}, {"level": 30}),
        (LogsOptions, {"level": "15"}, {"level": 15}),
        (config.Identity, {"propagators": "b3, baggage"}, {"propagators": ("b3", "baggage")}),
        (config.Identity, {"pause_signal": "sigusr2"}, {"pause_signal": "SIGUSR2"}),
        (config.Identity, {"pause_file": Path("pause")}, {"pause_file": "pause"}),
    ],
)
def test_values_become_typed(kind: type, given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Values are taken as arguments and as the text of variables, and have one type afterwards."""
    options = kind(**given)

    assert {name: getattr(options, name) for name in expected} == expected


def test_a_password_is_not_repeated() -> None:
    """Credentials in a URL are refused, and stay out of the message."""
    with pytest.raises(ConfigError, match=r"http://\*\*\*@collector") as caught:
        OTLP(endpoint="http://user:hush@collector")

    assert "hush" not in str(caught.value)


def test_options_are_values() -> None:
    """Option objects are equal when they say the same, and cannot be changed."""
    assert OTLP(endpoint="collector:4317") == OTLP(endpoint="collector:4317")
    assert SamplingOptions() == SamplingOptions()
    with pytest.raises(dataclasses.FrozenInstanceError):
        SamplingOptions(ratio=0.1).ratio = 0.2


@pytest.mark.parametrize(
    ("argument", "environ", "file", "value", "source"),
    [
        ("given", {"AUMOS_SERVICE_NAME": "ours"}, {"service_name": "file"}, "given", "argument"),
        (
            None,
            {"AUMOS_SERVICE_NAME": "ours", "OTEL_SERVICE_NAME": "theirs"},
            {"service_name": "file"},
            "ours",
            "AUMOS_SERVICE_NAME",
        ),
        (
            None,
            {"OTEL_CONFIG_FILE": "f", "OTEL_SERVICE_NAME": "theirs"},
            {"service_name": "file"},
            "file",
            "OTEL_CONFIG_FILE",
        ),
        (None, {"OTEL_CONFIG_FILE": "f", "OTEL_SERVICE_NAME": "theirs"}, {}, None, "default"),
        (None, {"OTEL_SERVICE_NAME": "theirs"}, {}, "theirs", "OTEL_SERVICE_NAME"),
        (None, {"AUMOS_SERVICE_NAME": "  ", "OTEL_SERVICE_NAME": "theirs"}, {}, "theirs", "OTEL_SERVICE_NAME"),
        (None, {}, {}, None, "default"),
    ],
)
def test_precedence(
    argument: str | None, environ: dict[str, str], file: dict[str, str], value: str | None, source: str
) -> None:
    """Argument, AUMOS_* variable, configuration file, OTEL_* variable, default; the source is told."""
    sources: dict[str, str] = {}
    options = config.Identity(**({} if argument is None else {"service_name": argument}))

    resolved = options.resolve(environ, file, sources)

    assert resolved.service_name == value
    assert sources["service_name"] == source


def test_the_other_spelling_of_a_variable() -> None:
    """The variables of one option are looked at in their order."""
    sources: dict[str, str] = {}
    both = {"AUMOS_OTEL_ENDPOINT": "first:4317", "AUMOS_OTEL__ENDPOINT": "second:4317"}

    assert OTLP().resolve(both, {}, sources).endpoint == "first:4317"
    assert OTLP().resolve({"AUMOS_OTEL__ENDPOINT": "second:4317"}, {}, sources).endpoint == "second:4317"


def test_a_wrong_variable_is_named() -> None:
    """A variable that cannot be used is named itself, not the option that it fills."""
    with pytest.raises(ConfigError) as caught:
        SamplingOptions().resolve({"AUMOS_OTEL_SAMPLING_RATIO": "7"}, {}, {})

    assert caught.value.subject == "AUMOS_OTEL_SAMPLING_RATIO"


@pytest.mark.parametrize("kind", KINDS)
def test_each_option_is_declared_in_full(kind: type) -> None:
    """Each option has a meaning in a sentence, a default that passes its own check, and names of our variables first."""
    for declared in dataclasses.fields(kind):
        known = declared.metadata
        assert known["doc"].endswith("."), declared.name
        if known["default"] is not None:
            known["parse"](known["default"])
        groups = [variable.partition("_")[0] for variable in known["variables"]]
        assert groups == sorted(groups)


def test_explain_hides_secrets() -> None:
    """explain() shows every option with value and source, and hides what is secret."""
    sources: dict[str, str] = {}
    options = OTLP(endpoint="collector:4317", headers={"authorization": "hush"}).resolve({}, {}, sources)

    rows = {row["option"]: row for row in config.explain([options], sources)}

    assert rows["otlp.endpoint"]["value"] == "collector:4317"
    assert rows["otlp.endpoint"]["source"] == "argument"
    assert rows["otlp.name"]["source"] == "default"
    assert "hush" not in repr(rows)
    assert "hush" not in repr(options)
    assert "hush" not in repr(RedactionOptions(hash_key="hush"))
    assert "hush" not in repr(ConfigError("x", seen="(hidden)", expected="", remedy=""))
