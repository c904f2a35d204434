"""An objective, and what belongs to it: the model that every format is read into and written from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo.indicator import Spans
from aumos_otel.slo.policy import SRE_WORKBOOK, Policy
from aumos_otel.slo.window import OCCURRENCES, THIRTY_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.policy import Severity
    from aumos_otel.slo.sli import Sli
    from aumos_otel.slo.window import Budgeting, Window

_VERSION_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Gate:
    """When there is too little traffic to tell: a tier does not burn below it.

    Attributes:
        bad_events: fewest bad events in the tier's longest window.
        confidence: one-sided, e.g. 0.95: the lower bound of Wilson's interval of the error ratio must reach the
            tier's factor too; None: the observed ratio decides alone.
    """

    bad_events: int = 2
    confidence: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """The alert of one severity."""

    enabled: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alerting:
    """What the alerts of an objective say beside what every alert says.

    Attributes:
        name: of the burn alerts; None: the one of semconv/registry.yaml.
        absent: whether missing data is an alert of its own.
    """

    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    notices: Mapping[Severity, Notice] = field(default_factory=dict)
    absent: bool = True

    def notice(self, severity: Severity) -> Notice:
        """The alert of ``severity``."""
        return self.notices.get(severity, Notice())


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """One service-level objective.

    Attributes:
        name: unique in its service; lower-case letters, digits and dashes.
        target: the share that must be good, over 0 and below 1.
        policy: as written down; `burn_policy` is it for this objective's window.
        group_by: labels by which it is counted apart, e.g. a handler: each value has a budget of its own.
        foreign: what the file that it was read from says beyond this model, by format; written back on export.
        line: where it stands in that file; 0 when in none.
    """

    name: str
    service: str
    target: Decimal
    indicator: Indicator
    window: Window = THIRTY_DAYS
    budgeting: Budgeting = OCCURRENCES
    policy: Policy = SRE_WORKBOOK
    display_name: str = ""
    description: str = ""
    owner: str = ""
    runbook: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    gate: Gate | None = None
    alerting: Alerting = Alerting()
    foreign: Mapping[str, Any] = field(default_factory=dict)
    line: int = field(default=0, compare=False)

    @property
    def budget(self) -> Decimal:
        """The share that may be bad."""
        return 1 - self.target

    @property
    def burn_policy(self) -> Policy:
        """The policy, with the factors for this window."""
        return self.policy.for_period(self.window.seconds)

    @property
    def version(self) -> str:
        """Changes with target, window and indicator: what was recorded under another one is not this objective's."""
        meaning = repr((self.target.normalize(), self.window, self.budgeting, self.indicator, self.group_by))
        return hashlib.sha256(meaning.encode()).hexdigest()[:_VERSION_DIGITS]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prometheus:
    """What the compiled rules must know about the Prometheus that runs them.

    Attributes:
        scrape_interval: seconds between two samples of the counters.
        interval: seconds between two evaluations.
        retention: seconds that samples are kept; None: not known.
        matchers: label matchers that pick the service's counters, e.g. ``{"job": "prod/chat"}``; empty: ``job`` is
            the service's name, with or without a namespace before it.
    """

    scrape_interval: int = 15
    interval: int = 60
    retention: int | None = None
    matchers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Definitions:
    """Everything that a file, or several, define.

    Attributes:
        foreign: documents of another format that define no objective (data sources, notification targets …), by
            format; written back on export.
    """

    objectives: tuple[Objective, ...]
    prometheus: Prometheus = Prometheus()
    foreign: Mapping[str, Any] = field(default_factory=dict)

    def slis(self) -> Iterator[Sli]:
        """The SLIs that are counted from spans, each once."""
        seen: dict[str, Sli] = {}
        for objective in self.objectives:
            if isinstance(objective.indicator, Spans):
                seen.setdefault(objective.indicator.sli.name, objective.indicator.sli)
        yield from seen.values()
