"""The objectives of this process: what is counted for them, who watches, and what that changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aumos_otel import definitions, guard, indicators
from aumos_otel.pipeline import Part
from aumos_otel.processors.sli import SliCounter, SliLogProcessor, SliProcessor
from aumos_otel.processors.sli_metrics import Exemplars, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics import MeterProvider

    from aumos_otel.config import SLOOptions
    from aumos_otel.exporters.outlet import Outlet
    from aumos_otel.plan import Plan
    from aumos_otel.providers.boost import Boost
    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.slo_watch import Watch

_EXEMPLARS_OFF = "always_off"


class Objectives:
    """Counts what the plan's objectives and the decorators of the code are about.

    Args:
        plan: names the files.
        instance: tells the service.instance.id of the process.

    Attributes:
        told: events about objectives by what became of them.
        boost: raises sampling while an objective burns; None: nothing does.

    Raises:
        ObjectiveError: a file of objectives cannot be used.
        MissingExtraError: something was asked for that is not installed.
    """

    def __init__(self, plan: Plan, instance: Callable[[], str]) -> None:
        self._options = options = plan.slos
        loaded: list[Definitions] = []
        for found in definitions.load(options.files):
            loaded.append(found.definitions)
            plan.warnings.extend(map(str, found.remarks))
        if options.definitions is not None:
            loaded.append(options.definitions)
        self.objectives: tuple[Objective, ...] = tuple(each for defined in loaded for each in defined.objectives)
        exemplars = plan.environ.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip().lower() != _EXEMPLARS_OFF
        # Made before the watch: in a forked child the counts begin anew first.
        slis = (sli for defined in loaded for sli in defined.slis())
        bound = {} if plan.metrics is None else {"most_series": plan.metrics.cardinality_limit}
        self.counter = SliCounter(slis, exemplars=exemplars, **bound)
        self._unsubscribe = indicators.subscribe(self.counter.add)
        self._outlets: Sequence[Outlet] = ()
        self.told: Callable[[], Mapping[str, int]] = dict
        self._watch: Watch | None = None
        self.boost: Boost | None = None
        if self.objectives and options.watch:
            self._prepare_watch(options, instance)
        self.spans = SliProcessor(self.counter)
        self.logs = SliLogProcessor(self.counter)

    def _prepare_watch(self, options: SLOOptions, instance: Callable[[], str]) -> None:
        """The engine is loaded only where there is something to evaluate."""
        from aumos_otel import slo_watch  # noqa: PLC0415 - see above
        from aumos_otel.providers.boost import Boost  # noqa: PLC0415 - same

        self._outlets = slo_watch.outlets(options)
        self.told = partial(slo_watch.counts_of, self._outlets)
        self._watch = slo_watch.Watch(
            self.objectives, self.counter.counts, find=self.counter.find, outlets=self._outlets, instance=instance
        )
        if options.boost:
            self.boost = Boost(self._watch, options.boost, options.boost_rate)

    def counts_any(self) -> bool:
        """Whether there is an SLI, so that spans which are not kept have to be seen as well."""
        return bool(self.counter.slis)

    def exemplars(self) -> Exemplars:
        """What adds the traces behind events to what one reader collects."""
        return Exemplars(self.counter)

    def observe(self, provider: MeterProvider) -> None:
        """Let the readers of ``provider`` see counts and targets."""
        observe(provider, self.counter, self.objectives)

    def parts(self) -> list[Part]:
        """What is to be flushed and shut down."""
        return [Part("slo events", outlet.flush, outlet.shutdown) for outlet in self._outlets]

    def start(self) -> None:
        """Begin to watch."""
        if self._watch is not None:
            self._watch.start()

    def stop(self) -> None:
        """Watch no longer, and count no further declarations."""
        with guard.swallow("objectives.stop"):
            self._unsubscribe()
        if self._watch is not None:
            self._watch.stop()

    def describe(self, *, boosted: bool) -> dict[str, Any]:
        """As plain data; ``boosted``: whether the sampler is ours."""
        kafka = self._options.kafka
        return {
            "files": list(self._options.files),
            "objectives": [f"{each.service}/{each.name}" for each in self.objectives],
            "slis": [sli.name for sli in self.counter.slis],
            "watched": self._watch is not None,
            "not counted here": [] if self._watch is None else list(self._watch.unwatched),
            "boost": self._describe_boost() if boosted else None,
            "kafka": None if kafka is None else {"brokers": kafka.brokers, "topic": kafka.topic},
        }

    def _describe_boost(self) -> dict[str, float] | None:
        return None if self.boost is None else {"share": self._options.boost, "rate": self._options.boost_rate}
