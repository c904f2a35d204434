"""Level 0 in PromQL: how many events the last minute had, and how many of them were good.

Counters are asked for their rate first and summed then, over ``n`` evaluations and one scrape more: the first sample
of a range is the last one of the range before, so that the increments of all evaluations add up to the counter's.
(But for Prometheus' own rule that no counter was ever below 0: of what one counts while it is near it, up to a fifth
is not seen.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.semconv import attributes, metrics
from aumos_otel.slo import bucket, quantity, selector
from aumos_otel.slo.indicator import (
    WINDOW,
    Composite,
    Counted,
    Elsewhere,
    Gauge,
    Histogram,
    Query,
    Ratio,
    RawRatio,
    Spans,
    Threshold,
)
from aumos_otel.slo.problem import Problem
from aumos_otel.slo.selector import STRING
from aumos_otel.slo.window import Occurrences, Timeslices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.objective import Definitions, Objective, Prometheus

_TOKEN: Final = re.compile(
    rf"(?<![\w:.])le\s*=\s*(?P<edge>\"[^\"\\\n]*\"|'[^'\\\n]*'|`[^`]*`)|(?P<blank>(?:\s|#[^\n]*)+)|{STRING}"
)
_PER_SECOND: Final = re.compile(r"\b(?:rate|irate|deriv)\s*\(")
_PLAIN_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REGEX_SIGN: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
#: Scrapes that a range holds at least: one that fails is no gap then.
_SCRAPES: Final = 4
_MINUTE: Final = 60
_COMPARISONS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Events:
    """Two expressions whose results have the same labels: events a minute, and those of them that were good."""

    total: str
    good: str


#: Gives the level 0 of an objective.
Part = Callable[["Objective"], Events]


def events(objective: Objective, definitions: Definitions, part: Part | None = None) -> Events:
    """What happened in the minute before the evaluation; the labels are `grouping` alone.

    ``part`` gives the level 0 of an objective that a composite consists of; without, its expressions are put in.

    Raises:
        ObjectiveError: it has no expression, e.g. because it is measured elsewhere.
    """
    return _events(objective, definitions, part, ())


def grouping(objective: Objective) -> tuple[str, ...]:
    """The labels by which it is counted apart; of our own counters they are attributes, which Prometheus spells so."""
    if isinstance(objective.indicator, Spans | Counted):
        return tuple(label(name) for name in objective.group_by)
    return objective.group_by


def series(indicator: Spans | Counted, service: str, prometheus: Prometheus, more: str = "") -> Events:
    """Selectors of the counters that SDK and collector keep of an SLI; ``more`` is a further matcher."""
    name = indicator.sli.name if isinstance(indicator, Spans) else indicator.name
    picked = [f"{label(attributes.AUMOS_SLI_NAME)}={quoted(name)}"]
    if prometheus.matchers:
        picked += [f"{label_text(key)}={quoted(value)}" for key, value in sorted(prometheus.matchers.items())]
    else:
        escaped = _REGEX_SIGN.sub(lambda found: "\\" + found[0], service)
        picked.append(f"job=~{quoted('(.+/)?' + escaped)}")
    matchers = ",".join([*picked, more] if more else picked)
    return Events(
        *(
            f"{metric.name.replace('.', '_')}_total{{{matchers}}}"
            for metric in (metrics.AUMOS_SLI_EVENTS, metrics.AUMOS_SLI_GOOD_EVENTS)
        )
    )


def label(attribute: str) -> str:
    """The label that an attribute is in Prometheus."""
    return attribute.replace(".", "_")


def label_text(name: str) -> str:
    """A label as it is written in an expression: one with dots or the like stands in quotes."""
    return name if _PLAIN_LABEL.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """A string of PromQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def number(value: Decimal) -> str:
    """Without exponent and needless zeros: ``0.001``."""
    return f"{value.normalize():f}"


def problem(objective: Objective, seen: object, expected: str) -> ObjectiveError:
    """What to raise about an objective that cannot be compiled."""
    subject = f"{objective.service}/{objective.name}"
    return ObjectiveError(subject, [f"{subject}: {Problem(('sli',), seen, expected)}"])


def _events(objective: Objective, definitions: Definitions, part: Part | None, inside: tuple[str, ...]) -> Events:
    asked = _Asked(objective, definitions, part, (*inside, objective.name))
    budgeting = objective.budgeting
    if isinstance(budgeting, Occurrences):
        return asked.over(None)
    trailing = asked.over(budgeting.seconds)
    total = f"({trailing.total}) > bool 0"
    ratio = f"({trailing.good}) / ({trailing.total})"
    if isinstance(budgeting, Timeslices):
        # Rates are floats: 19 of 20 must be 95 %.
        return Events(total, f"round({ratio}, 1e-9) >= bool {number(budgeting.target)}")
    return Events(total, f"clamp({ratio}, 0, 1) >= 0 or ({trailing.total}) * 0")


@dataclass(frozen=True, slots=True)
class _Asked:
    """An objective whose indicator is turned into expressions."""

    objective: Objective
    definitions: Definitions
    part: Part | None
    inside: tuple[str, ...]

    def over(self, slice_: int | None) -> Events:
        """Events of the last minute, or of so many seconds in whatever unit: a ratio is what is wanted of a slice."""
        minute = self._of_minutes(self.objective.indicator)
        if minute is None:
            return self._of_ranges(self.objective.indicator, slice_)
        return Events(self._summed(minute.total, slice_), self._summed(minute.good, slice_))

    def _of_minutes(self, indicator: Indicator) -> Events | None:
        """Of what is looked at once a minute; None of what keeps count itself."""
        match indicator:
            case RawRatio():
                return self._raw_ratio(indicator)
            case Threshold():
                return self._threshold(indicator)
            case Composite(parts):
                return self._composite(parts)
            case Elsewhere(system, remedy):
                raise problem(self.objective, system, f"what Prometheus can be asked; {remedy}")
        return None

    def _of_ranges(self, indicator: Indicator, slice_: int | None) -> Events:
        span = self._range(slice_)
        match indicator:
            case Spans() | Counted():
                counters = series(indicator, self.objective.service, self.definitions.prometheus)
                return self._filled(self._counter(counters.total, span), self._counter(counters.good, span))
            case Histogram():
                return self._histogram(indicator, span)
            case Gauge(text):
                samples = f"{clean(text)}[{quantity.duration_text(slice_ or _MINUTE)}]"
                counted = self._sum(f"count_over_time({samples})")
                return self._filled(counted, self._sum(f"sum_over_time({samples}) >= 0"))
            case Ratio(total, good, bad):
                every = self._counts(total, span, slice_)
                if good is not None:
                    return self._filled(every, self._counts(good, span, slice_))
                if bad is not None:
                    failed = self._counts(bad, span, slice_)
                    return Events(every, f"clamp_min(({every}) - (({failed}) or ({every}) * 0), 0)")
        raise problem(self.objective, indicator, "an indicator with a query of its good or of its bad events")

    def _range(self, slice_: int | None) -> int:
        """Seconds of a range of counters."""
        prometheus = self.definitions.prometheus
        scrapes = math.ceil((_SCRAPES - 1) * prometheus.scrape_interval / prometheus.interval)
        steps = max(1, scrapes, math.ceil((slice_ or 0) / prometheus.interval))
        return steps * prometheus.interval + prometheus.scrape_interval

    def _sum(self, expression: str, function: str = "sum") -> str:
        """Over everything but ``group_by``."""
        return aggregated(function, grouping(self.objective), expression)

    def _counter(self, text: str, span: int) -> str:
        return self._sum(f"rate({text}[{quantity.duration_text(span)}])") + " * 60"

    def _counts(self, query: Query, span: int, slice_: int | None) -> str:
        text = templated(query.text, span)
        if query.form == "counter":
            return self._counter(text, span)
        events_ = self._sum(f"({text}) >= 0 < Inf")  # a NaN or an infinity would stay in sums for the whole period
        if query.form == "gauge":
            return self._summed(events_, slice_)
        return f"{events_} * 60" if _PER_SECOND.search(text) else f"{events_} * 60 / {span}"

    def _summed(self, expression: str, slice_: int | None) -> str:
        """Of something that is no counter: the sum of its minutes."""
        if slice_ is None:
            return expression
        step = quantity.duration_text(self.definitions.prometheus.interval)
        return f"sum_over_time(({expression})[{quantity.duration_text(slice_)}:{step}])"

    @staticmethod
    def _filled(total: str, good: str) -> Events:
        """A series of good events that is not there yet is none at all, as long as there is a total."""
        return Events(total, f"{good} or ({total}) * 0")

    def _histogram(self, indicator: Histogram, span: int) -> Events:
        found = selector.parse(clean(indicator.series))
        if found is None or not found.name:
            raise problem(
                self.objective, indicator.series, 'the name of a histogram with matchers, e.g. latency{job="x"}'
            )
        if indicator.native:
            merged = self._sum(f"rate({found}[{quantity.duration_text(span)}])")
            total = f"histogram_count({merged}) * 60"
            share = f"histogram_fraction(-Inf, {number(indicator.below)}, {merged})"
            return Events(total, f"{share} * {total} >= 0 or {total} * 0")  # nothing happened: the fraction is NaN
        edge = bucket.matcher(number(indicator.below))
        below = selector.Selector(f"{found.name}_bucket", (*found.matchers, edge))
        every = selector.Selector(f"{found.name}_count", found.matchers)
        return self._filled(self._counter(str(every), span), self._counter(str(below), span))

    def _raw_ratio(self, indicator: RawRatio) -> Events:
        text = templated(indicator.query.text, self._range(None))
        share = self._sum(f"clamp({text}, 0, 1) >= 0", "avg")  # all but NaN
        return Events(f"{share} >= bool 0", share if indicator.kind == "success" else f"1 - {share}")

    def _threshold(self, indicator: Threshold) -> Events:
        value = f"({templated(indicator.query, self._range(None))}) >= -Inf"  # all but NaN
        holds = f"({value}) {_COMPARISONS[indicator.operator]} bool {number(indicator.threshold)}"
        return Events(self._sum(value, "count"), self._sum(holds))

    def _composite(self, parts: Mapping[str, Decimal]) -> Events:
        ratios, weights = [], []
        for name, weight in sorted(parts.items()):
            of_part = self._part(name)
            good, total = self._sum(of_part.good), self._sum(of_part.total)
            ratios.append(_named(name, f"{number(weight)} * clamp_max({good} / ({total} > 0), 1)"))
            weights.append(_named(name, f"{number(weight)} * ({total} > bool 0)"))
        weighed = self._sum(" or ".join(weights))
        return Events(f"{weighed} > bool 0", f"{self._sum(' or '.join(ratios))} / ({weighed} > 0) or {weighed} * 0")

    def _part(self, name: str) -> Events:
        for other in self.definitions.objectives:
            if other.service == self.objective.service and other.name == name:
                if name in self.inside:
                    raise problem(self.objective, " > ".join((*self.inside, name)), "a composite without itself in it")
                inlined = _events(other, self.definitions, self.part, self.inside)  # finds circles in any case
                return inlined if self.part is None else self.part(other)
        raise problem(self.objective, name, f"the name of an objective of {self.objective.service}")


def _named(name: str, expression: str) -> str:
    """With the name of its part as a label: parts that are joined by ``or`` must differ."""
    return f'label_replace({expression}, "{label(attributes.AUMOS_SLO_NAME)}", {quoted(name)}, "", "")'


def aggregated(function: str, labels: Iterable[str], expression: str) -> str:
    """``sum by (route) (…)``, or ``sum(…)`` over everything."""
    kept = ", ".join(label_text(name) for name in labels)
    return f"{function} by ({kept}) ({expression})" if kept else f"{function}({expression})"


def templated(text: str, seconds: int) -> str:
    """The text as one line, with ``{{.window}}`` replaced by a duration."""
    return WINDOW.sub(quantity.duration_text(seconds), clean(text))


def clean(text: str) -> str:
    """One line without comments, in which ``le="1"`` finds the buckets of Prometheus 2 and 3 alike."""
    return _TOKEN.sub(_token, text).strip()


def _token(found: re.Match[str]) -> str:
    if found["blank"] is not None:
        return " "
    if found["edge"] is not None:
        return str(bucket.matcher(found["edge"][1:-1]))
    return found[0]
