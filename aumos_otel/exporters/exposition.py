"""From OpenTelemetry metrics to Prometheus metric families that every parser accepts.

Names follow the specification's "Prometheus and OpenMetrics Compatibility"; where it leaves
room, this module decides:

* series that become the same one (``a.b`` and ``a_b``, as a metric name or as an attribute
  key) are added up when they are sums or histograms of equal buckets; of two gauges the
  newer stays and the other is reported;
* a metric whose name means another type already, or another unit, is left out and reported;
* an exponential histogram becomes a classic one of at most four buckets per power of two;
* exemplars carry trace and span id alone: what a view filters out stays out.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import ExponentialHistogram, Gauge, Histogram, Sum
from prometheus_client.core import Metric, Sample

from aumos_otel.exporters.family import Buckets, Family, Labels, Number, as_float, bucket_of, exemplar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.metrics.export import (
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        MetricsData,
        NumberDataPoint,
    )
    from opentelemetry.sdk.metrics.export import Metric as OtelMetric
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from aumos_otel.exporters.family import Pairs

    Report = Callable[[str], None]

# UCUM to Prometheus' words; https://prometheus.io/docs/practices/naming/#base-units
_UNITS: Final = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tebibytes",
    "kBy": "kilobytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
}
_PER: Final = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}

#: The names that a family of each type takes, beside its own.
_SUFFIXES: Final = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "summary": ("_count", "_sum", "_created"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "info": ("_info",),
}
#: Finest scale of an exponential histogram on the page: four buckets per power of two.
_MAX_SCALE: Final = 2


class Claims:
    """Which names a page has given away: two families must not share any."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}

    def take(self, name: str, kind: str) -> str | None:
        """Claim the names of a family; returns who has one of them already, in words."""
        wanted = [name, *(name + suffix for suffix in _SUFFIXES.get(kind, ()))]
        for taken in wanted:
            owner = self._owners.get(taken, (name, kind))
            if owner != (name, kind):
                return f"the {owner[1]} {owner[0]!r}"
        self._owners.update(dict.fromkeys(wanted, (name, kind)))
        return None


def families(data: MetricsData, report: Report) -> list[Metric]:
    """The metric families of one collection, ``target_info`` first.

    Args:
        data: what a metric reader received; cumulative.
        report: called with a sentence for each thing that had to be left out.
    """
    found: dict[str, Family] = {}
    claims = Claims()
    claims.take("target", "info")
    target: Metric | None = None
    for resource_metrics in data.resource_metrics:
        target = target or _target(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = _scope_labels(scope_metrics.scope)
            for metric in scope_metrics.metrics:
                family = _family(metric, found, claims, report)
                if family is not None:
                    _add_points(family, metric, scope, report)
    filled = [family for family in found.values() if family.series]
    return [target, *filled] if target is not None else [*filled]


@lru_cache(maxsize=4096)
def label_name(key: str) -> str:
    """An attribute key as a label name.

    >>> from aumos_otel.exporters.exposition import label_name
    >>> label_name("http.route"), label_name("2nd"), label_name("__name__")
    ('http_route', '_2nd', '_name_')
    """
    return _identifier(key)


@lru_cache(maxsize=4096)
def unit_word(unit: str) -> str:
    """A UCUM unit in Prometheus' words; "" when it has none.

    >>> from aumos_otel.exporters.exposition import unit_word
    >>> unit_word("s"), unit_word("By/s"), unit_word("{token}"), unit_word("1")
    ('seconds', 'bytes_per_second', '', '')
    """
    unit = re.sub(r"\{[^}]*\}", "", unit).strip()
    if unit in ("", "1"):
        return ""
    if unit in _UNITS:
        return _UNITS[unit]
    top, per, bottom = unit.partition("/")
    words = [_UNITS.get(top, top)]
    if per and bottom:
        words += ["per", _PER.get(bottom, bottom)]
    return re.sub("[^a-zA-Z0-9]+", "_", "_".join(words)).strip("_")


@lru_cache(maxsize=4096)
def metric_name(name: str, unit: str, kind: str) -> tuple[str, str]:
    """Family name and unit: the unit is part of the name, a counter's ``_total`` is not.

    ``kind`` is that of OpenTelemetry: counter, updowncounter, gauge or histogram.

    >>> from aumos_otel.exporters.exposition import metric_name
    >>> metric_name("http.server.request.duration", "s", "histogram")
    ('http_server_request_duration_seconds', 'seconds')
    >>> metric_name("requests_total", "{request}", "counter")
    ('requests', '')
    """
    word = "ratio" if unit == "1" and kind == "gauge" else unit_word(unit)
    full = _identifier(name)
    if kind == "counter":
        full = full.removesuffix("_total") or full
    if word and f"_{word}_" not in f"_{full}_":
        full = _identifier(f"{full}_{word}")
    return full, word if full.endswith(f"_{word}") else ""


def clean(text: str) -> str:
    """Text that can be encoded and parsed: lone surrogates and NUL are spelled out."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def label_value(value: object) -> str:
    """An attribute value as a label value: strings as they are, everything else as JSON."""
    if type(value) is str:
        return clean(value)
    if isinstance(value, str):
        return clean("".join(value))
    try:
        return clean(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return clean(_str(value))


def labels(given: Mapping[str, Any] | None, fixed: Iterable[tuple[str, str]] = (), *, le: bool = False) -> Pairs:
    """Sorted labels; keys that become equal share one label, values joined with ``;`` in the order of the keys.

    Args:
        given: attributes.
        fixed: further pairs of key and value.
        le: whether the name ``le`` is taken; an attribute of that name becomes ``exported_le``.
    """
    pairs = [
        *fixed,
        *((key if type(key) is str else _str(key), label_value(value)) for key, value in (given or {}).items()),
    ]
    merged: dict[str, str] = {}
    for key, value in sorted(pairs):
        name = label_name(key)
        name = "exported_le" if le and name == "le" else name
        merged[name] = f"{merged[name]};{value}" if name in merged else value
    return tuple(sorted(merged.items()))


def _target(attributes: Mapping[str, Any]) -> Metric | None:
    if not attributes:
        return None
    metric = Metric("target", "Target metadata", "info")
    metric.samples.append(Sample("target_info", dict(labels(attributes)), 1))
    return metric


def _scope_labels(scope: InstrumentationScope | None) -> list[tuple[str, str]]:
    if scope is None:
        return []
    named = {"name": scope.name, "version": scope.version, **(scope.attributes or {})}
    return [(f"otel_scope_{key}", label_value(value)) for key, value in named.items() if value not in (None, "")]


def _family(metric: OtelMetric, found: dict[str, Family], claims: Claims, report: Report) -> Family | None:
    """The family that a metric belongs to, or None when it has to be left out."""
    kind = _kind(metric)
    additive_gauge = kind == "gauge" and isinstance(metric.data, Sum)
    name, unit = metric_name(metric.name, metric.unit or "", "updowncounter" if additive_gauge else kind)
    owner = claims.take(name, kind)
    if owner is not None:
        report(f"{kind} {clean(metric.name)!r} is left out: its name {name!r} belongs to {owner}")
        return None
    documentation = " ".join(clean(metric.description or "").split())
    family = found.setdefault(name, Family(name, kind, unit, documentation))
    if family.unit and unit and family.unit != unit:
        report(f"{kind} {clean(metric.name)!r} in {unit} is left out: {name!r} is in {family.unit} already")
        return None
    family.documentation = family.documentation or documentation
    return family


def _kind(metric: OtelMetric) -> str:
    if isinstance(metric.data, Sum):
        return "counter" if metric.data.is_monotonic else "gauge"
    return "gauge" if isinstance(metric.data, Gauge) else "histogram"


def _add_points(family: Family, metric: OtelMetric, scope: list[tuple[str, str]], report: Report) -> None:
    points: Any = metric.data.data_points  # of the type that belongs to metric.data
    rows = getattr(points, "rows", None)  # of our own instruments
    if rows is not None:
        _add_rows(family, metric, points, scope, report)
        return
    family.settle()
    for point in points:
        key = _labels_of(family, point, scope)
        value: Number | Buckets
        if isinstance(metric.data, Histogram):
            value = _classic(key, point)
        elif isinstance(metric.data, ExponentialHistogram):
            value = _from_exponential(key, point)
        else:
            value = _number(key, point, metric.data)
            if family.type == "counter" and not value.value >= 0:
                report(f"counter {clean(metric.name)!r} has a series without a valid value ({value.value}): left out")
                continue
        if not family.add(value):
            _report_equal(family, metric, key, report)


def _add_rows(family: Family, metric: OtelMetric, points: Any, scope: list[tuple[str, str]], report: Report) -> None:
    """The same for rows; the labels are made once for each series."""
    family.settle()
    family.additive, family.time = isinstance(metric.data, Sum), points.time
    if family.type == "histogram":
        for series, state, samples in points.rows:
            value = _of_state(_kept_labels(family, series, scope), state, points.bounds, samples)
            if not family.add(value):
                _report_equal(family, metric, value.labels, report)
        return
    for lost in family.add_numbers(points.rows, lambda series: _kept_labels(family, series, scope)):
        _report_equal(family, metric, lost, report)


def _kept_labels(family: Family, series: Any, scope: list[tuple[str, str]]) -> Labels:
    if series.text is None:
        series.text = _labels_of(family, series, scope)
    found: Labels = series.text
    return found


def _labels_of(family: Family, series: Any, scope: list[tuple[str, str]]) -> Labels:
    return Labels(family.sample_name, labels(series.attributes, scope, le=family.type == "histogram"))


def _of_state(key: Labels, state: Any, bounds: tuple[float, ...], samples: Mapping[int, Any]) -> Buckets:
    made = {index: exemplar_of(sample) for index, sample in samples.items()}
    exemplars = {index: exemplar for index, exemplar in made.items() if exemplar is not None}
    return Buckets(key, bounds, state[0], as_float(state[1]), exemplars)


def _report_equal(family: Family, metric: OtelMetric, key: Labels, report: Report) -> None:
    both = f"two series became {family.name}{dict(key.pairs)}"
    report(f"{family.type} {clean(metric.name)!r}: {both}; one is left out")


def _number(key: Labels, point: NumberDataPoint, data: Sum | Gauge) -> Number:
    latest = None
    if isinstance(data, Sum) and data.is_monotonic:  # a gauge must not carry exemplars
        traced = (exemplar for exemplar in point.exemplars if exemplar.trace_id)
        latest = max(traced, key=lambda exemplar: exemplar.time_unix_nano, default=None)
    exemplar = exemplar_of((latest.value, latest.time_unix_nano, latest)) if latest else None
    return Number(key, as_float(point.value), point.time_unix_nano, isinstance(data, Sum), exemplar)


def _classic(key: Labels, point: HistogramDataPoint) -> Buckets:
    return _buckets(key, zip(point.explicit_bounds, point.bucket_counts, strict=False), point)


def _from_exponential(key: Labels, point: ExponentialHistogramDataPoint) -> Buckets:
    scale = min(point.scale, _MAX_SCALE)
    shift = point.scale - scale

    def indexed(buckets: Any) -> list[tuple[int, int]]:
        """Bucket indexes at our scale with their counts, without the empty ones at both ends."""
        found: dict[int, int] = {}
        for position, count in enumerate(buckets.bucket_counts):
            index = (buckets.offset + position) >> shift
            found[index] = found.get(index, 0) + count
        filled = [index for index, count in found.items() if count]
        return [(index, found[index]) for index in range(min(filled), max(filled) + 1)] if filled else []

    rows = [(-_power(index, scale), count) for index, count in reversed(indexed(point.negative))]
    if point.zero_count:
        rows.append((0.0, point.zero_count))
    rows += [(_power(index + 1, scale), count) for index, count in indexed(point.positive)]
    return _buckets(key, rows, point)


def _power(index: int, scale: int) -> float:
    """The lower edge of bucket ``index``."""
    try:
        return math.pow(2.0, math.ldexp(index, -scale))
    except OverflowError:
        return math.inf


def _buckets(
    key: Labels, rows: Iterable[tuple[float, int]], point: HistogramDataPoint | ExponentialHistogramDataPoint
) -> Buckets:
    """Finite, rising bounds; what lies beyond, or between equal ones, counts in the next bucket."""
    bounds: list[float] = []
    counts: list[int] = []
    pending = 0
    for bound, count in rows:
        pending += count
        if math.isfinite(bound) and (not bounds or bound > bounds[-1]):
            bounds.append(float(bound))
            counts.append(pending)
            pending = 0
    counts.append(max(0, point.count - sum(counts)))
    exemplars = {}
    for exemplar in sorted(point.exemplars, key=lambda exemplar: exemplar.value):
        made = exemplar_of((exemplar.value, exemplar.time_unix_nano, exemplar))
        if made is not None:
            exemplars[bucket_of(bounds, exemplar.value)] = made
    return Buckets(key, tuple(bounds), counts, as_float(point.sum), exemplars)


def _identifier(text: str) -> str:
    """Letters, digits and single underscores; the colon is for recording rules."""
    name = re.sub("[^a-zA-Z0-9]+", "_", text)
    return name if name and not name[0].isdigit() else f"_{name}".replace("__", "_")


def _str(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<{type(value).__name__} whose str raised {type(error).__name__}>"
