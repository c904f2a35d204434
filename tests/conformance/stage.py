"""Plays one scenario on the SDK's tracer provider or on ours, with the same ids and clock, and writes down what is seen."""

from __future__ import annotations

import contextvars
import json
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conformance import sides
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, SpanProcessor, id_generator
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Status

from aumos_otel import guard

STOCK, OURS = "stock", "ours"

#: Frames of the machinery in a stack trace: the SDK's has some between the caller and the block, ours has none or others.
_MACHINERY = re.compile(
    r'^ *(?:\| )? *File "[^"]*(?:/opentelemetry/|/aumos_otel/|/contextlib\.py)[^\n]*\n(?:^ *(?:\| )?    [^\n]*\n)*',
    re.MULTILINE,
)
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]{8,}")


class Wire(InMemorySpanExporter):
    """Takes spans as an exporter of another package does, and keeps what they would be on the wire and on a console."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep what the SDK's encoder, and the span itself, make of each of them."""
        for span in spans:
            self.seen += [told(lambda: encode_spans([span])), told(span.to_json)]  # noqa: B023 - called at once
        return super().export(spans)


class Stage:
    """A provider with its tracer, a clock that stands still until `tick`, and the notes on what was seen.

    Attributes:
        side: whose provider it is.
        provider: the tracer provider.
        tracer: one of its tracers.
        exported: the ended spans, in their order.
    """

    def __init__(self, side: str, **options: Any) -> None:
        self.side = side
        self.now = 1_700_000_000_000_000_000
        self.notes: list[str] = []
        processors: Sequence[SpanProcessor] = options.pop("processors", ())
        self._wire = Wire()
        provider = (sides.stock if side == STOCK else sides.ours)("traces")
        self.provider = provider(resource=Resource({"service.name": "stage"}), shutdown_on_exit=False, **options)
        for processor in (*processors, SimpleSpanProcessor(self._wire)):
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("stage", "1", "https://example.com/schema", {"of": "scope"})

    @property
    def exported(self) -> tuple[ReadableSpan, ...]:
        """The ended spans, in their order."""
        return self._wire.get_finished_spans()

    def tick(self, nanoseconds: int = 1_000) -> int:
        """Let time pass; returns the new time."""
        self.now += nanoseconds
        return self.now

    def note(self, *things: Any) -> None:
        """Write down what is seen."""
        self.notes.append(shown(things if len(things) > 1 else things[0]))

    def attempt(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The result of a call; what it raises is written down."""
        try:
            return call(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - any may be the point
            self.note(f"raised {type(error).__name__}: {error}")
        return None

    def transcript(self) -> list[str]:
        """All that was seen, and all that was exported."""
        return [clean(line) for line in (*self.notes, *self._wire.seen)]


def shown(thing: Any) -> str:
    """A text that is the same for the same things, whichever classes hold them."""
    if isinstance(thing, str | int | float | bytes | None):
        return repr(thing)
    if isinstance(thing, Sequence):
        return f"({', '.join(map(shown, thing))})"
    if hasattr(thing, "items"):
        return f"{{{', '.join(f'{shown(key)}: {shown(value)}' for key, value in thing.items())}}}"
    if isinstance(thing, Event):
        thing = ("event", thing.name, thing.timestamp, thing.attributes, thing.dropped_attributes)
    elif isinstance(thing, Link):
        thing = ("link", str(thing.context), thing.attributes, thing.dropped_attributes)
    elif isinstance(thing, Status):
        thing = ("status", thing.status_code.name, thing.description)
    return shown(thing) if isinstance(thing, tuple) else repr(thing)


def told(call: Callable[[], object]) -> str:
    """The text of what a call gives, or of what it raises."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - the SDK's encoder raises for some values
        return f"{type(error).__name__}: {error}"
    return json.dumps(json.loads(result), sort_keys=True) if isinstance(result, str) else str(result)


def clean(text: str) -> str:
    """Without what differs from run to run: addresses, and the machinery's frames in a stack trace."""
    unfolded = text.replace("\\n", "\n").replace('\\"', '"') if "Traceback" in text else text
    return _ADDRESS.sub("0x", _MACHINERY.sub("", unfolded))


def play(side: str, scenario: Callable[[Stage], object], *, strict: bool = False, **options: Any) -> list[str]:
    """What is seen when ``scenario`` is played on a side.

    Args:
        side: `STOCK` or `OURS`.
        scenario: is given the stage.
        strict: foreign processors are called at once, on the caller's thread, on our side as well.
        options: of the provider; ``processors``: more of them, made by a function of the stage's side.
    """
    with pytest.MonkeyPatch.context() as patch:
        given = {name: value() if name in {"processors", "sampler"} else value for name, value in options.items()}
        stage = Stage(side, **given)
        draw_alike(patch)
        stand_still(patch, lambda: stage.now)
        before = guard.set_strict(strict)
        try:
            contextvars.copy_context().run(scenario, stage)
        finally:
            guard.set_strict(before)
            stage.provider.shutdown()
    return stage.transcript()


def draw_alike(patch: pytest.MonkeyPatch) -> None:
    """Have the SDK's id generator, and every module of ours that does its work itself, draw the same ids anew."""
    source = random.Random(7)
    patch.setattr(id_generator, "random", source)
    for name, module in list(sys.modules.items()):
        if name.startswith("aumos_otel.") and "getrandbits" in vars(module):
            patch.setattr(module, "getrandbits", source.getrandbits)


def stand_still(patch: pytest.MonkeyPatch, clock: Callable[[], int]) -> None:
    """Have every module of the SDK's and of ours that tells time for telemetry read this clock."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("opentelemetry.sdk.", "aumos_otel.")) and vars(module).get("time_ns") is time.time_ns:
            patch.setattr(module, "time_ns", clock)


def compare(scenario: Callable[[Stage], object], **options: Any) -> tuple[list[str], list[str]]:
    """What is seen on the SDK's side, and on ours."""
    return play(STOCK, scenario, **options), play(OURS, scenario, **options)


#: Limits under which values are played: the defaults, few of everything, short texts, none of anything, no limits.
LIMITS = {
    "default": SpanLimits(),
    "few": SpanLimits(max_attributes=3, max_events=2, max_links=2, max_event_attributes=1, max_link_attributes=1),
    "short": SpanLimits(max_attribute_length=4, max_span_attribute_length=6),
    "none": SpanLimits(max_attributes=0, max_events=0, max_links=0),
    "endless": SpanLimits(*[SpanLimits.UNSET] * 8),
}
