from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
import textwrap
import threading

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from aumos_otel import ConsoleOptions, guard
from aumos_otel.exporters.console import ConsoleLogExporter, ConsoleSpanExporter
from aumos_otel.semconv import attributes

#: 2026-11-22T20:59:01.123Z, in nanoseconds.
NOW = 1795381141_123_000_000


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    """A terminal of known abilities, in a known time zone."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def tracer(stream, **options):
    """A tracer whose spans are printed to ``stream``."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        SimpleSpanProcessor(ConsoleSpanExporter(ConsoleOptions(**{"color": "auto"} | options), stream))
    )
    return provider.get_tracer("app")


def log_to(stream):
    """A logger whose records are printed to ``stream``."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(ConsoleLogExporter(ConsoleOptions(color="auto"), stream))
    )
    logger = logging.Logger("app.chat")  # noqa: LOG001 - not in the tree of loggers, so that tests share nothing
    logger.addHandler(LoggingHandler(logger_provider=provider))
    return logger


def start_failing(stream):
    """A span whose error type is known."""
    return tracer(stream).start_as_current_span("load", attributes={attributes.ERROR_TYPE: "ValueError"})


def fail(error):
    """Raise an error."""
    raise error


def test_failed_span_is_red_and_says_why():
    """The error type is on the line; below it the exception's message and its last frame."""
    stream = Terminal()
    with pytest.raises(ValueError, match="no such"), start_failing(stream):
        fail(ValueError("no such\nthing\x1b[0m"))

    first, *reason = stream.getvalue().splitlines()

    assert "\x1b[31mValueError" in first
    assert "    ValueError: no such" in reason[0]
    assert re.search(r"    thing\\x1b\[0m  \(\S*test_console\.py:\d+ in fail\)", reason[1])
    assert all("\x1b[31m" in line for line in reason)


def test_exception_of_a_log_record_is_below():
    """The stack trace follows, indented and escaped."""
    stream = io.StringIO()
    try:
        fail(KeyError("k\x1b[0m"))
    except KeyError:
        log_to(stream).exception("failed")

    first, *rest = stream.getvalue().splitlines()

    assert first.endswith("ERROR  app.chat  failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == "    KeyError: 'k\\x1b[0m'"


def test_forged_lines_stay_in_their_line():
    """Newlines, escape sequences and direction marks of the data are spelled out."""
    stream = Terminal()
    log_to(stream).warning("ok\n20:59:01.200  INFO  forged\x1b[2K\r\u202eevil\x9b31m")

    assert stream.getvalue().count("\n") == 1
    assert r"ok\n20:59:01.200  INFO  forged\x1b[2K\r\u202eevil\x9b31m" in stream.getvalue()


@pytest.mark.parametrize("width", ["20", "400"])
def test_line_is_never_wrapped(width, monkeypatch):
    """The width of the terminal has no say: who wants whole lines in a file gets them."""
    monkeypatch.setenv("COLUMNS", width)
    for stream in (io.StringIO(), Terminal()):
        with tracer(stream).start_as_current_span("word " * 30):
            pass
        assert stream.getvalue().count("\n") == 1


def colored(**options):
    """Whether a span printed to a terminal, and to a file, is colored."""
    found = []
    for stream in (Terminal(), io.StringIO()):
        with tracer(stream, **options).start_as_current_span("x"):
            pass
        found.append("\x1b[" in stream.getvalue())
    return found


def test_colors_follow_terminal_options_and_environment(monkeypatch):
    """`auto` colors a terminal only and obeys FORCE_COLOR; `always` and `never` obey nobody."""
    assert colored(color="auto") == [True, False]
    assert colored(color="always") == [True, True]
    assert colored(color="never") == [False, False]

    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colored(color="auto") == [True, True]
    assert colored(color="never") == [False, False]


def test_no_color_takes_the_colors(monkeypatch):
    """NO_COLOR leaves no color, also where an error would be red."""
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with tracer(stream, color="auto").start_as_current_span("x") as span:
        span.set_status(StatusCode.ERROR, "broken")

    assert "\x1b[31m" not in stream.getvalue()
    assert "broken" in stream.getvalue()


def test_markup_in_names_is_text():
    """A name that looks like rich's markup or an emoji code is printed as it is."""
    stream = io.StringIO()
    with tracer(stream).start_as_current_span("[red]:smile:[/red] [link=x]"):
        pass

    assert "[red]:smile:[/red] [link=x]" in stream.getvalue()


def test_closed_stream_raises_nothing():
    """Where the stream is closed, printing ends silently."""
    stream = io.StringIO()
    working = tracer(stream)
    stream.close()
    before = guard.swallowed()

    with working.start_as_current_span("x"):
        pass

    assert guard.swallowed() == before


def test_broken_pipe_raises_nothing_and_ends_nothing():
    """A reader that has gone away (``2>&1 | head``) silences the console; the process goes on."""
    script = """
        import sys
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from aumos_otel import ConsoleOptions
        from aumos_otel.exporters.console import ConsoleSpanExporter

        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(ConsoleOptions(color="auto"))))
        input()
        for name in "ab":
            with provider.get_tracer("app").start_as_current_span(name):
                pass
        print("went on")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        process.stderr.close()
        process.stdin.write("now\n")
        process.stdin.close()

        assert process.stdout.read() == "went on\n"
        assert process.wait(30) == 0


def test_missing_stderr_raises_nothing(monkeypatch):
    """A process without stderr prints nothing and goes on."""
    monkeypatch.setattr("sys.stderr", None)
    with tracer(None).start_as_current_span("x"):
        pass


def test_default_stream_is_stderr_of_the_moment(capsys):
    """Lines go to what ``sys.stderr`` is when the span ends, and never to stdout."""
    with tracer(None).start_as_current_span("x"):
        pass

    shown = capsys.readouterr()
    assert "x  INTERNAL" in shown.err
    assert shown.out == ""


def test_stream_of_a_poor_encoding_gets_escapes():
    """What the stream cannot say is spelled out, and the line is not lost."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    with tracer(stream).start_as_current_span("naïve"):
        pass

    assert rb"na\xefve" in raw.getvalue()


def test_lines_of_threads_are_whole():
    """Spans that end at the same time do not mix their lines."""
    stream = io.StringIO()
    working = tracer(stream)

    def run(number):
        for _ in range(25):
            with working.start_as_current_span(f"job-{number}-" + "x" * 50, kind=SpanKind.CLIENT):
                pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    lines = stream.getvalue().splitlines()
    assert len(lines) == 100
    assert all(re.search(r"  job-\d-x{50}  CLIENT  \S+  [0-9a-f]{8}$", line) for line in lines)


def test_event_without_body_shows_its_name():
    """A log record that is an event is known by its event name; without a level it is a LOG."""
    stream = io.StringIO()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(ConsoleLogExporter(ConsoleOptions(color="auto"), stream))
    )
    provider.get_logger("app").emit(LogRecord(timestamp=NOW, event_name="user.signed_in"))
    provider.get_logger("app").emit(LogRecord(timestamp=NOW, body="x", severity_number=SeverityNumber.INFO))

    assert "  LOG  app  user.signed_in\n" in stream.getvalue()
    assert "  INFO  app  x\n" in stream.getvalue()
