"""Which traces are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from aumos_otel._internal.values import anything, boolean, integer, mapping_to, names, number
from aumos_otel.config.declaration import Options, one_of, option

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler


@dataclass(frozen=True, kw_only=True)
class TailSampling(Options):
    """Which traces of this process are kept, decided when their first span here has ended.

    A trace is kept when one of its spans meets one of the conditions; of the others a share is.

    >>> from aumos_otel import TailSampling
    >>> TailSampling(ratio=0.05, first_chunk_above=2.0, tenants=["acme"]).tenants
    ('acme',)
    """

    prefix: ClassVar[str] = "tail"

    ratio: float = option(0.1, parse=number(0, 1), doc="Share kept of the traces that meet no condition.")
    errors: bool = option(True, parse=boolean, doc="Keep traces with a span of status error.")
    first_chunk_above: float | None = option(
        None, parse=number(0, 86_400, " seconds"), doc="Keep traces with an LLM call whose first chunk took longer."
    )
    cost_above: float | None = option(
        None, parse=number(0, 1_000_000, " US dollars"), doc="Keep traces with an LLM call that cost more."
    )
    duration_above: float | None = option(
        None, parse=number(0, 86_400, " seconds"), doc="Keep traces with a span that took longer."
    )
    tenants: Sequence[str] = option((), parse=names, doc="Keep traces of these tenants.")
    routes: Sequence[str] = option((), parse=names, doc="Keep traces with a span of such a route, path or name.")
    max_wait: float = option(
        60.0, parse=number(0.01, 3600, " seconds"), doc="Longest wait for the end of a trace; then it is decided."
    )
    max_traces: int = option(20_000, parse=integer(1, 10_000_000), doc="Traces that may be undecided.")
    max_spans: int = option(100_000, parse=integer(1, 10_000_000), doc="Spans that may wait.")
    max_bytes: int = option(
        64 * 1024 * 1024, parse=integer(1, 1 << 40), doc="Bytes that waiting spans may take, as estimated."
    )


def _tail(value: Any) -> Any:
    return TailSampling(**value) if isinstance(value, Mapping) else one_of(TailSampling)(value)  # a mapping of a file


@dataclass(frozen=True, kw_only=True)
class SamplingOptions(Options):
    """Which traces are kept; decided on roots, children follow their parent.

    ``routes`` decides first, ``ratio`` for what no route names, ``rate`` caps what these let pass,
    ``tail`` decides once more when a trace has ended.

    >>> from aumos_otel import SamplingOptions
    >>> SamplingOptions(ratio=0.1).ratio
    0.1
    """

    prefix: ClassVar[str] = "sampling"

    ratio: float | None = option(
        None, "AUMOS_OTEL_SAMPLING_RATIO", parse=number(0, 1), doc="Share of root traces kept, 0 to 1."
    )
    sampler: str | Sampler | None = option(
        None,
        parse=anything,
        doc="A sampler of the SDK, or a name as in OTEL_TRACES_SAMPLER; excludes `ratio`, `rate` and `routes`.",
    )
    rate: float | None = option(
        None,
        "AUMOS_OTEL_SAMPLING_RATE",
        parse=number(0, 1_000_000, " per second"),
        doc="Most root traces kept per second.",
    )
    routes: Mapping[str, float] = option(
        {},
        parse=mapping_to(number(0, 1)),
        doc="Share kept by route, path or span name; the first pattern that matches decides, e.g. `/users/{id}`.",
    )
    tail: TailSampling | None = option(
        None, parse=_tail, doc="`TailSampling(…)`: decide when the trace has ended; None: do not wait."
    )
