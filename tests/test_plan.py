"""The plan: what was asked for, with every gap filled, before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
    plan,
)


def resolve(environ: dict[str, str] | None = None, **given: Any) -> plan.Plan:
    """A plan from arguments and variables."""
    return plan.resolve(given, environ or {})


def test_nothing_given() -> None:
    """With nothing given everything has its default: three signals over one OTLP destination, no console."""
    wanted = resolve()

    assert wanted.exporters == {"traces": ("otlp",), "metrics": ("otlp",), "logs": ("otlp",)}
    assert [destination.name for destination in wanted.destinations] == ["otlp"]
    assert wanted.console is None
    assert not wanted.disabled
    assert wanted.warnings == []
    assert set(wanted.sources.values()) == {"default"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampling", SamplingOptions(ratio=0.5)),
        ("llm", LLMOptions(content="hash")),
        ("metrics", MetricsOptions(prometheus=True)),
        ("logs", LogsOptions(level="INFO")),
        ("redaction", RedactionOptions(personal="mask")),
        ("spool", SpoolOptions(enabled=True)),
        ("propagation", PropagationOptions(edge=True)),
        ("console", ConsoleOptions(logs=False)),
    ],
)
def test_option_objects(name: str, value: Any) -> None:
    """An option object is filled up, its own values kept."""
    section = getattr(resolve(**{name: value}), name)

    given = {field: found for field, found in vars(value).items() if repr(found) != "unset"}
    assert {field: getattr(section, field) for field in given} == given
    assert "unset" not in repr(section)


@pytest.mark.parametrize("name", ["llm", "metrics", "logs", "console", "redaction"])
def test_false_switches_off(name: str) -> None:
    """False switches a concern off; True is the same as its defaults."""
    assert getattr(resolve(**{name: False}), name) is None
    assert getattr(resolve(**{name: True}), name) is not None


def test_sampling_cannot_be_switched_off() -> None:
    """False is no sampling option."""
    with pytest.raises(ConfigError) as caught:
        resolve(sampling=False)

    assert "SamplingOptions" in caught.value.expected
    assert "False" not in caught.value.expected


@pytest.mark.parametrize(
    ("environ", "given", "disabled", "source"),
    [
        ({}, {}, False, "default"),
        ({"OTEL_SDK_DISABLED": "true"}, {}, True, "OTEL_SDK_DISABLED"),
        ({"OTEL_SDK_DISABLED": "true"}, {"enabled": True}, False, "argument"),
        ({"OTEL_SDK_DISABLED": "true", "AUMOS_OTEL_ENABLED": "1"}, {}, False, "AUMOS_OTEL_ENABLED"),
        ({"OTEL_SDK_DISABLED": "false", "AUMOS_OTEL_ENABLED": "0"}, {}, True, "AUMOS_OTEL_ENABLED"),
        ({"AUMOS_OTEL_ENABLED": "1"}, {"enabled": False}, True, "argument"),
    ],
)
def test_disabled(environ: dict[str, str], given: dict[str, Any], disabled: bool, source: str) -> None:
    """The argument decides, then our variable, then OTEL_SDK_DISABLED; identity stays known."""
    wanted = resolve(environ, service_name="chat-api", **given)

    assert wanted.disabled is disabled
    assert wanted.sources["enabled"] == source
    assert wanted.scalars.service_name == "chat-api"


def test_destinations_beat_the_exporters() -> None:
    """With destinations given everything goes to them; an empty list sends nothing."""
    environ = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}

    wanted = resolve(environ, destinations=[OTLP(name="a"), OTLP(name="b")])

    assert set(wanted.exporters.values()) == {("otlp",)}
    assert [destination.name for destination in wanted.destinations] == ["a", "b"]
    assert resolve(destinations=[]).destinations == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("otlp",)),
        ("none", ()),
        ("console", ("console",)),
        ("otlp, console ,otlp", ("otlp", "console")),
        (" , ", ("otlp",)),
    ],
)
def test_exporters(text: str, expected: tuple[str, ...]) -> None:
    """OTEL_*_EXPORTER is a list of names, once each; none is nothing."""
    assert resolve({"OTEL_LOGS_EXPORTER": text}).exporters["logs"] == expected


@pytest.mark.parametrize(
    ("value", "content", "capture"),
    [
        ("SPAN_ONLY", "full", "span"),
        ("event_only", "full", "event"),
        ("SPAN_AND_EVENT", "full", "both"),
        ("NO_CONTENT", "none", "span"),
    ],
)
def test_upstreams_content_variable(value: str, content: str, capture: str) -> None:
    """OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is honoured in all four values."""
    llm = resolve({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": value}).llm

    assert llm is not None
    assert (llm.content, llm.capture) == (content, capture)


def test_upstreams_ceiling() -> None:
    """An explicit NO_CONTENT is a ceiling that no argument lifts; the other values yield to our options."""
    variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

    assert resolve({variable: "NO_CONTENT"}, llm=LLMOptions(content="full")).llm.content == "none"
    assert resolve({variable: "SPAN_ONLY"}, llm=LLMOptions(content="hash", capture="both")).llm.content == "hash"
    (warning,) = resolve({variable: "sometimes"}).warnings
    assert "SOMETIMES" in warning


def test_a_configuration_file_takes_the_place_of_variables(tmp_path: Path) -> None:
    """With OTEL_CONFIG_FILE no OTEL_* variable is read, and nothing of ours is sent unless an endpoint is named."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\n')
    environ = {"OTEL_CONFIG_FILE": str(file), "OTEL_SERVICE_NAME": "x", "OTEL_BSP_MAX_QUEUE_SIZE": "7"}

    wanted = resolve(environ)
    assert wanted.environ == {}
    assert wanted.scalars.service_name is None
    assert wanted.quantities["OTEL_BSP_MAX_QUEUE_SIZE"] == 65_536
    assert set(wanted.exporters.values()) == {()}

    assert set(resolve({**environ, "AUMOS_OTEL_ENDPOINT": "collector:4317"}).exporters.values()) == {("otlp",)}
    assert set(resolve(environ, destinations=[OTLP(endpoint="c:4317")]).exporters.values()) == {("otlp",)}


def test_a_section_of_the_file_is_switched_off(tmp_path: Path) -> None:
    """``distribution.aumos`` may say false."""
    file = tmp_path / "otel.yaml"
    file.write_text(
        'file_format: "1.0"\ndistribution: {aumos: {llm: false, console: true, otlp: {endpoint: "c:4317"}}}\n'
    )

    wanted = resolve({"OTEL_CONFIG_FILE": str(file)})

    assert wanted.llm is None
    assert wanted.sources["llm"] == "OTEL_CONFIG_FILE"
    assert wanted.console is not None
    assert wanted.destinations[0].endpoint == "c:4317"
    assert wanted.exporters["traces"] == ("otlp",)


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("AUMOS_OTEL_ENDPIONT", "AUMOS_OTEL_ENDPIONT (did you mean AUMOS_OTEL_ENDPOINT?)"),
        ("AUMOS_OTEL_XYZZY_PLUGH", "AUMOS_OTEL_XYZZY_PLUGH (unknown)"),
    ],
)
def test_a_misspelled_variable(variable: str, told: str) -> None:
    """A variable of ours that does not exist is warned about, with the nearest that does; the platform's others are not."""
    known = {"AUMOS_OTEL_STATE_DIR": "x", "AUMOS_OTEL_CONSOLE": "1", "AUMOS_DATABASE__URL": "x"}

    assert resolve({variable: "x", **known}).warnings == [f"these variables have no effect: {told}"]
    assert resolve(known).warnings == []


def test_sections_are_what_is_in_force() -> None:
    """sections() lists the option objects in force, for ``aumos-otel config``."""
    names = [type(section).__name__ for section in resolve(llm=False, console=True).sections()]

    ours = [
        "Identity",
        "OTLP",
        "SamplingOptions",
        "SLOOptions",
        "PropagationOptions",
        "RedactionOptions",
        "SpoolOptions",
    ]
    assert names == [*ours, "MetricsOptions", "LogsOptions", "ConsoleOptions"]


def test_options_inside_of_options_are_filled() -> None:
    """The option objects that a destination or the sampling has of its own have all their fields filled, too."""
    given = OTLP(select=Selector(tenants=["acme"]), redaction=RedactionOptions(personal="mask"), spool=True)

    wanted = resolve(
        {"AUMOS_OTEL_SPOOL_DIR": "/var/spool/aumos"},
        destinations=[given, OTLPFile(path="telemetry.jsonl")],
        sampling=SamplingOptions(tail=TailSampling(ratio=0.5)),
    )

    assert "unset" not in repr(wanted)
    assert wanted.destinations[0].spool.directory == "/var/spool/aumos"
    assert [destination.name for destination in wanted.destinations] == ["otlp", "file"]


def test_spool_is_a_flag_or_options() -> None:
    """The spool is off unless it is asked for, by a bool or by its options; both spellings mean the same."""
    assert resolve().spool.enabled is False
    assert resolve(spool=True).spool == resolve(spool=SpoolOptions(enabled=True)).spool
    with pytest.raises(ConfigError, match="or a bool"):
        resolve(spool="/var/spool")


def test_a_file_is_a_named_destination(tmp_path: Path) -> None:
    """Beside OTEL_CONFIG_FILE a destination that says itself where it leads is used."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\n')

    wanted = resolve({"OTEL_CONFIG_FILE": str(file)}, destinations=[OTLPFile(path=str(tmp_path / "out.jsonl"))])

    assert set(wanted.exporters.values()) == {("otlp",)}


@pytest.mark.parametrize(
    ("environ", "llm", "contents", "captured"),
    [
        ({}, LLMOptions(), {"a": "none", "b": "full"}, "full"),
        ({}, LLMOptions(content="hash"), {"a": "hash", "b": "full"}, "full"),
        (
            {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT"},
            LLMOptions(content="full"),
            {"a": "none", "b": "none"},
            "none",
        ),
        ({}, False, {}, None),
    ],
)
def test_content_by_destination(
    environ: dict[str, str], llm: Any, contents: dict[str, str], captured: str | None
) -> None:
    """Each destination has its level, captured is the most of them, and an explicit NO_CONTENT is everybody's ceiling."""
    wanted = resolve(environ, llm=llm, destinations=[OTLP(name="a"), OTLP(name="b", content="full")])

    assert wanted.contents == contents
    assert (None if wanted.llm is None else wanted.llm.content) == captured
