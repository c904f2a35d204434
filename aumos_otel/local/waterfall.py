"""The waterfall of a trace: spans in tree order, and where each one's bar goes.  Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aumos_otel.local import units
from aumos_otel.semconv.attributes import GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, HTTP_URL, URL_FULL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.local.queries import Span

#: Service colors that the style sheet knows.
COLORS: Final = 8
#: Deeper spans are drawn at this depth: a recursion must not push the names out of sight.
MAX_DEPTH: Final = 24
_TICKS: Final = 5
#: Bars narrower than this (percent) could not be seen.
_MIN_WIDTH: Final = 0.25


@dataclass(frozen=True, slots=True)
class Row:
    """One span in the waterfall; positions are percent of the width.

    Attributes:
        span: the span itself.
        depth: how far it is indented.
        orphan: its parent is named but has not arrived.
        left: where the bar begins.
        width: how long the bar is.
        first_chunk: where the first chunk of a streamed answer came, or None.
        events: where its events are.
        color: number of its service's color, from 0.
        hint: what the name of an HTTP call leaves out: where it went.
    """

    span: Span
    depth: int
    orphan: bool
    left: float
    width: float
    first_chunk: float | None
    events: tuple[float, ...]
    color: int
    hint: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One line of the time axis: where it is (percent) and what it says."""

    left: float
    label: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Rows from top to bottom, the time axis, and the color of each service."""

    rows: list[Row]
    ticks: list[Tick]
    services: dict[str, int]


def lay_out(spans: Sequence[Span]) -> Waterfall:
    """Order ``spans`` as a tree, children by start, and place their bars."""
    if not spans:
        return Waterfall([], [], {})
    begin = min(span.start_ns for span in spans)
    length = max(max(span.start_ns + span.duration_ns for span in spans) - begin, 1)
    services: dict[str, int] = {}
    rows = []
    for span, depth, orphan in _in_tree_order(spans):
        color = services.setdefault(span.service, len(services) % COLORS)
        rows.append(_place(span, depth=depth, orphan=orphan, begin=begin, length=length, color=color))
    return Waterfall(rows, _axis(length), services)


def _axis(length: int) -> list[Tick]:
    """Round times, about `_TICKS` of them; none so near the end that its label would stick out."""
    step = 10 ** math.floor(math.log10(max(length / _TICKS, 1)))
    step *= next(factor for factor in (1, 2, 5, 10) if length / (step * factor) <= _TICKS + 1)
    return [Tick(round(100 * at / length, 3), units.duration(at)) for at in range(0, int(length * 0.94) + 1, int(step))]


def _in_tree_order(spans: Sequence[Span]) -> list[tuple[Span, int, bool]]:
    known = {span.span_id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda item: (item.start_ns, item.seq)):
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    ordered: list[tuple[Span, int, bool]] = []
    seen: set[str] = set()

    def walk(root: Span) -> None:
        waiting = [(root, 0)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            orphan = span.parent_id is not None and span.parent_id not in known
            ordered.append((span, min(depth, MAX_DEPTH), orphan))
            waiting.extend((child, depth + 1) for child in reversed(children.get(span.span_id, ())))

    for root in children.get(None, ()):
        walk(root)
    for span in spans:  # what is left is a ring of parents: broken at its first span, shown all the same
        walk(span)
    return ordered


def _place(span: Span, *, depth: int, orphan: bool, begin: int, length: int, color: int) -> Row:
    left = 100 * (span.start_ns - begin) / length
    width = max(100 * span.duration_ns / length, _MIN_WIDTH)
    left = min(left, 100 - width)
    events = (100 * (event["time_ns"] - begin) / length for event in span.events)
    return Row(
        span=span,
        depth=depth,
        orphan=orphan,
        left=round(left, 3),
        width=round(width, 3),
        first_chunk=_first_chunk(span, left, width),
        events=tuple(round(min(max(event, 0), 100), 3) for event in events),
        color=color,
        hint=_hint(span),
    )


def _hint(span: Span) -> str:
    if span.thing != "http":
        return ""
    url = urlsplit(str(span.attributes.get(URL_FULL) or span.attributes.get(HTTP_URL) or ""))
    return f"{url.netloc.rpartition('@')[2]}{url.path}"


def _first_chunk(span: Span, left: float, width: float) -> float | None:
    seconds = span.attributes.get(GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK)
    if not isinstance(seconds, (int, float)) or not span.duration_ns:
        return None
    return round(left + width * min(max(seconds * 1e9 / span.duration_ns, 0), 1), 3)
