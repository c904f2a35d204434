"""Following what arrives at a running backend, through its API, as lines for people or as NDJSON."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from aumos_otel._internal.lines import Line, LogView, Role, SpanView, log_lines, span_lines
from aumos_otel.errors import LocalBackendError
from aumos_otel.semconv.attributes import EXCEPTION_TYPE

if TYPE_CHECKING:
    from typing import IO

    from aumos_otel._internal.discovery import LocalBackend

#: What had arrived before is shown as far back as this, as ``tail`` does with a file.
_BACKLOG: Final = 10
_TIMEOUT: Final = 10.0
_STATUS_ERROR: Final = 2
_KINDS: Final = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STYLES: Final[dict[Role, str]] = {"time": "dim", "name": "bold", "detail": "", "dim": "dim", "warn": "yellow", "error": "red"}  # fmt: skip


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the caller decide; rich would leave the process."""
        raise BrokenPipeError


class Tail:
    """A reader of arrivals that remembers how far it has come.

    Args:
        backend: which backend to follow.
        as_json: one JSON object a line instead of lines for people.
        out: where to print; standard output if None.
    """

    def __init__(self, backend: LocalBackend, *, as_json: bool = False, out: IO[str] | None = None) -> None:
        self._backend = backend
        self._as_json = as_json
        self._console = _Console(file=out, highlight=False, soft_wrap=True, markup=False)
        self._cursor: dict[str, int] | None = None
        # Never through a proxy: it could not reach this machine's loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def step(self) -> int:
        """Print what has arrived since the last step; returns how many spans and logs that was.

        Raises:
            LocalBackendError: the backend does not answer.
        """
        if self._cursor is None:
            end = self._ask({})["cursor"]
            self._cursor = {name: max(end[name] - _BACKLOG, 0) for name in ("spans", "logs")}
        found = self._ask(self._cursor)
        self._cursor = {name: found["cursor"][name] for name in ("spans", "logs")}
        arrivals = [(span["start_ns"] + span["duration_ns"], "span", span) for span in found["spans"]]
        arrivals += [(log["time_ns"], "log", log) for log in found["logs"]]
        for _, kind, record in sorted(arrivals, key=lambda arrival: arrival[0]):
            if self._as_json:
                # Not through rich: a line of JSON must come out as it is.
                print(json.dumps({"type": kind, **record}, ensure_ascii=False), file=self._console.file, flush=True)
            else:
                for line in span_lines(_span_view(record)) if kind == "span" else log_lines(_log_view(record)):
                    self._console.print(_text(line))
        return len(arrivals)

    def _ask(self, cursor: dict[str, int]) -> Any:
        url = f"{self._backend.ui}/api/arrivals?{urllib.parse.urlencode(cursor)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._backend.token}"})  # noqa: S310 - checked to be loopback http
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise LocalBackendError(
                f"local backend {self._backend.ui}",
                seen=str(error),
                expected="its answer",
                remedy="it may have ended; run: aumos-otel ui",
            ) from error


def _text(line: Line) -> Text:
    return Text.assemble(*((segment.text, _STYLES[segment.role]) for segment in line))


def _span_view(span: dict[str, Any]) -> SpanView:
    exceptions = [event["attributes"] for event in span["events"] if EXCEPTION_TYPE in event["attributes"]]
    return SpanView(
        name=span["name"],
        kind=_KINDS[span["kind"]] if 0 <= span["kind"] < len(_KINDS) else str(span["kind"]),
        start=span["start_ns"],
        end=span["start_ns"] + span["duration_ns"],
        trace_id=span["trace_id"],
        error=span["status"] == _STATUS_ERROR,
        status_message=span["status_message"],
        attributes=span["attributes"],
        exception=exceptions[-1] if exceptions else {},
    )


def _log_view(log: dict[str, Any]) -> LogView:
    return LogView(
        timestamp=log["time_ns"],
        severity_number=log["severity"],
        severity_text=log["severity_text"],
        logger=log["scope"],
        body=log["body"] or log["event_name"],
        trace_id=log["trace_id"] or "",
        attributes=log["attributes"],
    )
