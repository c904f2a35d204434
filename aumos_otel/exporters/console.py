"""The pretty console: one line on stderr when a span ends or a log record is written.

It is for people at a terminal.  Colors follow ``ConsoleOptions.color``; with ``auto`` they
follow the terminal, NO_COLOR and FORCE_COLOR.  A closed or broken stderr silences it for
good and raises nothing.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Final, TextIO, cast

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode, format_trace_id
from rich.console import Console
from rich.text import Text

from aumos_otel import guard
from aumos_otel._internal.lines import Line, LogView, Role, SpanView, log_lines, span_lines
from aumos_otel.semconv import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from aumos_otel.config import ConsoleOptions

_STYLES: Final[dict[Role, str]] = {
    "time": "dim",
    "name": "bold",
    "detail": "",
    "dim": "dim",
    "warn": "yellow",
    "error": "red",
}


class ConsoleSpanExporter(SpanExporter):
    """Prints finished spans.

    Args:
        options: how to color; which signals are printed is the pipeline's matter.
        stream: where to; default is what ``sys.stderr`` is at that moment.
    """

    def __init__(self, options: ConsoleOptions, stream: IO[str] | None = None) -> None:
        self._terminal = _Terminal(options, stream)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Print each span."""
        for span in spans:
            with guard.swallow("exporters.console"):
                self._terminal.show(span_lines(view_of_span(span)))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to shut down: the stream is not ours."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing to flush: each line is written at once."""
        return True


class ConsoleLogExporter(LogRecordExporter):
    """Prints log records; see `ConsoleSpanExporter`."""

    def __init__(self, options: ConsoleOptions, stream: IO[str] | None = None) -> None:
        self._terminal = _Terminal(options, stream)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Print each record."""
        for record in batch:
            with guard.swallow("exporters.console"):
                self._terminal.show(log_lines(view_of_log(record)))
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to shut down: the stream is not ours."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing to flush: each line is written at once."""
        return True


class _Terminal:
    """A stream that gets whole lines, colored or not, and never complains."""

    def __init__(self, options: ConsoleOptions, stream: IO[str] | None) -> None:
        self._console = Console(
            file=stream,
            stderr=stream is None,
            color_system={"always": "standard", "never": None}.get(options.color, "auto"),
            force_terminal={"always": True, "never": False}.get(options.color),
            no_color={"always": False, "never": True}.get(options.color),
            force_jupyter=False,
            soft_wrap=True,
        )

    def show(self, lines: Sequence[Line]) -> None:
        """Write lines that belong together, in one piece."""
        console = self._console
        text = Text("\n").join(
            Text.assemble(*((self._speakable(part), _STYLES[role]) for part, role in line)) for line in lines
        )
        try:
            with console.capture() as captured:
                console.print(text, soft_wrap=True)
            _write(cast("TextIO", console.file), captured.get())
        except OSError:
            console.quiet = True
        except ValueError:
            if not console.file.closed:
                raise
            console.quiet = True

    def _speakable(self, text: str) -> str:
        """What the stream's encoding can say; the rest as escapes."""
        encoding = self._console.encoding
        return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)


def _write(stream: TextIO, text: str) -> None:
    """Write past the stream's own buffer: what a broken pipe leaves there makes the interpreter exit with 120."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, io.UnsupportedOperation):  # no file: a notebook, or captured by a test
        stream.write(text)
        stream.flush()
        return
    stream.flush()
    with open(descriptor, "w", encoding=stream.encoding, closefd=False) as direct:
        direct.write(text)


def view_of_span(span: ReadableSpan) -> SpanView:
    """The plain data of a span that its line needs."""
    exceptions = [event for event in span.events if event.name == events.EXCEPTION]
    context = span.get_span_context()
    return SpanView(
        name=span.name,
        kind=span.kind.name,
        start=span.start_time or 0,
        end=span.end_time or span.start_time or 0,
        trace_id=format_trace_id(context.trace_id) if context is not None else "",
        error=span.status.status_code is StatusCode.ERROR,
        status_message=span.status.description or "",
        attributes=span.attributes or {},
        exception=(exceptions[-1].attributes or {}) if exceptions else {},
    )


def view_of_log(record: ReadableLogRecord) -> LogView:
    """The plain data of a log record that its line needs."""
    entry, scope = record.log_record, record.instrumentation_scope
    number = entry.severity_number
    return LogView(
        timestamp=entry.timestamp or entry.observed_timestamp or 0,
        severity_number=number.value if number is not None else 0,
        severity_text=entry.severity_text or "",
        logger=scope.name if scope is not None else "",
        body=entry.body if entry.body is not None else entry.event_name,
        trace_id=format_trace_id(entry.trace_id) if entry.trace_id else "",
        attributes=entry.attributes or {},
    )
