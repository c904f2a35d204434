"""OTLP over gRPC: raw bytes through a channel of grpcio, which is never shared with a forked child.

A channel that is open while its process forks leaves the child with locks that nobody releases: even
a new channel hangs there.  So grpcio's own support for forks is switched on before it is first used,
and, because that support gives up when a call is underway, channels are closed before each fork.
With its last object gone grpcio shuts itself down in a thread of its own, and a fork in that moment
leaves the child with a locked initialisation (seen in 1 of 200 forks): so one object is kept for good.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet

from aumos_otel import _compat, guard
from aumos_otel.delivery import diagnosis
from aumos_otel.delivery.answer import PROTOBUF, USER_AGENT, one_line, partial_success
from aumos_otel.delivery.outcome import Outcome

if TYPE_CHECKING:
    from aumos_otel.config import Signal
    from aumos_otel.delivery.target import Target

_METHODS: Final[dict[Signal, str]] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
#: What the specification lets a sender try again.
RETRYABLE: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"}
)
#: How grpcio begins to say that nothing was sent because nobody could be reached.
_UNREACHABLE: Final = ("failed to connect", "errors resolving", "dns resolution failed", "connections to all backends")
#: How it says that a call broke off: the receiver may have got the request.  Other words are the receiver's own.
_BROKEN_OFF: Final = (
    "stream removed",
    "socket closed",
    "connection reset",
    "broken pipe",
    "goaway",
    "transport closed",
    "channel closed",
)
_TOO_LARGE: Final = ("larger than max", "too large")
_DETAILS: Final = "grpc-status-details-bin"
_FORK_SUPPORT: Final = "GRPC_ENABLE_FORK_SUPPORT"
#: Seconds that a fork waits for calls that are underway; then they are ended, and have as long to come back.
_BEFORE_FORK: Final = 0.1
_TRUE: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_COMPRESSIONS: Final = {"gzip": "Gzip", "deflate": "Deflate", "none": "NoCompression"}
#: Statuses after which the connection is not to be trusted: the next request gets another one.
_CONNECTION_LOST: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
_OPTIONS: Final = (
    ("grpc.primary_user_agent", USER_AGENT),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a channel that is closed takes its connection with it
    ("grpc.max_send_message_length", -1),
)


class GRPCTransport:
    """One signal's way to an OTLP/gRPC receiver.

    Args:
        target: where to, with its options.
        credentials: a ``grpc.ChannelCredentials`` that stands in the place of the certificate files.

    Raises:
        OSError: a certificate or key cannot be read.
    """

    def __init__(self, target: Target, credentials: Any = None) -> None:
        given = target.options
        self._grpc = library.load()
        self._target = target
        self._given_credentials = credentials
        self._peer = urlsplit(target.url).netloc
        self._compression = self._grpc.Compression[_COMPRESSIONS[given["compression"]]]
        self._retryable: frozenset[str] = given.get("retryable_codes", RETRYABLE)
        self._metadata = tuple(given.get("headers", {}).items())
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._channel: Any = None
        if target.tls:
            self._credentials()  # a file that cannot be read is told now, not with the first request
        library.add(self)

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Send one request; see `aumos_otel.delivery.outcome.Transport`."""
        if not library.works_here():
            return Outcome(
                "retry", message=f"grpc was loaded before the fork; set {_FORK_SUPPORT}=1, or use http/protobuf"
            )
        with self._lock:
            with guard.swallow("delivery.grpc"):
                return self._send(body, deadline)
            self._drop()
            return Outcome("retry", message="an internal error of the transport; see the log", ambiguous=True)

    def close(self) -> None:
        """Close the channel, or end the call that another thread waits for; the next `send` opens another."""
        if self._pid != os.getpid():
            return  # `start_over` is about to run
        if self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()
        else:
            self._interrupt()

    def hold(self, deadline: float) -> bool:
        """Before a fork: close the channel and keep `send` out; whether that was possible until ``deadline``."""
        held = self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        if not held:
            self._interrupt()
            held = self._lock.acquire(timeout=_BEFORE_FORK)
        if held:
            self._drop()
        return held

    def resume(self) -> None:
        """After a fork, in the parent."""
        self._lock.release()

    def start_over(self) -> Any:
        """After a fork, in the child: forget the channel; returns it, because it must not be finalized here."""
        inherited, self._channel = self._channel, None
        self._lock, self._pid = threading.Lock(), os.getpid()
        return inherited

    def _interrupt(self) -> None:
        channel = self._channel
        if channel is not None:
            channel.close()

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _send(self, body: bytes, deadline: float) -> Outcome:
        left = deadline - time.monotonic()
        if left <= 0:
            return Outcome("retry", message=f"{self._peer}: no time left to send anything")
        try:
            if self._channel is None:
                self._channel = self._open()
            call = self._channel.unary_unary(_METHODS[self._target.signal])
            answer = call(body, timeout=left, metadata=self._metadata)
        except self._grpc.RpcError as error:
            return self._judge(error)
        except OSError as error:
            return Outcome("retry", message=f"{self._peer}: {error}")
        except ValueError as error:  # it was closed meanwhile
            self._drop()
            return Outcome("retry", message=f"{self._peer}: {error}")
        try:
            refused, message = partial_success(self._target.signal, PROTOBUF, answer)
        except ValueError as error:
            return Outcome("accepted", message=f"gRPC OK, but with {error}")
        return Outcome("accepted", rejected=refused, message=message)

    def _open(self) -> Any:
        if self._target.tls:
            return self._grpc.secure_channel(
                self._peer, self._credentials(), options=_OPTIONS, compression=self._compression
            )
        return self._grpc.insecure_channel(self._peer, options=_OPTIONS, compression=self._compression)

    def _credentials(self) -> Any:
        """The files as they are now: the next channel uses a certificate that was rotated."""
        if self._given_credentials is not None:
            return self._given_credentials
        given = self._target.options
        files = (given.get(name) for name in ("certificate", "client_key", "client_certificate"))
        return self._grpc.ssl_channel_credentials(*(Path(file).read_bytes() if file else None for file in files))

    def _judge(self, error: Any) -> Outcome:
        """What a status other than OK means."""
        code, details = error.code().name, one_line(error.details())
        message, words = f"gRPC {code}: {details}", details.lower()
        if code in _CONNECTION_LOST:
            ambiguous = any(mark in words for mark in _BROKEN_OFF) or (
                words == "deadline exceeded" and _compat.is_grpc_connected(self._channel)
            )
            self._drop()
            if code in self._retryable:
                if words.startswith(_UNREACHABLE):
                    message = diagnosis.channel(details, self._peer)
                answered = not words.startswith(_UNREACHABLE) and not ambiguous
                retry_after = _retry_after(error)
                return Outcome(
                    "retry", message=message, retry_after=retry_after, ambiguous=ambiguous, answered=answered
                )
            return Outcome("rejected", message=message)
        retry_after = _retry_after(error)
        if code == "RESOURCE_EXHAUSTED" and retry_after is None and any(mark in words for mark in _TOO_LARGE):
            return Outcome("too_large", message=message)
        if code in self._retryable:
            return Outcome("retry", message=message, retry_after=retry_after, answered=True)
        return Outcome("rejected", message=message)


def _retry_after(error: Any) -> float | None:
    """Seconds that a ``RetryInfo`` in the details of a status asks for."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - only where a request was refused
    from google.rpc.error_details_pb2 import RetryInfo  # noqa: PLC0415 - same
    from google.rpc.status_pb2 import Status  # noqa: PLC0415 - same

    info = RetryInfo()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            with suppress(DecodeError):
                for detail in Status.FromString(value).details:
                    if detail.Unpack(info):
                        return float(max(0.0, info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    return None


class _Library:
    """grpcio in this process, and what has to happen around a fork."""

    def __init__(self) -> None:
        self._transports: WeakSet[GRPCTransport] = WeakSet()
        self._held: list[GRPCTransport] = []
        self._inherited: list[Any] = []
        self._loaded: Any = None
        self._anchor: Any = None
        self._supports_fork = False
        self._pid = 0

    def load(self) -> Any:
        """The module; on first use with its support for forks, unless the user has decided about that."""
        if self._loaded is None:
            chosen = os.environ.get(_FORK_SUPPORT)
            self._supports_fork = (chosen or "1").lower() in _TRUE and (chosen is not None or "grpc" not in sys.modules)
            os.environ.setdefault(_FORK_SUPPORT, "1")
            try:
                loaded = import_module("grpc")
                loaded.insecure_channel("localhost:1").close()  # reads the variable and registers its own hooks
            finally:
                if chosen is None:
                    del os.environ[_FORK_SUPPORT]  # it is not for child processes
            os.register_at_fork(  # these run before those of grpcio
                before=self._before_fork, after_in_parent=self._after_in_parent, after_in_child=self._after_in_child
            )
            self._anchor = loaded.local_server_credentials()  # lives as long as we do, see above
            self._loaded, self._pid = loaded, os.getpid()
        return self._loaded

    def add(self, transport: GRPCTransport) -> None:
        """Have ``transport`` close its channel before each fork."""
        self._transports.add(transport)

    def works_here(self) -> bool:
        """Whether a call can be made: not in a child of a process that used grpcio without its support for forks."""
        return self._supports_fork or self._pid == os.getpid()

    def _before_fork(self) -> None:
        with guard.swallow("delivery.grpc.fork"):
            deadline = time.monotonic() + _BEFORE_FORK
            self._held = [transport for transport in list(self._transports) if transport.hold(deadline)]

    def _after_in_parent(self) -> None:
        held, self._held = self._held, []
        for transport in held:
            transport.resume()

    def _after_in_child(self) -> None:
        with guard.swallow("delivery.grpc.fork"):
            self._held = []
            self._inherited += [transport.start_over() for transport in list(self._transports)]


#: grpcio in this process.
library = _Library()
