"""The page on loopback: traces, one trace as a waterfall, logs, metrics, objectives, and the same as JSON under ``/api``.

Rendered here and complete without JavaScript; the script only keeps lists fresh and opens a
span beside the waterfall without leaving it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from aumos_otel._internal import lines
from aumos_otel.local import burn_chart, messages, units, waterfall
from aumos_otel.local.access import PageAccess
from aumos_otel.local.objectives import Objectives, Standing
from aumos_otel.local.queries import MAX_SPANS, Cursor, Log, LogFilter, Reader, Span, Trace, TraceFilter
from aumos_otel.semconv import attributes as names
from aumos_otel.slo import quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

_STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_LIST: Final = 100
_MAX_LIST: Final = 1000
_NO_STORE: Final = {"Cache-Control": "no-store"}
#: Seconds after which what was told of objectives may be untrue, though nothing arrived: silence is news, too.
_STALE: Final = 5
_UNITS: Final = ("duration", "moment", "iso", "count", "value", "percent", "times")
_SEVERITIES: Final = ((0, "all levels"), (5, "debug and above"), (9, "info and above"), (13, "warnings and errors"), (17, "errors"))  # fmt: skip
_SPAN_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_MESSAGE_KEYS: Final = (names.GEN_AI_INPUT_MESSAGES, names.GEN_AI_OUTPUT_MESSAGES, names.GEN_AI_SYSTEM_INSTRUCTIONS)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where this backend is reached; shown where the page says how to send data."""

    otlp: str
    ui: str


def application(reader: Reader, addresses: Addresses, *, token: str, cookie: str) -> Starlette:
    """The ASGI application of the page and its API."""
    board = Objectives(reader)
    page = _Page(reader, board, addresses)
    api = _Api(reader, board)
    routes = [
        Route("/", page.traces),
        Route("/traces/rows", page.trace_rows),
        Route("/trace/{trace_id}", page.trace),
        Route("/trace/{trace_id}/span/{span_id}", page.span),
        Route("/logs", page.logs),
        Route("/logs/rows", page.log_rows),
        Route("/metrics", page.metrics),
        Route("/metrics/rows", page.metric_rows),
        Route("/slos", page.objectives),
        Route("/slos/rows", page.objective_rows),
        Route("/slos/rows/{key:path}", page.objective_part),
        Route("/slo/{key:path}", page.objective),
        Route("/static/{name}", _static),
        Route("/api/traces", api.traces),
        Route("/api/trace/{trace_id}", api.trace),
        Route("/api/logs", api.logs),
        Route("/api/metrics", api.metrics),
        Route("/api/slos", api.objectives),
        Route("/api/slo/{key:path}", api.objective),
        Route("/api/totals", api.totals),
        Route("/api/arrivals", api.arrivals),
        Route("/api/about", api.about),
    ]
    guard = Middleware(PageAccess, token=token, cookie=cookie, refusal=page.refusal)
    return Starlette(
        routes=routes, middleware=[guard], exception_handlers={404: page.missing, _BadQueryError: _bad_query}
    )


class _BadQueryError(ValueError):
    """A query parameter that is not what its name promises."""


class _Page:
    """The HTML side: each method asks the reader and fills a template, off the event loop."""

    def __init__(self, reader: Reader, board: Objectives, addresses: Addresses) -> None:
        self._reader = reader
        self._board = board
        self._addresses = addresses
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("aumos_otel.local"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters |= {name: getattr(units, name) for name in _UNITS}
        environment.filters |= {"clock": lines.clock, "cost": lines.money}
        environment.globals |= {"duration_text": quantity.duration_text, "percent_text": quantity.percent_text}
        environment.globals |= {"names": names, "addresses": addresses, "severity_name": severity_name}
        self._environment = environment

    async def traces(self, request: Request) -> Response:
        """The list of traces with its filters."""
        return await self._answer(lambda: self._render("traces.html", **self._trace_list(request)))

    async def trace_rows(self, request: Request) -> Response:
        """The list alone, for the refresh."""
        return await self._fresh(request, lambda: self._render("_traces.html", **self._trace_list(request)))

    async def trace(self, request: Request) -> Response:
        """One trace as a waterfall; ``?span=`` opens that span."""
        return await self._answer(lambda: self._trace_page(request))

    async def span(self, request: Request) -> Response:
        """One span's details, for the panel beside the waterfall."""
        return await self._answer(lambda: self._span_panel(request))

    async def logs(self, request: Request) -> Response:
        """The latest logs with their filters."""
        return await self._answer(lambda: self._render("logs.html", **self._log_list(request)))

    async def log_rows(self, request: Request) -> Response:
        """The logs alone, for the refresh."""
        return await self._fresh(request, lambda: self._render("_logs.html", **self._log_list(request)))

    async def metrics(self, request: Request) -> Response:
        """All metrics with their latest values."""
        return await self._answer(lambda: self._render("metrics.html", **self._metric_list(request)))

    async def metric_rows(self, request: Request) -> Response:
        """The metrics alone, for the refresh."""
        return await self._fresh(request, lambda: self._render("_metrics.html", **self._metric_list(request)))

    async def objectives(self, _: Request) -> Response:
        """All objectives, worst first."""
        return await self._answer(lambda: self._render("slos.html", board=self._board.board(_now())))

    async def objective_rows(self, request: Request) -> Response:
        """The list alone, for the refresh."""
        return await self._fresh(
            request, lambda: self._render("_slos.html", board=self._board.board(_now())), stale=_STALE
        )

    async def objective(self, request: Request) -> Response:
        """One objective: what burns, what is left, and the traces behind the bad events."""
        return await self._answer(lambda: self._objective(request, "slo.html"))

    async def objective_part(self, request: Request) -> Response:
        """The same without head and navigation, for the refresh."""
        return await self._fresh(request, lambda: self._objective(request, "_slo.html"), stale=_STALE)

    async def missing(self, request: Request, _: Exception) -> Response:
        """What is not there."""
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "not found"}, 404)
        return self._missing("This page")

    def refusal(self) -> Response:
        """What a browser without the token sees."""
        return HTMLResponse(self._render("refused.html"), 401, _NO_STORE)

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(values)

    def _missing(self, what: str) -> Response:
        return HTMLResponse(self._render("missing.html", what=what), 404, _NO_STORE)

    async def _answer(self, make: Callable[[], str | Response]) -> Response:
        made = await asyncio.to_thread(make)
        return made if isinstance(made, Response) else HTMLResponse(made, headers=_NO_STORE)

    async def _fresh(self, request: Request, make: Callable[[], str | Response], stale: int = 0) -> Response:
        """304 while nothing has arrived: a page left open costs next to nothing; anew after ``stale`` seconds."""
        end = await asyncio.to_thread(self._reader.cursor)
        age = f"-{_now() // stale:.0f}" if stale else ""
        tag = f'"{end.spans}-{end.logs}-{end.points}{age}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        response = await self._answer(make)
        response.headers["ETag"] = tag
        return response

    def _trace_list(self, request: Request) -> dict[str, Any]:
        wanted = _trace_filter(request)
        found = self._reader.traces(wanted, limit=_LIST)
        longest = max((trace.duration_ns for trace in found), default=0) or 1
        return {
            "wanted": wanted,
            "traces": found,
            "longest": longest,
            "full": len(found) == _LIST,
            "services": self._reader.services(),
            "query": request.url.query,
        }

    def _trace_page(self, request: Request) -> str | Response:
        trace = self._reader.trace(request.path_params["trace_id"])
        if trace is None:
            return self._missing("This trace")
        drawn = waterfall.lay_out(trace.spans)
        chosen = next((span for span in trace.spans if span.span_id == request.query_params.get("span")), None)
        return self._render(
            "trace.html",
            trace=trace,
            summary=trace.summary,
            waterfall=drawn,
            by_id={span.span_id: span for span in trace.spans},
            logs_of=_count_logs(trace.logs),
            max_spans=MAX_SPANS,
            panel=_panel(trace, chosen) if chosen else None,
        )

    def _span_panel(self, request: Request) -> str | Response:
        trace = self._reader.trace(request.path_params["trace_id"])
        wanted = request.path_params["span_id"]
        chosen = next((span for span in trace.spans if span.span_id == wanted), None) if trace else None
        if trace is None or chosen is None:
            return self._missing("This span")
        return self._render("_span.html", panel=_panel(trace, chosen))

    def _log_list(self, request: Request) -> dict[str, Any]:
        wanted = _log_filter(request)
        return {
            "wanted": wanted,
            "logs": self._reader.logs(wanted),
            "severities": _SEVERITIES,
            "services": self._reader.services(),
            "query": request.url.query,
        }

    def _metric_list(self, request: Request) -> dict[str, Any]:
        text = request.query_params.get("q", "")
        return {"text": text, "metrics": self._reader.metrics(text=text), "query": request.url.query}

    def _objective(self, request: Request, template: str) -> str | Response:
        standing = self._board.standing(request.path_params["key"], _now())
        if standing is None:
            return self._missing("This objective")
        return self._render(
            template,
            standing=standing,
            chart=_chart(standing),
            behind=self._reader.spans_of([(event.trace_id, event.span_id) for event in standing.bad]),
        )


class _Api:
    """The JSON side: the reader's answers as they are."""

    def __init__(self, reader: Reader, board: Objectives) -> None:
        self._reader = reader
        self._board = board

    async def traces(self, request: Request) -> Response:
        """``?service=&errors=1&llm=1&q=&before=&limit=``: the latest traces."""
        wanted, limit = _trace_filter(request), _limit(request)
        return await self._answer(lambda: {"traces": self._reader.traces(wanted, limit=limit)})

    async def trace(self, request: Request) -> Response:
        """One trace with its spans and logs."""
        found = await asyncio.to_thread(self._reader.trace, request.path_params["trace_id"])
        if found is None:
            return JSONResponse({"error": "no such trace"}, 404)
        return await self._answer(lambda: found)

    async def logs(self, request: Request) -> Response:
        """``?q=&service=&severity=&limit=``: the latest logs."""
        wanted, limit = _log_filter(request), _limit(request)
        return await self._answer(lambda: {"logs": self._reader.logs(wanted, limit=limit)})

    async def metrics(self, request: Request) -> Response:
        """``?q=``: metrics by name with their latest points."""
        return await self._answer(lambda: {"metrics": self._reader.metrics(text=request.query_params.get("q", ""))})

    async def objectives(self, _: Request) -> Response:
        """All objectives, worst first, and the SLIs that none is about."""

        def tell() -> dict[str, Any]:
            board = self._board.board(_now())
            return {"slos": [standing.to_dict() for standing in board.standings], "slis": board.loose}

        return await self._answer(tell)

    async def objective(self, request: Request) -> Response:
        """One objective, by its service and name."""
        found = await asyncio.to_thread(self._board.standing, request.path_params["key"], _now())
        if found is None:
            return JSONResponse({"error": "no such objective"}, 404)
        return await self._answer(found.to_dict)

    async def about(self, _: Request) -> Response:
        """Where this backend keeps what it was sent."""
        return await self._answer(lambda: {"database": str(self._reader.path.absolute())})

    async def totals(self, request: Request) -> Response:
        """``?since_ns=``: what has arrived."""
        since = _number(request, "since_ns", 0)
        return await self._answer(lambda: self._reader.totals(since))

    async def arrivals(self, request: Request) -> Response:
        """``?spans=&logs=``: what arrived after that cursor; without a cursor, the cursor of now."""

        def follow() -> dict[str, Any]:
            if not request.query_params:
                return {"spans": [], "logs": [], "cursor": self._reader.cursor()}
            after = Cursor(_number(request, "spans", 0), _number(request, "logs", 0))
            spans, logs, cursor = self._reader.arrivals(after, limit=_limit(request))
            return {"spans": spans, "logs": logs, "cursor": cursor}

        return await self._answer(follow)

    async def _answer(self, make: Callable[[], Any]) -> Response:
        return await asyncio.to_thread(lambda: JSONResponse(_plain(make()), headers=_NO_STORE))


def severity_name(log: Log) -> str:
    """The sender's word for the severity, else OTLP's."""
    if log.severity_text:
        return log.severity_text.upper()
    words = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return words[min((log.severity - 1) // 4, 5)] if log.severity > 0 else ""


def _panel(trace: Trace, span: Span) -> dict[str, Any]:
    """What the panel of one span shows."""
    logs = [log for log in trace.logs if log.span_id == span.span_id]
    conversation = messages.of_call(span, logs)
    hidden = _MESSAGE_KEYS if conversation else ()
    return {
        "span": span,
        "kind": _SPAN_KINDS[span.kind] if 0 <= span.kind < len(_SPAN_KINDS) else str(span.kind),
        "offset_ns": span.start_ns - trace.summary.start_ns,
        "conversation": conversation,
        "attributes": {key: value for key, value in sorted(span.attributes.items()) if key not in hidden},
        "logs": logs,
    }


def _chart(standing: Standing) -> burn_chart.Chart | None:
    if standing.objective is None or not standing.policy_known:
        return None
    tier = standing.objective.burn_policy.first
    return burn_chart.draw(standing.objective, tier, standing.history, standing.at)


def _count_logs(logs: list[Log]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for log in logs:
        if log.span_id:
            counts[log.span_id] = counts.get(log.span_id, 0) + 1
    return counts


def _trace_filter(request: Request) -> TraceFilter:
    query = request.query_params
    return TraceFilter(
        service=query.get("service", ""),
        errors=bool(query.get("errors")),
        llm=bool(query.get("llm")),
        text=query.get("q", "").strip(),
        before_ns=_number(request, "before", 0) or None,
    )


def _log_filter(request: Request) -> LogFilter:
    query = request.query_params
    return LogFilter(
        service=query.get("service", ""), severity=_number(request, "severity", 0), text=query.get("q", "").strip()
    )


def _now() -> float:
    return time.time_ns() / 1e9


def _limit(request: Request) -> int:
    return max(1, min(_number(request, "limit", _LIST), _MAX_LIST))


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    try:
        number = int(text) if text else default
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise _BadQueryError(f"{name}: got {text[:50]!r}, expected a whole number from 0 to 2^63")
    return number


async def _bad_query(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


def _plain(value: Any) -> Any:
    """Dataclasses to what JSON knows, at any depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=404)
    content = resources.files("aumos_otel.local").joinpath("static", name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"Cache-Control": "max-age=60"})
