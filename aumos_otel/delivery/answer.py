"""What sender and receiver say to each other beside the telemetry: media types, names, and answers."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aumos_otel.config import Signal

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
#: Who we are, in the words of the specification: name, language and version.
USER_AGENT: Final = f"aumos-otel-OTLP-Exporter-Python/{version('aumos-otel')}"

#: Characters of what a receiver writes to us that are passed on.
_LONGEST_MESSAGE: Final = 300
_REFUSED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}


def partial_success(signal: Signal, media: str, body: bytes) -> tuple[int, str]:
    """Records that an accepted request lost, and what the receiver says about it.

    Args:
        signal: what was sent.
        media: content type of the answer.
        body: the ``Export…ServiceResponse``.

    Raises:
        ValueError: the body is not one.
    """
    if not body:
        return 0, ""
    if media == JSON:
        partial = _member(_parsed(body), "partialSuccess", "partial_success")
        refused = _member(partial, _REFUSED[signal], _snake(_REFUSED[signal]))
        message = _member(partial, "errorMessage", "error_message")
        return _count(refused), one_line(message)
    if media != PROTOBUF:
        raise ValueError(f"a body of type {media or 'unknown'}")
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - only where a body came back
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 - same

    try:  # the answers to all signals have the same fields on the wire
        answer = trace_service_pb2.ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError as error:
        raise ValueError("a body that is not protobuf") from error
    return max(0, answer.rejected_spans), one_line(answer.error_message)


def explanation(media: str, body: bytes) -> str:
    """The reason in the body of a refusal: a ``google.rpc.Status``, or whatever text is there."""
    if media == PROTOBUF:
        from google.protobuf.message import DecodeError  # noqa: PLC0415 - only where a request was refused
        from google.rpc.status_pb2 import Status  # noqa: PLC0415 - same

        try:
            return one_line(Status.FromString(body).message)
        except DecodeError:
            return ""
    if media == JSON:
        try:
            return one_line(_member(_parsed(body), "message"))
        except ValueError:
            return ""
    return one_line(body.decode("utf-8", "replace")) if media == "text/plain" else ""


def one_line(text: Any) -> str:
    """The text of a stranger, without line breaks and control characters, cut to a length for a log line."""
    if not isinstance(text, str):
        return ""
    cut = text[: _LONGEST_MESSAGE + 1]
    words = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    return words if len(text) <= _LONGEST_MESSAGE else words[:_LONGEST_MESSAGE] + "…"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("a body that is not JSON") from error


def _member(value: Any, *names: str) -> Any:
    """A member of a JSON object under one of its names; None where there is none."""
    if value is not None and not isinstance(value, dict):
        raise ValueError("a body that is not an answer of OTLP")
    return next((value[name] for name in names if value and name in value), None)


def _count(value: Any) -> int:
    """A 64-bit number, which OTLP/JSON writes as text."""
    if value is None:
        return 0
    if isinstance(value, int | str) and str(value).isascii() and str(value).lstrip("-").isdigit():
        return max(0, int(value))
    raise ValueError("a body that does not say how many records were refused")


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
