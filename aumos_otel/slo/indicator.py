"""What an objective is about: where its good and its total come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from aumos_otel.slo.sli import Sli

Operator = Literal["lt", "lte", "gt", "gte"]

#: The placeholder of a template, in whose place a duration goes.
WINDOW: Final = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")


@dataclass(frozen=True, slots=True)
class Spans:
    """A predicate over spans, which SDK and collector count as they end."""

    sli: Sli


@dataclass(frozen=True, slots=True)
class Counted:
    """An SLI that is counted somewhere else, e.g. by ``@aumos.slo("checkout")`` in the code; its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL that yields a number of events.

    Attributes:
        text: the PromQL.
        form: ``counter``: a selector of counter series, e.g. ``http_requests_total{code=~"5.."}``;
            ``template``: an expression with ``{{.window}}`` in the place of each range, yielding a rate or an
            increase over it; ``gauge``: an expression whose value is the number of events of the last minute.
    """

    text: str
    form: Literal["counter", "template", "gauge"] = "counter"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Counts by query: ``total``, and one of ``good`` and ``bad``."""

    total: Query
    good: Query | None = None
    bad: Query | None = None


@dataclass(frozen=True, slots=True)
class RawRatio:
    """A ratio by query, without counts: each minute weighs alike.

    Attributes:
        kind: whether it is the share of the good or of the bad.
    """

    query: Query
    kind: Literal["success", "failure"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A measured value by query: a minute is good when ``value operator threshold`` holds."""

    query: str
    operator: Operator
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram by name and matchers: good is what lies at or below ``below``.

    Attributes:
        series: selector of the histogram without ``_bucket``, ``_count``, e.g. ``http_duration_seconds{job="x"}``.
        below: in the histogram's unit, seconds for durations.
        native: a native (exponential) histogram; else a classic one, of which ``below`` must be a bucket's edge.
    """

    series: str
    below: Decimal
    native: bool = False


@dataclass(frozen=True, slots=True)
class Gauge:
    """Series that are 1 while all is well and 0 while not, e.g. ``probe_success{job="x"}``; each sample is an event."""

    series: str


@dataclass(frozen=True, slots=True)
class Composite:
    """Other objectives of the same service by name, each with its weight: a minute is as good as their weighted mean."""

    parts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Measured by what cannot be asked from here: it is read and written back, but neither compiled nor evaluated.

    Attributes:
        system: what measures it, e.g. ``Datadog`` or ``the sloth plugin 'availability'``.
        remedy: what to do so that it can be evaluated here, in words.
    """

    system: str
    remedy: str


Indicator = Spans | Counted | Ratio | RawRatio | Threshold | Histogram | Gauge | Composite | Elsewhere
