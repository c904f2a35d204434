"""Thresholds against the buckets of histograms: a histogram can only count up to the edge of a bucket."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from aumos_otel.semconv import attributes, metrics
from aumos_otel.semconv.metrics import Metric
from aumos_otel.slo import selector
from aumos_otel.slo.condition import All, Attribute, Compare, Condition, Duration, Either, Not
from aumos_otel.slo.finding import about
from aumos_otel.slo.indicator import Histogram, Spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from aumos_otel.slo.finding import Finding
    from aumos_otel.slo.objective import Objective

_UNITS: Final = {"s": "_seconds"}


def series_name(metric: Metric) -> str:
    """What a histogram is called in Prometheus, without ``_bucket``."""
    return metric.name.replace(".", "_") + _UNITS.get(metric.unit, "")


#: Upper edges of the buckets of each histogram that this distribution knows, by its name in Prometheus.
KNOWN_EDGES: Final[Mapping[str, Sequence[float]]] = {
    series_name(metric): metric.buckets
    for metric in vars(metrics).values()
    if isinstance(metric, Metric) and metric.buckets
}
#: The histogram that shows what an attribute, or the duration of a span that has the attribute, measures.
_OF_ATTRIBUTE: Final = {
    attributes.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
    attributes.GEN_AI_EVALUATION_SCORE_VALUE: metrics.GEN_AI_EVALUATION_SCORE,
}
_OF_DURATION: Final = {
    attributes.HTTP_REQUEST_METHOD: metrics.HTTP_SERVER_REQUEST_DURATION,
    attributes.HTTP_ROUTE: metrics.HTTP_SERVER_REQUEST_DURATION,
    attributes.GEN_AI_OPERATION_NAME: metrics.GEN_AI_CLIENT_OPERATION_DURATION,
}


def lint_threshold(objective: Objective, edges: Mapping[str, Sequence[float]]) -> Iterator[Finding]:
    """The findings about the threshold of an objective; ``edges`` as `KNOWN_EDGES`."""
    match objective.indicator:
        case Histogram(series, below, native):
            if not native:
                yield from _histogram(objective, series, below, edges)
        case Spans(sli):
            yield from _spans(objective, sli.match, sli.good, edges)


def _histogram(
    objective: Objective, series: str, below: Decimal, edges: Mapping[str, Sequence[float]]
) -> Iterator[Finding]:
    found = selector.parse(series)
    if found is None or not found.name:
        text = f"{series!r} is no selector of a histogram"
        yield about(
            objective, "error", "histogram", text, 'write its name and matchers, such as latency_seconds{job="x"}'
        )
        return
    known = edges.get(found.name)
    if known is None:
        text = f"the buckets of {found.name} are not known: the good are counted up to {below.normalize():f} only if a bucket ends there"
        yield about(objective, "note", "bucket-edge", text, f'look for a series with le="{below.normalize():f}"')
    elif float(below) not in known:
        text = f"no bucket of {found.name} ends at {below.normalize():f}: {_near(known, float(below))}"
        remedy = "take one of these edges, or a native histogram"
        yield about(objective, "error", "bucket-edge", text, remedy)


def _spans(
    objective: Objective, match: Condition, good: Condition, edges: Mapping[str, Sequence[float]]
) -> Iterator[Finding]:
    shown = {
        _OF_DURATION[part.key] for part in _parts(match) if isinstance(part, Attribute) and part.key in _OF_DURATION
    }
    for part in _parts(good):
        if isinstance(part, Duration) and len(shown) == 1:
            yield from _unseen(objective, part.limits, next(iter(shown)), edges)
        elif isinstance(part, Attribute) and part.key in _OF_ATTRIBUTE:
            limits = tuple(check for check in part.checks if isinstance(check, Compare))
            yield from _unseen(objective, limits, _OF_ATTRIBUTE[part.key], edges)


def _unseen(
    objective: Objective, limits: Sequence[Compare], metric: Metric, edges: Mapping[str, Sequence[float]]
) -> Iterator[Finding]:
    known = edges.get(series_name(metric), ())
    for limit in limits:
        if known and float(limit.bound) not in known:
            text = (
                f"spans are compared with {float(limit.bound):g} exactly, but no dashboard over the histogram {metric.name}"
                f" can show that: {_near(known, float(limit.bound))}"
            )
            yield about(
                objective, "warning", "bucket-edge", text, "take one of these edges if you want to see it there"
            )


def _near(edges: Sequence[float], value: float) -> str:
    """The edges around a value."""
    at = bisect_left(edges, value)
    return "the nearest are " + " and ".join(f"{edge:g}" for edge in edges[max(0, at - 1) : at + 1])


def _parts(condition: Condition) -> Iterator[Condition]:
    """A condition and everything that is inside it."""
    yield condition
    inner: Sequence[Condition] = ()
    if isinstance(condition, All | Either):
        inner = condition.parts
    elif isinstance(condition, Not):
        inner = (condition.part,)
    for part in inner:
        yield from _parts(part)
