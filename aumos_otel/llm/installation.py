"""What is installed in this process, as LLM operations need it: looked up once, not at each call."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from aumos_otel._internal.ambient import METER, METERS, TRACER, TRACERS
from aumos_otel.llm import settings
from aumos_otel.llm.metrics import SeriesTable
from aumos_otel.semconv import spans as names

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from aumos_otel.llm.pricing import PriceTable
    from aumos_otel.llm.settings import LLMSettings

#: Where the API's stand-ins for a provider live.
_STAND_INS = ("opentelemetry.trace", "opentelemetry.metrics")


class Installation:
    """The providers and settings in force, and what is made of them.

    Attributes:
        tracers: the global tracer provider, as it is held; None while there is none.
        meters: the global meter provider, likewise.
        settings: of LLM telemetry.
        listening: whether anybody would hear of a span or a metric.
        tracer: makes the spans.
        series: where calls are counted.
    """

    __slots__ = ("_prices", "listening", "meters", "series", "settings", "tracer", "tracers")

    def __init__(self, tracers: object, meters: object, chosen: LLMSettings) -> None:
        self.tracers = tracers
        self.meters = meters
        self.settings = chosen
        self.listening = chosen.enabled and (
            _is_real(trace.get_tracer_provider()) or _is_real(metrics.get_meter_provider())
        )
        url = names.SCHEMA_URL_GEN_AI_1_37 if chosen.legacy_names else None
        self.tracer: Tracer = trace.get_tracer(names.SCOPE_AUMOS_OTEL_LLM, version("aumos-otel"), schema_url=url)
        self.series = SeriesTable(chosen)
        self._prices: PriceTable | None = None

    def prices(self) -> PriceTable:
        """What models cost; read on first use."""
        prices = self._prices
        if prices is None:
            prices = self._prices = self.settings.price_table
        return prices


def _is_real(provider: object) -> bool:
    # The API's own classes are stand-ins until an SDK is installed.
    return not type(provider).__module__.startswith(_STAND_INS)


_made: Installation | None = None


def current() -> Installation:
    """What is installed now."""
    global _made  # noqa: PLW0603 - the newest one; another thread makes the same
    made = _made
    tracers, meters, chosen = TRACERS[TRACER], METERS[METER], settings.in_force
    if made is None or made.tracers is not tracers or made.meters is not meters or made.settings is not chosen:
        made = _made = Installation(tracers, meters, chosen)
    return made
