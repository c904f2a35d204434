"""What an instrument does with an amount: a look-up and an addition, nearly always.

The index has the cell of this thread for these very attributes once they have been seen.  Whatever is not found
there goes the general way, which is the SDK's own but for plain amounts with plain attributes: a first time, a
meter that is switched off, a view that picks attributes, an amount that is none.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from bisect import bisect_left
from time import monotonic_ns, time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    TraceBasedExemplarFilter,
)
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import TraceFlags, get_current_span

from aumos_otel import _compat, guard
from aumos_otel._internal import ambient
from aumos_otel.providers.metric_cells import Entry, HistogramCell, LastCell, SumCell
from aumos_otel.providers.metric_identity import identify, is_simple
from aumos_otel.providers.metric_table import Index, Table, span_of
from aumos_otel.recording.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context

    from aumos_otel.providers.metric_cells import Cell, Sample

    Measure = Callable[..., None]

SITE: Final = "providers.instruments"

#: Larger ones are not finite as a float.
_LARGEST: Final = sys.float_info.max

_SAMPLES: Final = {TraceBasedExemplarFilter: "traced", AlwaysOnExemplarFilter: "all", AlwaysOffExemplarFilter: "none"}


class Mark:
    """The attributes of a bound instrument; its identity is its key in the index."""

    __slots__ = ("attributes",)

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes


class Recorder:
    """Takes the amounts of one instrument.

    Args:
        instrument: the SDK's.
        method: the name of what takes an amount: add, record or set.
        make: what its cells are.
        lowest: the least amount that it takes.

    Attributes:
        index: where its cells are found.
        samples: what becomes an exemplar: traced, all or none; None where a filter has to be asked.
    """

    def __init__(self, instrument: Any, method: str, make: type[Cell], lowest: float) -> None:
        self.index = Index()
        self.lowest = lowest
        self.samples = _SAMPLES.get(type(_compat.exemplar_filter(instrument)))
        self._instrument = instrument
        self._measure: Measure = getattr(instrument, method)
        self._make = make
        # Where each amount is an exemplar, or the span is not to be found fast, there is more to an amount than its cell.
        self._indexed = self.samples == "none" or (self.samples == "traced" and bool(ambient.SPAN_KEY))

    def take(self, amount: Any, attributes: Any, context: Context | None, mark: Mark | None = None) -> None:
        """Take an amount the general way; what is wrong with it is counted."""
        try:
            if mark is not None:
                attributes = mark.attributes
            if not self._took(amount, attributes, context, mark):
                self._measure(amount, attributes, context)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.record(SITE, error)

    def sample(self, amount: float, context: Context | None) -> Sample | None:
        """What an exemplar of this amount would tell; None where there is to be none."""
        if self.samples == "none":
            return None
        if self.samples == "all":
            return amount, time_ns(), span_of(context)
        return sample_of(amount, get_current_span(context))

    def _took(self, amount: Any, attributes: Any, context: Context | None, mark: Mark | None) -> bool:
        """Take a plain amount with plain attributes and remember its cell; False for everything else."""
        version = self.index.version
        if type(amount) not in {int, float} or not self.lowest <= amount <= _LARGEST:
            return False
        if self.samples is None or not _compat.is_recording(self._instrument):
            return False
        if attributes is not None and not isinstance(attributes, dict | MappingProxyType):
            return False
        own: dict[str, Any] = dict(attributes or {})
        if not all(type(name) is str and name for name in own) or not all(map(is_simple, own.values())):
            return False
        tables = _compat.matches_of(self._instrument)
        if not tables or any(type(table) is not Table or table.make is not self._make for table in tables):
            return False
        thread = get_ident()
        identity, kept = identify(own)
        sample = self.sample(amount, context)
        with self.index.lock:
            first, *others = cells = [table.cell(thread, identity, kept) for table in tables]
            for cell in cells:
                cell.take(amount, sample)
            typed = mark is None and any(type(value) is not str for value in own.values())
            found = Entry(own, first, tuple(others)) if others or typed else first
            key: Any = (thread, *own, *own.values()) if own else thread
            if self._indexed:
                self.index.put(key if mark is None else (thread, mark), found, version, tables[0].size)
        for table in tables:
            table.tell()
        return True


def sample_of(amount: float, span: Any) -> Sample | None:
    """What an exemplar tells of an amount that was recorded in ``span``; None where that is not sampled."""
    if type(span) is Span:
        return (amount, time_ns(), span.context) if span.sampled else None
    if not isinstance(span, ApiSpan):
        return None
    found = span.get_span_context()
    flags = found[3] if _compat.CONTEXT_IS_TUPLE else found.trace_flags
    return (amount, time_ns(), found) if flags & TraceFlags.SAMPLED else None


def pass_on(cells: tuple[Cell, ...], amount: float, sample: Sample | None) -> None:
    """Let the cells of further streams take an amount."""
    for cell in cells:
        cell.take(amount, sample)


# Three times the same but for what is done to the cell.


def _adding(recorder: Recorder, mark: Mark | None = None) -> Measure:  # noqa: C901 - what it makes has no calls to spare
    cells, take, lowest = recorder.index.cells, recorder.take, recorder.lowest
    traced, current, span_key = recorder.samples == "traced", ambient.current_context, ambient.SPAN_KEY

    def add(amount: Any, attributes: Any = None, context: Context | None = None) -> None:
        """Add an amount."""
        try:
            if attributes and mark is None:
                entry = cells[get_ident(), *attributes, *attributes.values()]
            else:
                entry = cells[get_ident() if mark is None else (get_ident(), mark)]
            if entry.kinds is None:
                cell = entry
            elif (
                mark is not None
                or (entry.key is not None and type(attributes[entry.key]) is entry.kinds)
                or entry.fits(attributes)
            ):
                cell = entry.cell
            else:
                return take(amount, attributes, context, mark)
            kind = type(amount)
            if (kind is not int and kind is not float) or not lowest <= amount <= _LARGEST:
                return take(amount, attributes, context, mark)
        except Exception:  # noqa: BLE001 - unknown as yet, or wrong
            return take(amount, attributes, context, mark)
        try:
            cell.value += amount
            sample = None
            if traced and (span := (context or current()).get(span_key)) is not None:
                sample = sample_of(amount, span)
                if sample is not None:
                    cell.sample = sample
            if entry.others is not None:
                pass_on(entry.others, amount, sample)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.record(SITE, error)

    return add


def _recording(recorder: Recorder, mark: Mark | None = None) -> Measure:  # noqa: C901 - what it makes has no calls to spare
    cells, take = recorder.index.cells, recorder.take
    traced, current, span_key = recorder.samples == "traced", ambient.current_context, ambient.SPAN_KEY

    def record(  # noqa: C901, PLR0912 - same
        amount: Any, attributes: Any = None, context: Context | None = None
    ) -> None:
        """Record an amount."""
        try:
            if attributes and mark is None:
                entry = cells[get_ident(), *attributes, *attributes.values()]
            else:
                entry = cells[get_ident() if mark is None else (get_ident(), mark)]
            if entry.kinds is None:
                cell = entry
            elif (
                mark is not None
                or (entry.key is not None and type(attributes[entry.key]) is entry.kinds)
                or entry.fits(attributes)
            ):
                cell = entry.cell
            else:
                return take(amount, attributes, context, mark)
            kind = type(amount)
            if (kind is not int and kind is not float) or not 0 <= amount <= _LARGEST:
                return take(amount, attributes, context, mark)
        except Exception:  # noqa: BLE001 - unknown as yet, or wrong
            return take(amount, attributes, context, mark)
        try:
            index = bisect_left(cell.bounds, amount)
            cell.value += amount  # no call from here to the count, so that no other thread reads half of it
            if amount < cell.low:  # noqa: PLR1730 - min() is a call
                cell.low = amount
            if amount > cell.high:  # noqa: PLR1730 - same
                cell.high = amount
            cell.counts[index] += 1
            sample = None
            if traced and (span := (context or current()).get(span_key)) is not None:
                sample = sample_of(amount, span)
                if sample is not None:
                    cell.found[index] = sample
            if entry.others is not None:
                pass_on(entry.others, amount, sample)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.record(SITE, error)

    return record


def _setting(recorder: Recorder, mark: Mark | None = None) -> Measure:  # noqa: C901 - what it makes has no calls to spare
    cells, take, lowest = recorder.index.cells, recorder.take, recorder.lowest
    traced, current, span_key = recorder.samples == "traced", ambient.current_context, ambient.SPAN_KEY

    def set_(amount: Any, attributes: Any = None, context: Context | None = None) -> None:
        """Set the value."""
        try:
            if attributes and mark is None:
                entry = cells[get_ident(), *attributes, *attributes.values()]
            else:
                entry = cells[get_ident() if mark is None else (get_ident(), mark)]
            if entry.kinds is None:
                cell = entry
            elif (
                mark is not None
                or (entry.key is not None and type(attributes[entry.key]) is entry.kinds)
                or entry.fits(attributes)
            ):
                cell = entry.cell
            else:
                return take(amount, attributes, context, mark)
            kind = type(amount)
            if (kind is not int and kind is not float) or not lowest <= amount <= _LARGEST:
                return take(amount, attributes, context, mark)
        except Exception:  # noqa: BLE001 - unknown as yet, or wrong
            return take(amount, attributes, context, mark)
        try:
            cell.set_at, cell.value = monotonic_ns(), amount
            sample = None
            if traced and (span := (context or current()).get(span_key)) is not None:
                sample = sample_of(amount, span)
                if sample is not None:
                    cell.sample = sample
            if entry.others is not None:
                pass_on(entry.others, amount, sample)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.record(SITE, error)

    set_.__name__ = "set"
    return set_


_KINDS: Final[Mapping[str, tuple[Callable[..., Measure], type[Cell]]]] = {
    "add": (_adding, SumCell),
    "record": (_recording, HistogramCell),
    "set": (_setting, LastCell),
}


def equip(instrument: Any, method: str, *, falling: bool = False) -> None:
    """Let an instrument of the SDK record here, once.

    On the object and not in a subclass: the SDK looks aggregations up by the class of the instrument.

    Args:
        instrument: a synchronous one.
        method: what takes an amount: add, record or set.
        falling: whether amounts may be below zero.
    """
    if recorder_of(instrument) is not None:
        return
    factory, make = _KINDS[method]
    recorder = Recorder(instrument, method, make, -_LARGEST if falling else 0)

    def bound(attributes: Mapping[str, Any] | None = None) -> Measure:
        """What takes amounts with these attributes, as they are now; they are looked up once."""
        with guard.shield(SITE):
            return factory(recorder, Mark(identify(attributes or {})[1]))
        return factory(recorder, Mark({}))

    instrument.recorder = recorder
    instrument.bound = bound
    setattr(instrument, method, factory(recorder))


def recorder_of(instrument: Any) -> Recorder | None:
    """That of an instrument; None where it has not been equipped."""
    found = getattr(instrument, "__dict__", {}).get("recorder")
    return found if isinstance(found, Recorder) else None


def adopting(reader: Any) -> Callable[[Any, Any], Any]:
    """What makes a `Table` of what ``reader`` has of an instrument, where that is all that is wanted of it."""
    as_rows = bool(getattr(reader, "takes_rows", False))

    def adopt(match: Any, instrument: Any) -> Any:
        recorder = recorder_of(instrument)
        stream = None if recorder is None else _compat.stream_of(match)
        if recorder is not None and stream is not None:
            match.__class__ = Table
            match.open(recorder.index, stream, as_rows=as_rows)
        return match

    return adopt
