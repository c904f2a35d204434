"""Which traces are kept."""

from __future__ import annotations

import logging
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
    TraceIdRatioBased,
)

from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aumos_otel.config import SamplingOptions

logger = logging.getLogger("aumos_otel")

_PLAIN: Final[dict[str, Sampler]] = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}
_RATIO: Final = ("traceidratio", "parentbased_traceidratio")


def build(options: SamplingOptions, environ: Mapping[str, str], sources: dict[str, str]) -> Sampler:
    """The sampler: the argument, else a ratio, else OTEL_TRACES_SAMPLER, else parentbased_always_on.

    Raises:
        ConfigError: both a sampler and a ratio were given, or the sampler is neither a name nor a `Sampler`.
    """
    if options.sampler is not None and options.ratio is not None and sources["sampling.ratio"] == "argument":
        raise ConfigError(
            "sampling", seen="both sampler and ratio", expected="one of them", remedy="leave one of the two out"
        )
    if isinstance(options.sampler, str):
        return _named(options.sampler, environ, ratio=options.ratio, subject="sampling.sampler")
    if options.sampler is not None:
        if not isinstance(options.sampler, Sampler):
            raise ConfigError(
                "sampling.sampler",
                seen=options.sampler,
                expected="a name or an opentelemetry.sdk.trace.sampling.Sampler",
                remedy="pass ratio=0.1 for a share of all traces",
            )
        return options.sampler
    if options.ratio is not None:
        return ParentBased(TraceIdRatioBased(options.ratio))
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    sources["sampling.sampler"] = "OTEL_TRACES_SAMPLER" if name else "default"
    if not name:
        return DEFAULT_ON
    try:
        return _named(name, environ, ratio=None, subject="OTEL_TRACES_SAMPLER")
    except ConfigError as error:  # the specification: an unknown sampler is logged and ignored
        logger.warning("%s; parentbased_always_on is used instead", error)
        sources["sampling.sampler"] = f"default ({error})"
        return DEFAULT_ON


def _named(name: str, environ: Mapping[str, str], *, ratio: float | None, subject: str) -> Sampler:
    name = name.strip().lower()
    if name in _PLAIN:
        return _PLAIN[name]
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if name in _RATIO:
        root = TraceIdRatioBased(_ratio(argument) if ratio is None else ratio)
        return ParentBased(root) if name.startswith("parentbased_") else root
    factory: Any = load_entry_point("opentelemetry_traces_sampler", name, subject)
    sampler = factory(argument or None)
    if isinstance(sampler, Sampler):
        return sampler
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


class PausableSampler(Sampler):
    """Drops everything while telemetry is paused, else asks the sampler inside."""

    def __init__(self, inner: Sampler, paused: Callable[[], bool]) -> None:
        self.inner = inner
        self._paused = paused

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        """Decide on a new span."""
        if self._paused():
            return SamplingResult(Decision.DROP)
        return self.inner.should_sample(parent_context, trace_id, name, *args, **kwargs)

    def get_description(self) -> str:
        """What the inner sampler says of itself."""
        return self.inner.get_description()
