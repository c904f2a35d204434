"""Which objectives hold, and what happens while one of them burns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from aumos_otel._internal import values
from aumos_otel._internal.values import boolean, number
from aumos_otel.config.declaration import Options, one_of, option
from aumos_otel.errors import ConfigError
from aumos_otel.semconv import events

if TYPE_CHECKING:
    from collections.abc import Callable


def _files(value: Any) -> tuple[str, ...]:
    try:
        return tuple(values.readable_file(each) for each in _listed(value))
    except ValueError:
        raise ValueError("paths of readable files") from None


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return values.names(value)
    if isinstance(value, Sequence):
        return value
    return (value,)


def _definitions(value: Any) -> Any:
    if hasattr(value, "objectives"):  # the class stands above this module
        return value
    raise ValueError("aumos_otel.slo.objective.Definitions")


def _boost(value: Any) -> float:
    if value is False:
        return 0.0
    try:
        return float(number(0, 1)(value))
    except ValueError:
        raise ValueError("a share from 0 to 1, or False") from None


def _brokers(value: Any) -> str:
    try:
        found = values.names(value)
    except ValueError:
        found = ()
    if not found or any("://" in each or any(map(str.isspace, each)) for each in found):
        raise ValueError("host:port of one or more brokers, separated by commas")
    return ",".join(found)


@dataclass(frozen=True, kw_only=True)
class KafkaOptions(Options):
    """Where events about objectives go in Kafka; needs the extra ``kafka``.

    >>> from aumos_otel.config import KafkaOptions
    >>> KafkaOptions(brokers="kafka-1:9092,kafka-2:9092").brokers
    'kafka-1:9092,kafka-2:9092'
    """

    prefix: ClassVar[str] = "slos.kafka"

    brokers: str | None = option(
        None, "AUMOS_KAFKA__BROKERS", parse=_brokers, doc="Brokers to begin with: `host:port`, separated by commas."
    )
    topic: str = option(
        events.TOPIC_AUMOS_OBSERVABILITY_EVENTS, "AUMOS_OTEL_SLO_KAFKA_TOPIC", parse=values.text, doc="Topic."
    )
    properties: Mapping[str, Any] = option(
        {}, parse=values.mapping, doc="Further properties of librdkafka, e.g. `security.protocol`.", secret=True
    )

    def resolve(self, environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]) -> Self:
        """Fill the fields left out.

        Raises:
            ConfigError: no broker is known.
        """
        filled = super().resolve(environ, file, sources)
        if filled.brokers is None:
            raise ConfigError(
                "slos.kafka.brokers",
                seen=None,
                expected="host:port of one or more brokers, separated by commas",
                remedy='set AUMOS_KAFKA__BROKERS, or pass SLOOptions(kafka=KafkaOptions(brokers="…"))',
            )
        return filled


def _kafka(value: Any) -> KafkaOptions | None:
    if isinstance(value, Mapping):  # of a configuration file
        return KafkaOptions(**value)
    if isinstance(value, KafkaOptions):
        return value
    try:
        return KafkaOptions() if boolean(value) else None
    except ValueError:
        raise ValueError("True, False or aumos_otel.KafkaOptions(…)") from None


@dataclass(frozen=True, kw_only=True)
class SLOOptions(Options):
    """Which objectives hold, and what happens while one of them burns.

    >>> from aumos_otel.config import SLOOptions
    >>> SLOOptions(boost=0.25, on_event=print).boost
    0.25
    """

    prefix: ClassVar[str] = "slos"

    files: Sequence[str] = option((), "AUMOS_OTEL_SLOS", parse=_files, doc="Files that define objectives.")
    definitions: Any = option(None, parse=_definitions, doc="`aumos_otel.slo.objective.Definitions` made by a program.")
    watch: bool = option(
        True, "AUMOS_OTEL_SLO_WATCH", parse=boolean, doc="Evaluate the objectives in this process, as it counts."
    )
    boost: float = option(
        0.5,
        "AUMOS_OTEL_SLO_BOOST",
        parse=_boost,
        doc="Share of its root spans kept while an objective burns; 0: as ever.",
    )
    boost_rate: float = option(
        10.0,
        "AUMOS_OTEL_SLO_BOOST_RATE",
        parse=number(0, 1_000_000, " per second"),
        doc="Most root spans a second that are kept because something burns.",
    )
    on_event: Callable[[Mapping[str, Any]], object] | None = option(
        None, parse=values.function, doc="Is told, on a thread of its own, when the state of an objective changes."
    )
    kafka: KafkaOptions | None = option(
        None, "AUMOS_OTEL_SLO_KAFKA", parse=_kafka, doc="`KafkaOptions(…)` or True: events go to Kafka, too."
    )

    def resolve(self, environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]) -> Self:
        """Fill the fields left out, those of `KafkaOptions` too."""
        filled = super().resolve(environ, file, sources)
        return filled if filled.kafka is None else replace(filled, kafka=filled.kafka.resolve(environ, {}, sources))


def slo_options(value: Any) -> SLOOptions:
    """The options of ``configure(slos=…)``: options, a path, several, or definitions made by a program.

    Raises:
        ConfigError: it is none of these, or a file cannot be read.
    """
    if isinstance(value, (str, os.PathLike)):
        return SLOOptions(files=cast("Any", (value,)))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return SLOOptions(files=value)
    if hasattr(value, "objectives"):
        return SLOOptions(definitions=value)
    try:
        return one_of(SLOOptions)(value)  # type: ignore[no-any-return]  # it is one of them
    except ValueError:
        raise ConfigError(
            "slos",
            seen=value,
            expected="a path, a list of paths, aumos_otel.slo Definitions or aumos_otel.SLOOptions(…)",
            remedy='pass slos="slo.yaml"',
        ) from None
