"""Private names of the SDK's metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk.metrics._internal import _view_instrument_match, aggregation, metric_reader_storage, view

from aumos_otel import guard
from aumos_otel._compat.required import require

if TYPE_CHECKING:
    from collections.abc import Callable


MetricReaderStorage: Any = require(metric_reader_storage, "MetricReaderStorage")


def metric_preferences(exporter: Any) -> dict[str, Any]:
    """What a wrapper of a metric exporter must pass on: temporality and aggregation by instrument."""
    return {
        "preferred_temporality": getattr(exporter, "_preferred_temporality", None),
        "preferred_aggregation": getattr(exporter, "_preferred_aggregation", None),
    }


_ViewInstrumentMatch: Any = require(_view_instrument_match, "_ViewInstrumentMatch")

#: What a reader of the SDK has of one instrument; object where the SDK keeps it otherwise.
ViewInstrumentMatch: Any = _ViewInstrumentMatch or object

_KINDS: dict[Any, str] = {
    require(aggregation, "_SumAggregation"): "sum",
    require(aggregation, "_LastValueAggregation"): "last",
    require(aggregation, "_ExplicitBucketHistogramAggregation"): "histogram",
}

_default_reservoirs = require(view, "_default_reservoir_factory")


@dataclass(frozen=True, slots=True)
class Stream:
    """How a reader wants the amounts of an instrument.

    Attributes:
        kind: sum, last or histogram.
        bounds: of the buckets of a histogram.
        min_max: whether the least and the largest are kept.
        limit: most series.
        delta: whether each collection begins anew.
    """

    kind: str
    bounds: tuple[float, ...]
    min_max: bool
    limit: int
    delta: bool


def stream_of(match: Any) -> Stream | None:
    """The stream of a `ViewInstrumentMatch`; None where it is more than adding up whole sets of attributes."""
    try:
        chosen, made = match._view, match._aggregation  # noqa: SLF001 - this module is where private names live
        kind = _KINDS.get(type(made))
        if kind is None or chosen._attribute_keys is not None:  # noqa: SLF001 - same
            return None
        if chosen._exemplar_reservoir_factory is not _default_reservoirs:  # noqa: SLF001 - same
            return None
        return Stream(
            kind,
            tuple(getattr(made, "_boundaries", ())),
            getattr(made, "_record_min_max", True),
            match._cardinality_limit,  # noqa: SLF001 - same
            match._reset_on_collect,  # noqa: SLF001 - same
        )
    except AttributeError as error:  # another version of the SDK; it goes on by itself
        guard.record("compat.stream", error)
        return None


class _TabledStorage(MetricReaderStorage or object):  # type: ignore[misc]  # same
    """The SDK's storage of a reader; ``adopt`` may put another match in the place of each that the SDK makes."""

    adopt: Any

    def _new_view_instrument_match(self, view: Any, instrument: Any) -> Any:
        return self.adopt(super()._new_view_instrument_match(view, instrument), instrument)


def adopt_matches(provider: Any, adopting: Callable[[Any], Callable[[Any, Any], Any]]) -> None:
    """Let each `ViewInstrumentMatch` that a meter provider makes from now on be adopted.

    Args:
        provider: of the SDK.
        adopting: called with a reader; returns what is called with match and instrument, and returns a match.
    """
    storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", {})
    if MetricReaderStorage is None or _ViewInstrumentMatch is None or not isinstance(storages, dict):
        return
    for reader, storage in storages.items():
        if type(storage) is MetricReaderStorage:
            storage.adopt = adopting(reader)
            storage.__class__ = _TabledStorage


def matches_of(instrument: Any) -> list[Any]:
    """What all readers have of an instrument; nothing where the SDK does not tell."""
    found: list[Any] = []
    storages = getattr(getattr(instrument, "_measurement_consumer", None), "_reader_storages", {})
    for storage in storages.values():
        if type(storage) is not _TabledStorage:
            return []
        found += storage._get_or_init_view_instrument_match(instrument)  # noqa: SLF001 - this module is where private names live
    return found


def is_recording(instrument: Any) -> bool:
    """Whether the meter of an instrument is known to be enabled."""
    is_enabled = getattr(instrument, "_is_enabled", None)
    return is_enabled is not None and bool(is_enabled())


def instruments_of(provider: Any) -> list[Any]:
    """The instruments that a meter provider of the SDK has made so far."""
    meters = list(getattr(provider, "_meters", {}).values())
    return [each for meter in meters for each in list(getattr(meter, "_instrument_id_instrument", {}).values())]


def exemplar_filter(instrument: Any) -> Any:
    """The exemplar filter for what an instrument of the SDK records; None where it is not to be found."""
    consumer = getattr(instrument, "_measurement_consumer", None)
    return getattr(getattr(consumer, "_sdk_config", None), "exemplar_filter", None)


class ConfiguredMeter(sdk_metrics.Meter):
    """The SDK's meter, which tells when it is switched on or off."""

    def reconfigured(self, instruments: list[Any]) -> None:
        """These instruments may have to do something else from now on."""

    def _set_meter_config(self, meter_config: Any) -> None:
        super()._set_meter_config(meter_config)
        self.reconfigured(list(getattr(self, "_instrument_id_instrument", {}).values()))


require(MetricReaderStorage, "_get_or_init_view_instrument_match")
require(MetricReaderStorage, "_new_view_instrument_match")
require(sdk_metrics.Meter, "_set_meter_config")
require(sdk_metrics.Counter, "_is_enabled")
