"""What a test looks for in captured telemetry of LLM calls, and what it does with the clients' streams."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind, StatusCode

import aumos_otel as aumos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from aumos_otel.demo.model_server import ModelServer
    from aumos_otel.testing import Capture


def drain(stream: Any) -> None:
    """Read a stream to its end."""
    for _ in stream:
        pass


async def adrain(stream: Any) -> None:
    """Read an async stream to its end."""
    async for _ in stream:
        pass


def use_block(manager: Any) -> None:
    """Enter it and read what it has."""
    with manager as stream:
        drain(stream)


@contextmanager
def measured(model: ModelServer, capture: Capture) -> Iterator[None]:
    """Run the block inside a span; then the tokens of the spans and the metrics are those that the server told."""
    before = model.reported
    with aumos.span("request"):
        yield
    after = model.reported
    spent = (after.input_tokens - before.input_tokens, after.output_tokens - before.output_tokens)
    assert tokens_on_spans(capture) == spent
    assert tokens_in_metrics(capture) == spent


def tokens_on_spans(capture: Capture) -> tuple[int, int]:
    """Input and output tokens, over all spans."""
    told = [span.attributes for span in capture.spans]
    names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    return tuple(sum(attributes.get(name, 0) for attributes in told) for name in names)


def tokens_in_metrics(capture: Capture) -> tuple[int, int]:
    """Input and output tokens, of the metric."""
    points = capture.metrics.get("gen_ai.client.token.usage", [])
    return tuple(
        sum(point.sum for point in points if point.attributes["gen_ai.token.type"] == kind)
        for kind in ("input", "output")
    )


def parent_of(capture: Capture, span: ReadableSpan) -> str:
    """Name of the span's parent."""
    return next(other.name for other in capture.spans if other.context.span_id == span.parent.span_id)


def chat_span(capture: Capture, name: str, *, reasons: tuple[str, ...] | None) -> ReadableSpan:
    """The one chat span: a client span under the request, with these finish reasons and no error."""
    span = capture.span(name)
    assert span.kind is SpanKind.CLIENT
    assert parent_of(capture, span) == "request"
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes.get("gen_ai.response.finish_reasons") == reasons
    return span
