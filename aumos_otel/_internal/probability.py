"""Consistent probability sampling as OpenTelemetry writes it into ``tracestate: ot=th:…;rv:…``.

A trace has a random value of 56 bits; a sampler keeps it when that value is not below its
threshold.  The threshold travels along, so that whoever counts spans knows how many each one
stands for.  See opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling.
"""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.trace import TraceState

#: One more than the largest random value: the threshold that nothing reaches.
NEVER: Final = 1 << 56

_VENDOR: Final = "ot"
_DIGITS: Final = 14
_HEX: Final = re.compile(r"[0-9a-f]{1,14}")


def threshold(probability: float) -> int:
    """The threshold that keeps this share of all traces."""
    return NEVER - round(probability * NEVER)


def probability(threshold: int) -> float:
    """The share of all traces that a threshold keeps."""
    return (NEVER - threshold) / NEVER


def randomness(trace_id: int, state: TraceState | None) -> int:
    """The random value of a trace: the one that is written down, else the end of its id."""
    value = _members(state).get("rv", "")
    return int(value, 16) if len(value) == _DIGITS and _HEX.fullmatch(value) else trace_id & (NEVER - 1)


def scattered(trace_id: int) -> int:
    """A random value that has nothing to do with `randomness`, for ids that a sampler of another kind selected."""
    return ((trace_id * 0x9E3779B97F4A7C15) >> 8) & (NEVER - 1)


def threshold_of(state: TraceState | None) -> int | None:
    """The threshold by which a trace was kept before; None when nobody tells."""
    value = _members(state).get("th", "")
    return int(value.ljust(_DIGITS, "0"), 16) if _HEX.fullmatch(value) else None


def with_threshold(state: TraceState | None, threshold: int | None) -> TraceState | None:
    """``state`` with this threshold, or with none."""
    members = _members(state)
    if threshold is None:
        if "th" not in members or state is None:
            return state
        del members["th"]
    else:
        members["th"] = f"{threshold:014x}".rstrip("0") or "0"
    value = ";".join(f"{key}:{word}" for key, word in members.items())
    others = [] if state is None else [(key, word) for key, word in state.items() if key != _VENDOR]
    return TraceState([(_VENDOR, value), *others] if value else others)


def _members(state: TraceState | None) -> dict[str, str]:
    text = state.get(_VENDOR) if state else None
    if not text:
        return {}
    return {key: word for key, colon, word in (part.partition(":") for part in text.split(";")) if colon}
