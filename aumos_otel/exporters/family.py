"""A family of series on the Prometheus page: its text, and its samples for who goes by prometheus_client's objects.

Of sums and gauges of our own instruments a family keeps the bare numbers: objects for ten thousand series would cost
more than the page.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client.core import Exemplar, Metric, Sample
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    #: Value, Unix nanoseconds, and what has the ids of trace and span.
    _Sample = tuple[float, int, Any]

Pairs = tuple[tuple[str, str], ...]

#: From here on Prometheus' way to write a number is another than Python's.
_PLAIN: Final = 1_000_000


class Labels:
    """Labels, sorted.

    Attributes:
        text: how they are written between braces.
        line: how a sample with them begins, up to its value.
    """

    __slots__ = ("line", "pairs", "text")

    def __init__(self, name: str, pairs: Pairs) -> None:
        self.pairs = pairs
        self.text = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
        self.line = f"{name}{{{self.text}}} " if self.text else f"{name} "


@dataclass(slots=True)
class Number:
    """The value of one series; ``additive`` tells a sum from a gauge."""

    labels: Labels
    value: float
    time: int
    additive: bool
    exemplar: Exemplar | None = None

    def merge(self, other: Number) -> bool:
        """Take another value of the same series in; False when one of the two is lost."""
        if self.additive and other.additive:
            self.value += other.value
            self.exemplar = self.exemplar or other.exemplar
            return True
        if other.time > self.time:
            self.value, self.time = other.value, other.time
        return False


@dataclass(slots=True)
class Buckets:
    """One histogram: upper bounds, counts (one more than bounds) and the sum, if it has a meaning."""

    labels: Labels
    bounds: tuple[float, ...]
    counts: list[int]
    total: float
    exemplars: dict[int, Exemplar]

    def merge(self, other: Buckets) -> bool:
        """Take another histogram of the same series in; False when the buckets differ."""
        if self.bounds != other.bounds:
            return False
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.exemplars = other.exemplars | self.exemplars
        return True


class Family(Metric):
    """All series of one name.

    Attributes:
        series: a value by how its line begins; of a sum or gauge that was read from an instrument of ours, the number.
        labels: those of such numbers, in any order.
        found: what is an exemplar of such a number.
        additive: whether such numbers are sums.
        time: when they were read, in Unix nanoseconds.
    """

    def __init__(self, name: str, kind: str, unit: str, documentation: str) -> None:
        self.series: dict[str, Any] = {}
        self.labels: list[Labels] = []
        self.found: dict[str, _Sample] = {}
        self.additive = True
        self.time = 0
        super().__init__(name, documentation, kind, unit)
        self._given: list[Sample] | None = None

    @property
    def samples(self) -> list[Sample]:  # an attribute there
        """As prometheus_client has them."""
        if self._given is None:
            self.settle()
            self._given = [sample for value in self.series.values() for sample in self._samples_of(value)]
        return self._given

    @samples.setter
    def samples(self, given: list[Sample]) -> None:
        self._given = given

    @property
    def sample_name(self) -> str:
        """How the sample of a number is called."""
        return f"{self.name}_total" if self.type == "counter" else self.name

    def add(self, value: Number | Buckets) -> bool:
        """Add a series, or take it into the one of the same labels; False when one of the two is lost."""
        known = self.series.setdefault(value.labels.line, value)
        if isinstance(known, int | float):
            self.settle()
            known = self.series[value.labels.line]
        return known is value or bool(known.merge(value))

    def add_numbers(self, rows: Iterable[tuple[Any, Any, Any]], label: Callable[[Any], Labels]) -> Iterator[Labels]:
        """The same of sums and gauges as `aumos_otel.providers.metric_table` reads them.

        Args:
            rows: a series, which keeps its labels as ``text``; its number, first of a tuple for a gauge; its samples.
            label: makes the labels of a series.

        Yields:
            The labels of those that are lost.
        """
        series, known, found = self.series, self.labels, self.found
        for of, number, samples in rows:
            labels = of.text or label(of)
            line = labels.line
            if type(number) is tuple:
                number = number[0]  # noqa: PLW2901 - it is the number then
            if line in series:
                if not self.add(self._as_value(labels, number, samples.get(0))):
                    yield labels
                known, found = self.labels, self.found
                continue
            series[line] = number
            known.append(labels)
            if samples:
                found[line] = samples[0]

    def settle(self) -> None:
        """Make values of the numbers: what comes next is of another time or kind."""
        for labels in self.labels:
            line = labels.line
            self.series[line] = self._as_value(labels, self.series[line], self.found.get(line))
        self.labels, self.found = [], {}

    def text(self, *, openmetrics: bool) -> str:
        """What the page shows, in OpenMetrics with exemplars or in the classic format."""
        name = self.name if openmetrics else self.sample_name
        lines = [f"# HELP {name} {_help(self.documentation, openmetrics=openmetrics)}\n# TYPE {name} {self.type}\n"]
        if self.unit and openmetrics:
            lines.append(f"# UNIT {name} {self.unit}\n")
        if self.type == "histogram":
            for value in self.series.values():
                lines += self._histogram_lines(value, openmetrics=openmetrics)
        else:
            if openmetrics and self.found:
                self.settle()
            lines += [
                f"{line}{value}.0\n"
                if type(value) is int and -_PLAIN < value < _PLAIN
                else f"{line}{_number_text(value, openmetrics=openmetrics)}"
                for line, value in self.series.items()
            ]
        return "".join(lines)

    def _histogram_lines(self, value: Buckets, *, openmetrics: bool) -> Iterator[str]:
        text = value.labels.text
        before = f"{self.name}_bucket{{{text}," if text else f"{self.name}_bucket{{"
        seen = 0
        for position, (edge, count) in enumerate(zip(edges(value.bounds), value.counts, strict=True)):
            seen += count
            found = value.exemplars.get(position) if openmetrics else None
            yield f'{before}le="{edge}"}} {_count(seen)}{_exemplar_text(found)}'
        if _has_sum(value):
            labels = f"{{{text}}}" if text else ""
            yield f"{self.name}_count{labels} {_count(seen)}\n{self.name}_sum{labels} {_go(value.total)}\n"

    def _as_value(self, labels: Labels, number: float, sample: _Sample | None) -> Number:
        exemplar = exemplar_of(sample) if self.type == "counter" else None
        return Number(labels, as_float(number), self.time, self.additive, exemplar)

    def _samples_of(self, value: Number | Buckets) -> Iterable[Sample]:
        key = dict(value.labels.pairs)
        if isinstance(value, Number):
            return [Sample(self.sample_name, key, value.value, None, value.exemplar)]
        samples, seen = [], 0
        for position, (edge, count) in enumerate(zip(edges(value.bounds), value.counts, strict=True)):
            seen += count
            found = value.exemplars.get(position)
            samples.append(Sample(f"{self.name}_bucket", {**key, "le": edge}, seen, None, found))
        if _has_sum(value):
            samples += [Sample(f"{self.name}_count", key, seen), Sample(f"{self.name}_sum", key, value.total)]
        return samples


@lru_cache(maxsize=256)
def edges(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """The upper edges of buckets, as they are written; one more than bounds."""
    return *map(_go, bounds), "+Inf"


def bucket_of(bounds: Sequence[float], value: float) -> int:
    """The index of the bucket that a value belongs to."""
    return bisect_left(bounds, value)


def exemplar_of(sample: _Sample | None) -> Exemplar | None:
    """A sample as an exemplar: trace and span alone; None outside of a trace, which leads nowhere."""
    if sample is None or sample[2] is None or not sample[2].trace_id:
        return None
    value, moment, span = sample
    ids = {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id or 0)}
    return Exemplar(ids, as_float(value), round(moment / 1e9, 3))


def as_float(value: float | None) -> float:
    """A number as the page writes it."""
    try:
        return math.nan if value is None else float(value)
    except OverflowError:  # an int beyond what a float holds
        return math.inf if value and value > 0 else -math.inf


def _has_sum(value: Buckets) -> bool:
    """A sum that can fall is no counter: OpenMetrics wants neither it nor the count beside negative buckets."""
    return value.total >= 0 and (not value.bounds or value.bounds[0] >= 0)


def _exemplar_text(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return "\n"
    ids = ",".join(f'{name}="{value}"' for name, value in sorted(exemplar.labels.items()))
    return f" # {{{ids}}} {_go(exemplar.value)} {exemplar.timestamp}\n"


def _number_text(value: Number | float, *, openmetrics: bool) -> str:
    """A value, and its exemplar if it has one, to the end of the line."""
    if not isinstance(value, Number):
        return f"{_go(value)}\n"
    return f"{_go(value.value)}{_exemplar_text(value.exemplar if openmetrics else None)}"


def _count(value: int) -> str:
    return f"{value}.0" if value < _PLAIN else _go(value)


def _go(value: float) -> str:
    text: str = floatToGoString(as_float(value))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    return text


def _help(text: str, *, openmetrics: bool) -> str:
    return _escape(text) if openmetrics else text.replace("\\", r"\\").replace("\n", r"\n")


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
