"""The options of `configure(slos=…)`, in every form that they take."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aumos_otel.config.objectives import KafkaOptions, SLOOptions, slo_options
from aumos_otel.errors import ConfigError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files that can be read."""
    paths = [tmp_path / "slo.yaml", tmp_path / "more, and so on.yaml"]
    for path in paths:
        path.write_text("version: aumos/v1\n")
    return paths


def test_every_form_of_the_argument(files: list[Path]) -> None:
    """A path, several, definitions made by a program, and the options themselves."""
    one, other = map(str, files)
    definitions = SimpleNamespace(objectives=())
    options = SLOOptions(boost=0.1)

    assert slo_options(one).files == (one,)
    assert slo_options(files[1]).files == (other,)
    assert slo_options([one, files[1]]).files == (one, other)
    assert slo_options([]).files == ()
    assert slo_options(definitions).definitions is definitions
    assert slo_options(options) is options


@pytest.mark.parametrize("value", [3, True, None, b"slo.yaml", {"files": []}, object()])
def test_what_is_no_definition(value: object) -> None:
    """Anything else is refused with what to pass."""
    with pytest.raises(ConfigError, match=r'^slos: got .*; pass slos="slo.yaml"$'):
        slo_options(value)


@pytest.mark.parametrize("value", ["missing.yaml", ["missing.yaml"], [3], ".", ""])
def test_a_file_that_cannot_be_read(value: Any) -> None:
    """A path that leads nowhere, or to a directory, is refused at once."""
    with pytest.raises(ConfigError, match=r"^slos.files: got .*expected paths of readable files"):
        slo_options(value)


def test_the_variable_names_several(files: list[Path]) -> None:
    """AUMOS_OTEL_SLOS is a list with commas; each of its files must be readable."""
    second = files[0].with_name("b.yaml")
    second.write_text("")
    sources: dict[str, str] = {}
    options = SLOOptions().resolve({"AUMOS_OTEL_SLOS": f"{files[0]}, {second}"}, {}, sources)

    assert options.files == (str(files[0]), str(second))
    assert sources["slos.files"] == "AUMOS_OTEL_SLOS"
    with pytest.raises(ConfigError, match=r"^AUMOS_OTEL_SLOS: got 'gone.yaml'"):
        SLOOptions().resolve({"AUMOS_OTEL_SLOS": "gone.yaml"}, {}, {})


def test_the_defaults() -> None:
    """Without a word nothing is defined, burning raises the share to a half, and nothing goes to Kafka."""
    options = SLOOptions().resolve({"AUMOS_KAFKA__BROKERS": "kafka:9092"}, {}, {})

    assert (options.files, options.definitions, options.on_event, options.kafka) == ((), None, None, None)
    assert (options.watch, options.boost, options.boost_rate) == (True, 0.5, 10.0)


@pytest.mark.parametrize(("given", "share"), [(False, 0.0), (0, 0.0), ("0", 0.0), (1, 1.0), ("0.25", 0.25)])
def test_the_boost(given: Any, share: float) -> None:
    """A share, or False for none."""
    assert SLOOptions(boost=given).boost == share


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ({"boost": True}, "slos.boost"),
        ({"boost": 1.5}, "slos.boost"),
        ({"boost": float("nan")}, "slos.boost"),
        ({"boost_rate": -1}, "slos.boost_rate"),
        ({"watch": "perhaps"}, "slos.watch"),
        ({"on_event": "print"}, "slos.on_event"),
        ({"definitions": "slo.yaml"}, "slos.definitions"),
        ({"kafka": "kafka:9092"}, "slos.kafka"),
        ({"kafka": {"broker": "kafka:9092"}}, "slos.kafka.broker"),
        ({"burst": 1}, "slos.burst"),
    ],
)
def test_wrong_options(given: dict[str, Any], subject: str) -> None:
    """Each is refused by its name."""
    with pytest.raises(ConfigError) as caught:
        SLOOptions(**given)

    assert caught.value.subject == subject


@pytest.mark.parametrize("given", [True, "true", KafkaOptions(), {}])
def test_kafka_when_asked_for(given: Any) -> None:
    """The platform's brokers are used when Kafka is asked for, and its topic."""
    options = SLOOptions(kafka=given).resolve({"AUMOS_KAFKA__BROKERS": "a:9092, b:9092"}, {}, {})

    assert options.kafka is not None
    assert (options.kafka.brokers, options.kafka.topic) == ("a:9092,b:9092", "aumos.observability.events")


def test_kafka_by_variable_and_file() -> None:
    """It can be asked for without code, and turned off again."""
    environ = {"AUMOS_OTEL_SLO_KAFKA": "true", "AUMOS_KAFKA__BROKERS": "a:9092", "AUMOS_OTEL_SLO_KAFKA_TOPIC": "slo"}
    sources: dict[str, str] = {}
    by_variable = SLOOptions().resolve(environ, {}, sources)
    by_file = SLOOptions().resolve({}, {"slos": {"kafka": {"brokers": "c:9092", "properties": {"acks": "all"}}}}, {})

    assert by_variable.kafka is not None
    assert (by_variable.kafka.brokers, by_variable.kafka.topic) == ("a:9092", "slo")
    assert sources["slos.kafka.topic"] == "AUMOS_OTEL_SLO_KAFKA_TOPIC"
    assert by_file.kafka is not None
    assert (by_file.kafka.brokers, by_file.kafka.properties) == ("c:9092", {"acks": "all"})
    assert SLOOptions(kafka=False).resolve(environ, {}, {}).kafka is None


def test_kafka_without_brokers() -> None:
    """Asked for without brokers it is refused, with the variable that names them."""
    with pytest.raises(ConfigError, match=r"^slos.kafka.brokers: .*set AUMOS_KAFKA__BROKERS"):
        SLOOptions(kafka=True).resolve({}, {}, {})


@pytest.mark.parametrize("brokers", ["", "kafka://a:9092", "a:9092 b:9092", 3, []])
def test_wrong_brokers(brokers: Any) -> None:
    """Brokers are host and port, separated by commas."""
    with pytest.raises(ConfigError, match=r"^slos.kafka.brokers: "):
        KafkaOptions(brokers=brokers)


def test_properties_are_secrets() -> None:
    """A password among the client's properties is in no text."""
    options = KafkaOptions(brokers="a:9092", properties={"sasl.password": "hush"})

    assert "hush" not in repr(options) + repr(SLOOptions(kafka=options))
    with pytest.raises(ConfigError) as caught:
        KafkaOptions(properties=["hush"])
    assert "hush" not in str(caught.value)
