"""What HTTP server and client spans have in common: names, limits, and what must not be recorded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from opentelemetry import metrics, trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.http import (
    ExcludeList,
    SanitizeValue,
    normalise_request_header_name,
    normalise_response_header_name,
)

from aumos_otel.errors import ConfigError
from aumos_otel.processors.border import REDACTED
from aumos_otel.semconv import attributes as names
from aumos_otel.semconv import metrics as metric_names
from aumos_otel.semconv import spans as span_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

    from aumos_otel.semconv.metrics import Metric

#: The method of a request that is none of the known ones, as the semantic conventions spell it.
OTHER_METHOD: Final = "_OTHER"

#: RFC 9110, RFC 5789 and RFC 10008.
_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})

#: Parameters whose value is a credential: a telling syllable anywhere, a short word on its own.
_SECRET_PARAMETER: Final = re.compile(
    r"token|secret|passw|pwd|credential|signature|session|authori[sz]|api-?_?key|access-?_?key|private-?_?key"
    r"|(?:^|[^a-z])(?:auth|code|jwt|key|otp|pin|sas|sig|sid|state)(?:$|[^a-z])",
    re.IGNORECASE,
)

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
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        secret = equals and value and _SECRET_PARAMETER.search(unquote_plus(name))
        parts.append(f"{name}={REDACTED}" if secret else part)
    return "&".join(parts)


def redact_url(url: str) -> str:
    """A URL without user, password and fragment, its query redacted."""
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
            self.server_duration = _histogram(meter, metric_names.HTTP_SERVER_REQUEST_DURATION)
            self.client_duration = _histogram(meter, metric_names.HTTP_CLIENT_REQUEST_DURATION)
            active = metric_names.HTTP_SERVER_ACTIVE_REQUESTS
            self.active = meter.create_up_down_counter(active.name, active.unit, active.description)
            self._meter_provider = meter_provider


def subset(attributes: Mapping[str, Any], metric: Metric) -> dict[str, Any]:
    """The span attributes that the metric carries as well."""
    return {name: attributes[name] for name in metric.attributes if name in attributes}


def is_foreign(span: Span, kind: trace.SpanKind) -> bool:
    """Whether ``span`` is an open span of this kind that another instrumentation made."""
    if not span.is_recording() or getattr(span, "kind", None) is not kind:
        return False
    scope = getattr(span, "instrumentation_scope", None)
    return scope is not None and scope.name != span_names.SCOPE_AUMOS_OTEL_HTTP


def method_attributes(method: str, known: frozenset[str]) -> dict[str, Any]:
    """The request method; one that is not known keeps its spelling beside ``_OTHER``."""
    if method in known:
        return {names.HTTP_REQUEST_METHOD: method}
    return {names.HTTP_REQUEST_METHOD: OTHER_METHOD, names.HTTP_REQUEST_METHOD_ORIGINAL: method}


def _histogram(meter: metrics.Meter, metric: Metric) -> Histogram:
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )


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
