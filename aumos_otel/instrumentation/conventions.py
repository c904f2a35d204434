"""What HTTP server and client spans have in common: names, limits, and what must not be recorded."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.http import (
    ExcludeList,
    SanitizeValue,
    normalise_request_header_name,
    normalise_response_header_name,
)

from aumos_otel._internal import ambient
from aumos_otel.errors import ConfigError
from aumos_otel.instrumentation.series import Series
from aumos_otel.processors.border import REDACTED
from aumos_otel.semconv import attributes as names
from aumos_otel.semconv import metrics as metric_names
from aumos_otel.semconv import spans as span_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.trace import Span

    from aumos_otel.semconv.metrics import Metric

#: The method of a request that is none of the known ones, as the semantic conventions spell it.
OTHER_METHOD: Final = "_OTHER"

#: RFC 9110, RFC 5789 and RFC 10008.
_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})

#: Attributes of the series of each metric, in the order in which they are looked up.
ACTIVE_KEY: Final = (names.HTTP_REQUEST_METHOD, names.URL_SCHEME)
SERVER_KEY: Final = (
    names.HTTP_REQUEST_METHOD,
    names.HTTP_ROUTE,
    names.HTTP_RESPONSE_STATUS_CODE,
    names.URL_SCHEME,
    names.NETWORK_PROTOCOL_VERSION,
    names.ERROR_TYPE,
)
CLIENT_KEY: Final = (
    names.HTTP_REQUEST_METHOD,
    names.SERVER_ADDRESS,
    names.SERVER_PORT,
    names.HTTP_RESPONSE_STATUS_CODE,
    names.ERROR_TYPE,
)

#: Parameters whose value is a credential: a telling syllable anywhere, a short word on its own.
_SECRET_PARAMETER: Final = re.compile(
    r"token|secret|passw|pwd|credential|signature|session|authori[sz]|api-?_?key|access-?_?key|private-?_?key"
    r"|(?:^|[^a-z])(?:auth|code|jwt|key|otp|pin|sas|sig|sid|state)(?:$|[^a-z])",
    re.IGNORECASE,
)

#: Longest name of a parameter that is remembered, in characters.
_NAME: Final = 64

#: Headers whose values are never recorded, whatever is asked for.
_SECRET_HEADERS: Final = ("authorization", "cookie", "token", "secret", "password", "api-?key", "signature", "session")


def known_methods(environ: Mapping[str, str]) -> frozenset[str]:
    """The methods that are recorded by name; OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS replaces the list."""
    words = environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "").split(",")
    return frozenset(word.strip() for word in words if word.strip()) or _METHODS


def excluded_urls(library: str, environ: Mapping[str, str]) -> ExcludeList | None:
    """The user's regular expressions for URLs to leave out; None when no variable is set.

    A variable that is set and empty excludes nothing.

    Raises:
        ConfigError: a word of the variable is no regular expression.
    """
    for variable in (f"OTEL_PYTHON_{library}_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS"):
        if variable in environ:
            return ExcludeList(_patterns(variable, environ))
    return None


def redact_query(query: str) -> str:
    """A query string whose credentials are replaced; everything else stays as it was sent.

    >>> from aumos_otel.instrumentation.conventions import redact_query
    >>> redact_query("page=2&api_key=k-123")
    'page=2&api_key=REDACTED'
    """
    if "=" not in query:
        return query
    parts = query.split("&")
    for index, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if equals and value and (_is_secret if len(name) <= _NAME else _tells)(name):
            parts[index] = f"{name}={REDACTED}"
    return "&".join(parts)


def _tells(name: str) -> bool:
    """Whether a parameter of this name holds a credential."""
    return _SECRET_PARAMETER.search(unquote_plus(name)) is not None


_is_secret: Final = functools.lru_cache(maxsize=500)(_tells)


def redact_url(url: str) -> str:
    """A URL without user, password and fragment, its query redacted."""
    if "@" not in url and "#" not in url:
        before, _, query = url.partition("?")
        return f"{before}?{redact_query(query)}" if query else before
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, redact_query(parts.query) if parts.query else "", ""))


def error_type(error: BaseException) -> str:
    """The class of an error as `error.type` and the SDK's exception events spell it."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def record_error(span: Span, error: BaseException | None) -> None:
    """Mark ``span`` as failed, by an exception or by its status code."""
    if isinstance(error, Exception):
        span.record_exception(error)
    span.set_status(StatusCode.ERROR)


class HeaderCapture:
    """The headers that OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_* asks for; none by default."""

    def __init__(self, side: str, environ: Mapping[str, str]) -> None:
        prefix = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
        self._request = _patterns(f"{prefix}{side}_REQUEST", environ)
        self._response = _patterns(f"{prefix}{side}_RESPONSE", environ)
        self.wants_request, self.wants_response = bool(self._request), bool(self._response)
        self._sanitize = SanitizeValue([*_SECRET_HEADERS, *_patterns(f"{prefix}SANITIZE_FIELDS", environ)])

    def request(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
        """The wanted request headers as attributes."""
        return self._pick(headers, self._request, normalise_request_header_name)

    def response(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
        """The wanted response headers as attributes."""
        return self._pick(headers, self._response, normalise_response_header_name)

    def _pick(
        self, headers: Iterable[tuple[bytes, bytes]], wanted: list[str], spell: Callable[[str], str]
    ) -> dict[str, list[str]]:
        if not wanted:
            return {}
        values: dict[str, list[str]] = {}
        for name, value in headers:
            values.setdefault(bytes(name).decode("latin-1"), []).append(bytes(value).decode("latin-1"))
        return self._sanitize.sanitize_header_values(values, wanted, spell)


class Instruments:
    """Tracer and HTTP instruments of the global providers; made anew when a provider changes."""

    def __init__(self) -> None:
        self._tracer_provider: Any = None
        self._meter_provider: Any = None

    def refresh(self) -> None:
        """Follow the global providers: they may be installed after the first request."""
        tracer_provider, meter_provider = trace.get_tracer_provider(), metrics.get_meter_provider()
        if tracer_provider is not self._tracer_provider:
            self.tracer = tracer_provider.get_tracer(span_names.SCOPE_AUMOS_OTEL_HTTP)
            self._tracer_provider = tracer_provider
        if meter_provider is not self._meter_provider:
            meter = meter_provider.get_meter(span_names.SCOPE_AUMOS_OTEL_HTTP)
            metric = metric_names.HTTP_SERVER_ACTIVE_REQUESTS
            active = meter.create_up_down_counter(metric.name, metric.unit, metric.description)
            self.active = Series(active, active.add, *ACTIVE_KEY)
            self.server_duration = _durations(meter, metric_names.HTTP_SERVER_REQUEST_DURATION, SERVER_KEY)
            self.client_duration = _durations(meter, metric_names.HTTP_CLIENT_REQUEST_DURATION, CLIENT_KEY)
            self._meter_provider = meter_provider


def is_foreign(span: Span, kind: trace.SpanKind) -> bool:
    """Whether ``span`` is an open span of this kind that another instrumentation made."""
    if getattr(span, "kind", None) is not kind or not span.is_recording():
        return False
    scope = getattr(span, "instrumentation_scope", None)
    return scope is not None and scope.name != span_names.SCOPE_AUMOS_OTEL_HTTP


def note_method(method: str, known: frozenset[str], attributes: dict[str, Any]) -> tuple[str, str]:
    """Put the request method among ``attributes``; one that is not known keeps its spelling beside ``_OTHER``.

    Returns:
        the word for the span's name, and the method of the metrics.
    """
    if method in known:
        attributes[names.HTTP_REQUEST_METHOD] = method
        return method, method
    attributes[names.HTTP_REQUEST_METHOD] = OTHER_METHOD
    attributes[names.HTTP_REQUEST_METHOD_ORIGINAL] = method
    return "HTTP", OTHER_METHOD


def leave(token: Any) -> None:
    """Give back the context before; where another one is current by now, the API says so in the log."""
    try:
        ambient.detach_context(token)
    except Exception:  # noqa: BLE001 - the API knows what to say
        otel_context.detach(token)


def _durations(meter: metrics.Meter, metric: Metric, key: tuple[str, ...]) -> Series:
    made = meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )
    return Series(made, made.record, *key)


def _patterns(variable: str, environ: Mapping[str, str]) -> list[str]:
    """The comma-separated regular expressions of a variable."""
    patterns = [word.strip() for word in environ.get(variable, "").split(",") if word.strip()]
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                variable, seen=pattern, expected=f"a regular expression ({error})", remedy="correct or unset it"
            ) from None
    return patterns
