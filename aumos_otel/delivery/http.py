"""OTLP over HTTP: one kept connection, no redirects, and an answer that is read.

The standard library alone: its modules are loaded anyway, while requests and urllib3 cost import time, know no
time-out for a whole exchange, and would have to be kept from following redirects and retrying by themselves.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from aumos_otel import guard
from aumos_otel.delivery.answer import JSON, PROTOBUF, USER_AGENT, explanation, one_line, partial_success
from aumos_otel.delivery.compression import compressor
from aumos_otel.delivery.connection import Answer, Connection, Failure, Server, Trust
from aumos_otel.delivery.outcome import Outcome

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from aumos_otel.config import Signal
    from aumos_otel.delivery.target import Target

#: What the specification lets a sender try again; every other refusal is for good.
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
#: Headers that say what the body is; ours are right whatever the user's are.
_OWN_HEADERS: Final = frozenset({"content-type", "content-encoding", "content-length", "transfer-encoding"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_SAFE: Final = "/%:@!$&'()*+,;=~?"
#: Answers to zstd from a receiver that does not know it; the collector says 400, others 415.
_UNKNOWN_ENCODING: Final = frozenset({400, 415})


class HTTPTransport:
    """One signal's way to an OTLP/HTTP receiver, in protobuf or in JSON.

    Args:
        target: where to, with its options.

    Raises:
        ConfigError: the options do not fit together, or a part they need is not installed.
        OSError: a certificate or key cannot be used.
    """

    def __init__(self, target: Target) -> None:
        given, parts = target.options, urlsplit(target.url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._target = target
        self._server = Server(parts.hostname or "", port, tls=target.tls)
        self._path = quote(parts.path or "/", safe=_URL_SAFE) + (
            f"?{quote(parts.query, safe=_URL_SAFE)}" if parts.query else ""
        )
        self._trust = Trust(given.get("certificate"), given.get("client_certificate"), given.get("client_key"))
        self._headers = request_headers(target)
        self._encoding: str = given["compression"]
        self._compress = compressor(self._encoding)
        if target.tls and given.get("certificate"):
            self._trust.context()  # what is wrong with the files is told now, not with the first request
        self._start_over()

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connection = Connection(self._server, self._trust)

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Send one request; see `aumos_otel.delivery.outcome.Transport`."""
        with self._lock:
            with guard.swallow("delivery.http"):
                return self._send(body, deadline)
            self._connection.close()
            return Outcome("retry", message="an internal error of the transport; see the log", ambiguous=True)

    def close(self) -> None:
        """Close the connection, or end the request that another thread waits for; the next `send` opens another."""
        if self._pid != os.getpid():
            inherited = self._connection
            self._start_over()
            inherited.close()
        elif self._lock.acquire(blocking=False):
            try:
                self._connection.close()
            finally:
                self._lock.release()
        else:
            self._connection.interrupt()

    def _send(self, body: bytes, deadline: float) -> Outcome:
        try:
            content = written(self._target, body)
        except ValueError as error:
            return Outcome("rejected", message=str(error))
        try:
            answer = self._post(content, deadline)
            if self._encoding == "zstd" and answer.status in _UNKNOWN_ENCODING:
                answer = self._post_without_zstd(content, deadline, answer)
        except Failure as failure:
            return Outcome("retry", message=failure.message, ambiguous=failure.sent)
        return judge(self._target.signal, answer)

    def _post(self, body: bytes, deadline: float) -> Answer:
        """Send a body that is not compressed yet, over the kept connection if that is still there."""
        headers = self._headers if self._encoding == "none" else self._headers | {"content-encoding": self._encoding}
        packed = self._compress(body)
        sent = False
        if self._connection.is_alive():
            try:
                return self._connection.post(self._path, headers, packed, deadline)
            except Failure as failure:
                if not failure.stale:
                    raise
                sent = failure.sent
        self._connection.close()
        self._connection = Connection(self._server, self._trust)
        try:
            return self._connection.post(self._path, headers, packed, deadline)
        except Failure as failure:
            failure.sent = failure.sent or sent
            raise

    def _post_without_zstd(self, body: bytes, deadline: float, refusal: Answer) -> Answer:
        """Try gzip; if that is what the receiver wanted, it gets gzip from now on."""
        zstd, self._encoding, self._compress = self._compress, "gzip", compressor("gzip")
        answer = self._post(body, deadline)
        if answer.status in _UNKNOWN_ENCODING:
            self._encoding, self._compress = "zstd", zstd
            return refusal
        guard.logger.warning("%s does not take zstd; it gets gzip from now on", self._server.authority)
        return answer


def request_headers(target: Target) -> dict[str, str]:
    """The headers of every request, but for those that its body decides."""
    given = target.options.get("headers", {})
    theirs = {name.lower(): value for name, value in given.items() if name.lower() not in _OWN_HEADERS}
    media = JSON if target.protocol == "http/json" else PROTOBUF
    return {"user-agent": USER_AGENT, "accept-encoding": "identity"} | theirs | {"content-type": media}


def written(target: Target, body: bytes) -> bytes:
    """A request in the encoding of the target's protocol.

    Raises:
        ValueError: ``body`` is no request.
    """
    if target.protocol != "http/json":
        return body
    from aumos_otel.delivery import otlp_json  # noqa: PLC0415 - only where JSON is spoken

    return otlp_json.from_protobuf(target.signal, body)


def judge(signal: Signal, answer: Answer) -> Outcome:
    """What an answer means; also for an answer that another HTTP client has read."""
    status, media = answer.status, (answer.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _accepted(signal, media, answer)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        goal = urlsplit(answer.headers.get("location") or "").netloc.rpartition("@")[2] or "nowhere"
        message = f"{_status_line(answer)}: a redirect to {one_line(goal)} is not followed; correct the endpoint"
        return Outcome("rejected", message=message)
    reason = explanation(media, answer.body)
    message = f"{_status_line(answer)}: {reason}" if reason else _status_line(answer)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (status == HTTPStatus.BAD_REQUEST and _says_too_large(reason)):
        return Outcome("too_large", message=message)
    if status in _RETRYABLE:
        return Outcome("retry", message=message, retry_after=_retry_after(answer.headers), answered=True)
    return Outcome("rejected", message=message)


def _accepted(signal: Signal, media: str, answer: Answer) -> Outcome:
    """A 2xx is success whatever its body is worth; a body that makes no sense is told."""
    if not answer.whole:
        return Outcome("accepted", message=f"{_status_line(answer)}, but the answer broke off")
    try:
        refused, message = partial_success(signal, media, answer.body)
    except ValueError as error:
        return Outcome("accepted", message=f"{_status_line(answer)}, but with {error}; is this an OTLP endpoint?")
    return Outcome("accepted", rejected=refused, message=message)


def _says_too_large(reason: str) -> bool:
    """Go's HTTP servers, the collector among them, answer a body over their limit with 400 and these words."""
    return "request body too large" in reason.lower()


def _status_line(answer: Answer) -> str:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = one_line(answer.reason)
    return f"HTTP {answer.status} {phrase}".rstrip()


def _retry_after(headers: HTTPMessage) -> float | None:
    """Seconds, or a date that is compared with the receiver's own clock."""
    value = (headers.get("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    moment, now = _date(value), _date(headers.get("date") or "") or datetime.now(UTC)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
