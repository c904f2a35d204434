"""One finished span or log record as one line for people: pure functions over plain data.

A line is a sequence of `Segment`: text plus the role it plays, so that a terminal may color
it and a file gets plain text.  Everything that came from telemetry is escaped: no control
character, no newline and no text-direction mark reaches the terminal (log forging).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from aumos_otel.semconv import attributes

Role = Literal["time", "name", "detail", "dim", "warn", "error"]

#: Between the parts of a line, and before the lines that belong to the one above.
GAP: Final = "  "
INDENT: Final = "    "
#: Longest name, message and line of captured content, in characters.
NAME_LIMIT: Final = 200
MESSAGE_LIMIT: Final = 2000
CONTENT_LIMIT: Final = 120
#: Most lines of a stack trace; the last ones say where it happened.
STACK_LIMIT: Final = 30

# Not printable by Python's measure, yet harmless: emoji joiner, no-break and ideographic space.
_HARMLESS: Final = frozenset("\u200d\u00a0\u3000")
_FRAME: Final = re.compile(r'^\s*File "(?P<file>[^"\n]*)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE)
# Severity numbers come in fours; the words are those of Python's logging.
_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PYTHON_WORDS: Final = {"WARN": "WARNING", "FATAL": "CRITICAL"}


class Segment(NamedTuple):
    """A piece of a line and its role."""

    text: str
    role: Role


Line = Sequence[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """What a line needs to know of a finished span.

    Times are nanoseconds since the epoch; ``trace_id`` is hexadecimal; ``kind`` is SERVER,
    CLIENT, …; ``exception`` holds the attributes of its last exception event.
    """

    name: str
    kind: str
    start: int
    end: int
    trace_id: str
    error: bool = False
    status_message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    exception: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """What a line needs to know of a log record; see `SpanView`."""

    timestamp: int
    severity_number: int
    severity_text: str
    logger: str
    body: Any
    trace_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(segment.text for segment in line)


def span_line(span: SpanView) -> Line:
    """The one line of a span.

    >>> from aumos_otel._internal.lines import SpanView, plain, span_line
    >>> span = SpanView(name="GET /chat", kind="SERVER", start=0, end=12_000_000, trace_id="4bf92f35" * 4)
    >>> plain(span_line(span)).split(maxsplit=1)[1]
    'GET /chat  SERVER  12ms  4bf92f35'
    """
    given = span.attributes
    middle = _llm_parts(span) if attributes.GEN_AI_OPERATION_NAME in given else _plain_parts(span)
    parts: list[tuple[object, Role]] = [(clock(span.end), "time"), (escape(span.name, NAME_LIMIT), "name"), *middle]
    if span.error:
        parts.append((escape(given.get(attributes.ERROR_TYPE) or "error", NAME_LIMIT), "error"))
    tenant = given.get(attributes.AUMOS_TENANT_ID)
    parts += [(f"tenant={escape(tenant)}" if tenant else "", "detail"), (escape(span.trace_id[:8]), "dim")]
    return _joined(parts, "error" if span.error else None)


def span_lines(span: SpanView) -> list[Line]:
    """The line of a span, then what went wrong, then up to two lines of captured content."""
    lines = [span_line(span)]
    if span.error:
        lines += _below(_reason(span), "error")
    contents = (("> ", attributes.GEN_AI_INPUT_MESSAGES), ("< ", attributes.GEN_AI_OUTPUT_MESSAGES))
    for mark, name in contents:
        if span.attributes.get(name):
            said = escape(_last_text(span.attributes[name]), CONTENT_LIMIT)
            lines.append((Segment(INDENT + mark + said, "dim"),))
    return lines


def log_line(record: LogView) -> Line:
    """The one line of a log record."""
    level = _level(record)
    role: Role = "error" if record.severity_number >= 17 else "warn" if record.severity_number >= 13 else "detail"  # noqa: PLR2004 - ERROR and WARN start there
    tenant = record.attributes.get(attributes.AUMOS_TENANT_ID)
    parts: list[tuple[object, Role]] = [
        (clock(record.timestamp), "time"),
        (escape(level, NAME_LIMIT), role),
        (escape(record.logger, NAME_LIMIT), "dim"),
        (escape(_text(record.body), MESSAGE_LIMIT), "name"),
        (f"tenant={escape(tenant)}" if tenant else "", "detail"),
        (escape(record.trace_id[:8]), "dim"),
    ]
    return _joined(parts, None)


def log_lines(record: LogView) -> list[Line]:
    """The line of a log record, then its exception."""
    given = record.attributes
    trace = given.get(attributes.EXCEPTION_STACKTRACE)
    if trace:
        return [log_line(record), *_below(str(trace), "error")]
    reason = _exception(given)
    return [log_line(record), *(_below(reason, "error") if reason else [])]


def clock(nanoseconds: int) -> str:
    """Local wall-clock time, to the millisecond."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // 10**9, tz=UTC).astimezone()
    except (OverflowError, OSError, ValueError):  # what the platform's calendar does not reach
        return "--:--:--.---"
    return f"{moment:%H:%M:%S}.{nanoseconds // 10**6 % 1000:03d}"


def duration(seconds: float) -> str:
    """Seconds at three digits' precision: 420us, 12ms, 1.84s, 12.3s, 2m05s."""
    seconds = max(0.0, seconds)  # clocks may step back
    if seconds < 0.0009995:  # noqa: PLR2004 - below this it would round to 1000us
        return f"{seconds * 1e6:.0f}us"
    if seconds < 0.9995:  # noqa: PLR2004 - same with 1000ms
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 9.995:  # noqa: PLR2004 - same with 10.00s
        return f"{seconds:.2f}s"
    if seconds < 59.95:  # noqa: PLR2004 - same with 60.0s
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s"


def money(dollars: float) -> str:
    """Dollars; small amounts keep five digits after the point."""
    if 0 < dollars < 0.00001:  # noqa: PLR2004 - the least that five digits can show
        return "<$0.00001"
    return f"${dollars:.{5 if dollars < 0.01 else 4 if dollars < 1 else 2}f}"  # noqa: PLR2004 - a cent, a dollar


def escape(value: object, limit: int = NAME_LIMIT) -> str:
    r"""Text of ``value`` that a terminal shows and never obeys; cut at ``limit`` characters.

    >>> from aumos_otel._internal.lines import escape
    >>> escape("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in _HARMLESS else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _plain_parts(span: SpanView) -> list[tuple[object, Role]]:
    status = span.attributes.get(attributes.HTTP_RESPONSE_STATUS_CODE)
    return [
        (escape(span.kind), "dim"),
        ("" if status is None else escape(status), "detail"),
        (duration((span.end - span.start) / 1e9), "detail"),
    ]


def _llm_parts(span: SpanView) -> list[tuple[object, Role]]:
    given = span.attributes
    first = _number(given.get(attributes.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK))
    cost = _number(given.get(attributes.GEN_AI_USAGE_COST))
    reasons = given.get(attributes.GEN_AI_RESPONSE_FINISH_REASONS) or ()
    reasons = [reasons] if isinstance(reasons, str) else reasons
    return [
        (escape(given.get(attributes.GEN_AI_PROVIDER_NAME, "")), "dim"),
        (duration((span.end - span.start) / 1e9), "detail"),
        ("" if first is None else f"first {duration(first)}", "detail"),
        (_tokens(given), "detail"),
        ("" if cost is None else money(cost), "detail"),
        (escape(",".join(map(str, reasons))), "detail"),
    ]


def _tokens(given: Mapping[str, Any]) -> str:
    sent = given.get(attributes.GEN_AI_USAGE_INPUT_TOKENS)
    cached = given.get(attributes.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS)
    received = given.get(attributes.GEN_AI_USAGE_OUTPUT_TOKENS)
    words = [
        "" if sent is None else f"in {escape(sent)}",
        f"(cached {escape(cached)})" if cached else "",
        "" if received is None else f"out {escape(received)}",
    ]
    return " ".join(filter(None, words))


def _reason(span: SpanView) -> str:
    reason = _exception(span.exception) or span.status_message
    frames = list(_FRAME.finditer(str(span.exception.get(attributes.EXCEPTION_STACKTRACE, ""))))
    if not frames:
        return reason
    last = frames[-1]
    return f"{reason}  ({last['file']}:{last['line']} in {last['function']})"


def _exception(given: Mapping[str, Any]) -> str:
    kind, message = given.get(attributes.EXCEPTION_TYPE, ""), given.get(attributes.EXCEPTION_MESSAGE, "")
    return ": ".join(str(part) for part in (kind, message) if part)


def _below(text: str, role: Role) -> list[Line]:
    return [(Segment(INDENT + escape(row, MESSAGE_LIMIT), role),) for row in text.splitlines()[-STACK_LIMIT:] if row]


def _level(record: LogView) -> str:
    text = record.severity_text
    if text:
        return _PYTHON_WORDS.get(text, text)
    known = 1 <= record.severity_number <= 4 * len(_LEVELS)
    return _LEVELS[(record.severity_number - 1) // 4] if known else "LOG"


def _last_text(captured: Any) -> str:
    """The last text in captured messages; what cannot be read as messages is shown as it is."""
    messages = captured
    if isinstance(captured, str):
        try:
            messages = json.loads(captured)
        except ValueError:
            return captured
    found = [part for part in _texts(messages) if part.strip()]
    return found[-1] if found else _text(captured)


def _texts(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        content = node.get("content", node.get("parts"))
        return [content] if isinstance(content, str) else _texts(content)
    if isinstance(node, Sequence) and not isinstance(node, (str, bytes)):
        return [text for item in node for text in _texts(item)]
    return []


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (Mapping, list, tuple)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError):  # keys that JSON does not know, or a cycle
            return str(value)
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None


def _joined(parts: Sequence[tuple[object, Role]], override: Role | None) -> Line:
    line: list[Segment] = []
    for text, role in parts:
        if text:
            if line:
                line.append(Segment(GAP, "detail"))
            line.append(Segment(str(text), override or role))
    return tuple(line)
