"""Who counts a call that is seen twice.

An LLM call may be seen by a decorator, by a decorator inside it, by the client's own telemetry
and by an instrumentor.  The innermost one that knows the usage counts it.  Calls of ours find
each other through the context; spans of others are reported by a span processor through
`watch` and `settle`.  What is left, one response handed to two calls in a row, is told by its id.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Protocol, cast

from opentelemetry import context as otel_context
from opentelemetry import trace

from aumos_otel._internal.per_provider import PerProvider
from aumos_otel.llm.shapes.reading import Reading, Usage
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

#: The calls of one family report the same tokens; other operations report none.
INFERENCE: Final = "inference"
_FAMILIES: Final = {
    operations.CHAT: INFERENCE,
    operations.TEXT_COMPLETION: INFERENCE,
    attr.GEN_AI_OPERATION_NAME_GENERATE_CONTENT: INFERENCE,
    operations.EMBEDDINGS: operations.EMBEDDINGS,
}

#: Scopes (by prefix) that record token metrics of their own; others only make spans, such as
#: Anthropic's client.
_RECORDS_TOKENS: Final = ("opentelemetry.", "openlit")

#: Responses remembered by id.
CLAIM_LIMIT: Final = 4096
#: Spans of others remembered before those whose call has ended are forgotten.
WATCH_LIMIT: Final = 4096

#: Under which a context holds its innermost call.
CALL_KEY: Final = otel_context.create_key("aumos-llm-call")


class Enclosing(Protocol):
    """What a call of ours does for a call inside it."""

    @property
    def is_open(self) -> bool:
        """Whether it still runs."""

    @property
    def family(self) -> str | None:
        """Whose tokens it counts, if any."""

    def child_used(self, reading: Reading, *, has_cost: bool, has_metrics: bool) -> None:
        """A span of somebody else inside it reported usage."""

    def child_ended(self, *, counted: bool, missing: int) -> None:
        """A call of ours inside it has ended, and knew its usage or missed it."""


def family_of(operation: str) -> str | None:
    """The family of an operation; None if it reports no tokens."""
    return _FAMILIES.get(operation)


def enclose(call: Enclosing, context: Context) -> Context:
    """``context`` with ``call`` as the innermost one."""
    return otel_context.set_value(CALL_KEY, call, context)


def innermost(context: Context | None = None) -> Enclosing | None:
    """The innermost call of ours that still runs."""
    found = cast("Enclosing | None", otel_context.get_value(CALL_KEY, context))
    return found if found is not None and found.is_open else None


class _Watched:
    """Somebody else's span that is open inside a call of ours."""

    __slots__ = ("call", "counted", "parent")

    def __init__(self, call: Enclosing, parent: _Watched | None) -> None:
        self.call = call
        self.parent = parent
        self.counted = False  # by a span inside it


#: Those that are open, by their span's id.
watched: dict[int, _Watched] = {}


def watch(span_id: int, parent_context: Context | None) -> None:
    """A span that is not of this package has started."""
    call = innermost(parent_context)
    if call is None or call.family is None:
        return
    if len(watched) >= WATCH_LIMIT:  # spans that never ended
        for stale in [known for known, entry in list(watched.items()) if not entry.call.is_open]:
            watched.pop(stale, None)
    parent = trace.get_current_span(parent_context).get_span_context().span_id
    watched[span_id] = _Watched(call, watched.get(parent))


def settle(span_id: int, scope: str, attributes: Mapping[str, object]) -> None:
    """A span that was watched has ended; if it reports usage, its call is counted.

    Args:
        span_id: as given to `watch`.
        scope: name of its instrumentation scope.
        attributes: of the ended span.
    """
    entry = watched.pop(span_id, None)
    if entry is None or entry.counted or not entry.call.is_open:
        return
    reading = _reading(attributes)
    operation = attributes.get(attr.GEN_AI_OPERATION_NAME, operations.CHAT)
    if reading is None or family_of(str(operation)) != entry.call.family:
        return
    entry.call.child_used(
        reading,
        has_cost=attr.GEN_AI_USAGE_COST in attributes,
        has_metrics=scope.startswith(_RECORDS_TOKENS),
    )
    above = entry.parent
    while above is not None:
        above.counted = True
        above = above.parent


def _reading(attributes: Mapping[str, object]) -> Reading | None:
    def count(*names: str) -> int | None:
        values = (attributes.get(name) for name in names)
        return next((value for value in values if isinstance(value, int)), None)

    def label(*names: str) -> str | None:
        values = (attributes.get(name) for name in names)
        return next((value for value in values if isinstance(value, str)), None)

    usage = Usage(
        input_tokens=count(attr.GEN_AI_USAGE_INPUT_TOKENS),
        output_tokens=count(attr.GEN_AI_USAGE_OUTPUT_TOKENS),
        cache_read_tokens=count(attr.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
        cache_write_tokens=count(
            attr.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS, attr.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS
        ),
        reasoning_tokens=count(attr.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS),
    )
    if usage == Usage():
        return None
    return Reading(
        provider=label(attr.GEN_AI_PROVIDER_NAME),
        response_id=label(attr.GEN_AI_RESPONSE_ID),
        model=label(attr.GEN_AI_RESPONSE_MODEL, attr.GEN_AI_REQUEST_MODEL),
        usage=usage,
    )


_claims: PerProvider[dict[tuple[object, ...], object]] = PerProvider(trace.get_tracer_provider, dict)


def claim(trace_id: int, reading: Reading) -> bool:
    """Whether ``reading`` is counted here for the first time.

    Two readings are the same response when id, trace and token counts agree; some servers
    give every response the same id.
    """
    usage = reading.usage
    if reading.response_id is None or usage is None:
        return True
    claims, mine = _claims.get(), object()
    first = claims.setdefault((trace_id, reading.response_id, usage.input_tokens, usage.output_tokens), mine) is mine
    if len(claims) > CLAIM_LIMIT:
        with contextlib.suppress(KeyError, RuntimeError):  # another thread has just made room
            del claims[next(iter(claims))]
    return first
