"""Which traces are kept."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)

from aumos_otel import _compat, guard
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel._internal.plain import plain_attributes
from aumos_otel.errors import ConfigError
from aumos_otel.providers.roots import ByRoute, ConsistentRatio, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext, TraceState

    from aumos_otel.config import SamplingOptions
    from aumos_otel.providers.boost import Boost

logger = logging.getLogger("aumos_otel")

_PLAIN: Final[dict[str, Sampler]] = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}
_RATIO: Final = ("traceidratio", "parentbased_traceidratio")
_SHARES: Final = ("ratio", "rate", "routes")


def build(
    options: SamplingOptions, environ: Mapping[str, str], sources: dict[str, str], boost: Boost | None = None
) -> Sampler:
    """The sampler: the argument, else ratio, rate and routes, else OTEL_TRACES_SAMPLER, else parentbased_always_on.

    ``boost`` raises shares, and samplers of others, while an objective burns; None: nothing does.

    Raises:
        ConfigError: a sampler was given beside ratio, rate or routes, or is neither a name nor a `Sampler`.
    """
    if options.sampler is not None:
        beside = [name for name in _SHARES if sources.get(f"sampling.{name}") == "argument"]
        if beside:
            raise ConfigError(
                "sampling",
                seen=f"both sampler and {' and '.join(beside)}",
                expected="one of them",
                remedy="leave one of the two out",
            )
        return _given(options.sampler, environ, options.ratio, boost)
    if options.ratio is not None or options.rate is not None or options.routes:
        return ParentBased(_root(options, boost))
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    sources["sampling.sampler"] = "OTEL_TRACES_SAMPLER" if name else "default"
    if not name:
        return DEFAULT_ON
    try:
        return _named(name, environ, ratio=None, subject="OTEL_TRACES_SAMPLER", boost=boost)
    except ConfigError as error:  # the specification: an unknown sampler is logged and ignored
        logger.warning("%s; parentbased_always_on is used instead", error)
        sources["sampling.sampler"] = f"default ({error})"
        return DEFAULT_ON


def _given(sampler: object, environ: Mapping[str, str], ratio: float | None, boost: Boost | None) -> Sampler:
    if isinstance(sampler, str):
        return _named(sampler, environ, ratio=ratio, subject="sampling.sampler", boost=boost)
    if isinstance(sampler, Sampler):
        return sampler if boost is None else boost.around(sampler)
    raise ConfigError(
        "sampling.sampler",
        seen=sampler,
        expected="a name or an opentelemetry.sdk.trace.sampling.Sampler",
        remedy="pass ratio=0.1 for a share of all traces",
    )


def _share(ratio: float, boost: Boost | None, *, roots_only: bool = True) -> Sampler:
    return ConsistentRatio(ratio) if boost is None else boost.ratio(ratio, roots_only=roots_only)


def _root(options: SamplingOptions, boost: Boost | None) -> Sampler:
    root: Sampler = ALWAYS_ON if options.ratio is None else _share(options.ratio, boost)
    if options.routes:  # a share of 0 leaves a route out on purpose, whatever burns
        shares = {pattern: _share(share, boost if share else None) for pattern, share in options.routes.items()}
        root = ByRoute(shares, root)
    return root if options.rate is None else RateLimit(root, options.rate)


def _named(name: str, environ: Mapping[str, str], *, ratio: float | None, subject: str, boost: Boost | None) -> Sampler:
    name = name.strip().lower()
    if name in _PLAIN:
        return _PLAIN[name]
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if name in _RATIO:
        share = _ratio(argument) if ratio is None else ratio
        parent_based = name.startswith("parentbased_")
        root = _share(share, boost, roots_only=parent_based)
        return ParentBased(root) if parent_based else root
    factory: Any = load_entry_point("opentelemetry_traces_sampler", name, subject)
    sampler = factory(argument or None)
    if isinstance(sampler, Sampler):
        return sampler if boost is None else boost.around(sampler)
    raise ConfigError(subject, seen=name, expected="an entry point that makes a Sampler", remedy="correct or unset it")


def _ratio(argument: str) -> float:
    """The specification: a bad or missing argument is logged and means 1.0."""
    try:
        ratio = float(argument or "1")
    except ValueError:
        ratio = -1.0
    if 0 <= ratio <= 1:
        return ratio
    logger.warning("OTEL_TRACES_SAMPLER_ARG: got %r, expected a number from 0 to 1; 1.0 is used instead", argument)
    return 1.0


class ExhaustiveSampler(Sampler):
    """Has also those spans recorded that the sampler inside drops, while somebody has to see them all.

    The SDK's `AlwaysRecordSampler` would have them without attributes, which samplers leave out of what they drop.

    Args:
        inner: the sampler to ask.
        wanted: whether anybody has to.
    """

    def __init__(self, inner: Sampler, wanted: Callable[[], bool]) -> None:
        self.inner = inner
        self.wanted = wanted

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> SamplingResult:
        """Decide on a new span."""
        result = self.inner.should_sample(parent_context, trace_id, name, kind, attributes, *args, **kwargs)
        if result.decision is Decision.DROP and self.wanted():
            return SamplingResult(Decision.RECORD_ONLY, _both(attributes, result.attributes), result.trace_state)
        return result

    def get_description(self) -> str:
        """What the inner sampler says of itself."""
        return self.inner.get_description()


#: What a sampler says of a span: the decision, its attributes, its trace state.
Verdict = tuple[Decision, Any, "TraceState | None"]


class _Asked:
    """A switch that is asked each time."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask

    @property
    def paused(self) -> bool:
        """Whether telemetry is paused."""
        return self._ask()


class PausableSampler(Sampler):
    """Drops everything while telemetry is paused, else asks the sampler inside.

    Args:
        inner: the sampler to ask.
        paused: whether telemetry is paused.
        on_drop: called for each span that the inner sampler drops, so that it can be counted.
    """

    def __init__(self, inner: Sampler, paused: Callable[[], bool], on_drop: Callable[[], object]) -> None:
        self.inner = inner
        #: Has an attribute ``paused``, as `aumos_otel.pipeline.Switch`, which is quicker than a call.
        self.switch: Any = paused if hasattr(paused, "paused") else _Asked(paused)
        self._on_drop = on_drop
        recorded = inner if isinstance(inner, ExhaustiveSampler) else None
        self._wanted = None if recorded is None else recorded.wanted
        #: Asked about roots, where children follow their parent; None where a sampler wants to be asked about all.
        self.root = _compat.root_sampler(inner if recorded is None else recorded.inner)

    def decide(  # noqa: PLR0917 - on the hot path: names would cost
        self,
        context: Context,
        parent: SpanContext | None,
        trace_id: int,
        name: str,
        kind: Any,
        attributes: Any,
        links: Any,
    ) -> Verdict:
        """The same as `should_sample`, without objects where the parent decides.

        Args:
            context: in which the span starts.
            parent: of the span.
            trace_id: of the span.
            name: of the span.
            kind: of the span.
            attributes: of the span.
            links: of the span.
        """
        if self.switch.paused:
            return Decision.DROP, None, None
        root = self.root
        if root is None:
            verdict = _ask(self.inner, context, trace_id, name, kind, attributes, links)
        elif parent is not None:
            if parent[3] & 1:
                return Decision.RECORD_AND_SAMPLE, attributes, parent[4]
            verdict = Decision.DROP, attributes, parent[4]
        elif root is ALWAYS_ON:
            return Decision.RECORD_AND_SAMPLE, attributes, None
        else:
            verdict = _ask(root, context, trace_id, name, kind, attributes, links)
        if verdict[0] is Decision.DROP:
            if root is not None and self._wanted is not None and self._wanted():
                return Decision.RECORD_ONLY, _both(attributes, verdict[1]), verdict[2]
            self._dropped()
        return verdict

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        """Decide on a new span."""
        if self.switch.paused:
            return SamplingResult(Decision.DROP)
        result = self.inner.should_sample(parent_context, trace_id, name, *args, **kwargs)
        if result.decision is Decision.DROP:
            self._dropped()
        return result

    def _dropped(self) -> None:
        with guard.swallow("providers.sampler.on_drop"):
            self._on_drop()

    def get_description(self) -> str:
        """What the inner sampler says of itself."""
        return self.inner.get_description()


def _both(given: Any, added: Any) -> dict[str, Any]:
    """What a span was started with, and what a sampler adds: of what it drops, samplers leave out the former."""
    return {**(given or {}), **(added or {})}


def _ask(  # noqa: PLR0917 - on the hot path: names would cost
    sampler: Sampler, context: Context | None, trace_id: int, name: str, kind: Any, attributes: Any, links: Any
) -> Verdict:
    """What any sampler says of a new span."""
    result = sampler.should_sample(context, trace_id, name, kind, plain_attributes(attributes), links)
    kept: Any = result.attributes
    return result.decision, kept.copy() if type(kept) is MappingProxyType else kept, result.trace_state
