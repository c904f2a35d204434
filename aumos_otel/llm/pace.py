"""When the chunks of a stream arrived."""

from __future__ import annotations

import time
from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aumos_otel.llm import metrics
from aumos_otel.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from aumos_otel.llm.metrics import Bag, Series

#: Most chunks whose times are kept; later ones of the stream are not timed.
KEPT: Final = 65_536
_SECOND: Final = 1e9


class Pace:
    """The times of a stream, by `time.perf_counter_ns`; made as the first chunk is here.

    Args:
        started: when the call began.
    """

    __slots__ = ("_started", "_times")

    def __init__(self, started: int) -> None:
        self._started = started
        self._times = array("q", (time.perf_counter_ns(),))

    def chunk(self) -> None:
        """A further chunk is here now."""
        if len(self._times) < KEPT:
            self._times.append(time.perf_counter_ns())

    @property
    def to_first_chunk(self) -> float:
        """Seconds from the start to the first chunk."""
        return (self._times[0] - self._started) / _SECOND

    def measured(self) -> Bag:
        """What the span says of it: seconds to the first chunk, and the mean between two after it."""
        told: Bag = {attr.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: self.to_first_chunk}
        gaps = len(self._times) - 1
        if gaps:
            told[attr.AUMOS_LLM_TIME_PER_OUTPUT_CHUNK] = (self._times[-1] - self._times[0]) / _SECOND / gaps
        return told

    def tell(self, series: Series, context: Context) -> None:
        """Record the metrics of a stream."""
        series.write(metrics.FIRST_CHUNK, self.to_first_chunk, context)
        gaps = [(later - sooner) / _SECOND for sooner, later in pairwise(self._times)]
        series.write_all(metrics.PER_CHUNK, gaps, context)
