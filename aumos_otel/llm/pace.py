"""When the chunks of a stream arrived."""

from __future__ import annotations

import time
from array import array
from typing import TYPE_CHECKING, Final

from aumos_otel.llm import metrics
from aumos_otel.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from aumos_otel.llm.metrics import Bag
    from aumos_otel.llm.settings import LLMSettings

#: Most times between chunks that are kept; later chunks of the stream are not timed.
GAPS_KEPT: Final = 65_536
_SECOND: Final = 1e9


class Pace:
    """Times of one call: its start, first chunk, the gaps after it, and its end."""

    __slots__ = ("_first", "_gaps", "_last", "_started")

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._gaps = array("d")
        self._started = time.perf_counter_ns()

    def chunk(self) -> bool:
        """A chunk is here now; True for the first one."""
        now = time.perf_counter_ns()
        is_first = self._first is None
        if is_first:
            self._first = now
        elif len(self._gaps) < GAPS_KEPT:
            self._gaps.append((now - self._last) / _SECOND)
        self._last = now
        return is_first

    @property
    def to_first_chunk(self) -> float | None:
        """Seconds from the start to the first chunk."""
        return None if self._first is None else (self._first - self._started) / _SECOND

    def measured(self) -> Bag:
        """What the span says of it: seconds to the first chunk, and the mean between two after it."""
        told: Bag = {}
        if self.to_first_chunk is not None:
            told[attr.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = self.to_first_chunk
        if self._gaps:
            told[attr.AUMOS_LLM_TIME_PER_OUTPUT_CHUNK] = sum(self._gaps) / len(self._gaps)
        return told

    def until(self, end: int) -> float:
        """Seconds from the start to a `time.perf_counter_ns`."""
        return (end - self._started) / _SECOND

    def tell(self, bag: Bag, settings: LLMSettings, context: Context) -> None:
        """Record the metrics of a stream."""
        if self.to_first_chunk is not None:
            metrics.first_chunk(self.to_first_chunk, bag, settings, context)
            metrics.chunks(self._gaps, bag, settings, context)
