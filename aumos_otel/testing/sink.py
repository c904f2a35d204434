"""A receiver on loopback that is told how to fail, and that says what it got."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from aumos_otel.testing import records
from aumos_otel.testing.records import Tally
from aumos_otel.testing.reply import Reply, Script
from aumos_otel.testing.request import DECODERS, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aumos_otel.testing.grpc_receiver import GRPCReceiver
    from aumos_otel.testing.http_receiver import HTTPReceiver
    from aumos_otel.testing.request import Request
    from aumos_otel.testing.tls import TLS

T = TypeVar("T")
#: Seconds that `OTLPSink.wait_for` waits.
PATIENCE = 20.0


class OTLPSink:
    """An OTLP receiver, listening from `start` to `stop` or in a ``with`` block.

    Each request is answered by the next `Reply` of ``script``, or by what ``script`` returns for it if it is
    a function; with no more to say, by ``reply``.  A `stop` and a `start` later it listens at the same port.

    Args:
        protocol: ``"http"``, which takes protobuf and JSON, or ``"grpc"``.
        script: see above.
        tls: certificates; None is plain text.
        max_body: bytes of an unpacked request above which it is refused (413, RESOURCE_EXHAUSTED).
        light: keep ids and counts but no requests, for runs that would fill the memory.

    Attributes:
        reply: how a request is answered that the script does not answer; may be set at any time.
        encodings: ``Content-Encoding`` names that are taken over HTTP, all others get 415; may be changed.
        requests: every request, answered or not, in the order of arrival; empty if ``light``.
        arrived: how many those are.

    >>> from aumos_otel.testing import OTLPSink, Reply
    >>> import urllib.request
    >>> with OTLPSink(script=[Reply(rejected=1, message="one was bad")]) as sink:
    ...     _ = urllib.request.urlopen(f"{sink.url}/v1/traces", data=b"")
    ...     sink.arrived, str(sink.tally("traces"))
    (1, 'received 0, distinct 0, duplicates 0')
    """

    def __init__(
        self,
        *,
        protocol: Literal["http", "grpc"] = "http",
        script: Script | Iterable[Reply] = (),
        tls: TLS | None = None,
        max_body: int | None = None,
        light: bool = False,
    ) -> None:
        self.reply = Reply()
        self.encodings = set(DECODERS)
        self.requests: list[Request] = []
        self.arrived = 0
        self._protocol = protocol
        self._tls = tls
        self._max_body = max_body
        self._light = light
        self._kept: list[Request] = []
        self._ids: dict[str, Counter[str]] = {signal: Counter() for signal in REQUESTS}
        self._changed = threading.Condition()
        self._held = False
        self._stopping = False
        self._port = 0
        self._receiver: HTTPReceiver | GRPCReceiver | None = None
        self._failures: list[BaseException] = []
        self.script = script

    @property
    def script(self) -> Script:
        """What decides about each request; setting it begins anew."""
        return self._script

    @script.setter
    def script(self, script: Script | Iterable[Reply]) -> None:
        if callable(script):
            self._script: Script = script
        else:
            steps, lock = iter(script), threading.Lock()

            def step(_request: Request) -> Reply | None:
                with lock:
                    return next(steps, None)

            self._script = step

    @property
    def port(self) -> int:
        """The port; 0 before the first start."""
        return self._port

    @property
    def url(self) -> str:
        """What ``OTLP(endpoint=...)`` and OTEL_EXPORTER_OTLP_ENDPOINT take."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen; a second start listens at the port of the first."""
        self._stopping = False
        if self._protocol == "grpc":
            from aumos_otel.testing.grpc_receiver import GRPCReceiver  # noqa: PLC0415 - loads grpc

            self._receiver = GRPCReceiver(self._port, self._tls, self._answer)
        else:
            from aumos_otel.testing.http_receiver import HTTPReceiver  # noqa: PLC0415 - loads http.server

            self._receiver = HTTPReceiver(self._port, self._tls, self._answer)
        self._port = self._receiver.port
        self._receiver.start()

    def stop(self) -> None:
        """Refuse new connections and end the open ones; what is held or hangs is neither answered nor kept.

        Raises:
            BaseException: what the script raised.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._receiver is not None:
            self._receiver.stop()
            self._receiver = None
        if self._failures:
            raise self._failures[0]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def hold(self) -> None:
        """Leave all requests from now on without an answer until `release`; they count as arrived only."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        """Answer the requests that are held, and those that come."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def swap_certificate(self, tls: TLS) -> None:
        """Show another certificate from the next connection on."""
        self._tls = tls
        if self._receiver is not None:
            self._receiver.swap_certificate(tls)

    def wait_for(self, predicate: Callable[[], T], timeout: float = PATIENCE) -> T:
        """Wait until ``predicate()``, asked after each request, is true; returns what it returned.

        Args:
            predicate: reads the sink.
            timeout: seconds.

        Raises:
            AssertionError: it did not come true; the message says what the sink has.
        """
        with self._changed:
            result = self._changed.wait_for(predicate, timeout)
        if not result:
            have = "; ".join(f"{signal}: {self.tally(signal)}" for signal in REQUESTS)
            raise AssertionError(f"not within {timeout:g} s; {self.arrived} requests arrived; {have}")
        return result

    def kept(self, signal: str | None = None) -> list[Request]:
        """The requests whose records were kept, of one signal or all; empty if ``light``."""
        with self._changed:
            return [request for request in self._kept if signal in {None, request.signal}]

    def ids(self, signal: str) -> Counter[str]:
        """How often each record of ``signal`` was kept; see `aumos_otel.testing.records.ids` for what tells them apart."""
        with self._changed:
            return self._ids[signal].copy()

    def tally(self, signal: str) -> Tally:
        """Received, distinct and duplicate records of ``signal``."""
        with self._changed:
            return Tally.of(self._ids[signal])

    def spans(self) -> list[Any]:
        """Every span that was kept, as protobuf message."""
        return [span for request in self.kept("traces") for _, spans in records.lists(request.body) for span in spans]

    def logs(self) -> list[Any]:
        """Every log record that was kept, as protobuf message."""
        return [log for request in self.kept("logs") for _, logs in records.lists(request.body) for log in logs]

    def metrics(self) -> dict[str, Any]:
        """The latest state of every metric by name, as protobuf message."""
        found = [scope for request in self.kept("metrics") for _, scope in records.scopes(request.body)]
        return {metric.name: metric for scope in found for metric in scope.metrics}

    def _answer(self, request: Request) -> Reply:
        """Decide about one request; called by the receiver, in the thread of the request."""
        with self._changed:
            self.arrived += 1
            if not self._light:
                self.requests.append(request)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopping or not self._held)
            if self._held:
                return Reply(answers=False)
        try:
            reply = self._script(request) or self.reply
        except Exception as error:  # noqa: BLE001 - raised again by stop()
            self._failures.append(error)
            return Reply(500, message=f"the script raised {type(error).__name__}")
        if reply.reset != "unread":
            reply = self._unacceptable(request) or reply
        return replace(reply, rejected=self._keep(request, reply.rejected)) if reply.takes else reply

    def _unacceptable(self, request: Request) -> Reply | None:
        """The refusal of a request that no script could save."""
        if request.encoding not in self.encodings:
            return Reply(415, message=f"content encoding {request.encoding} is not taken")
        try:
            if self._max_body is not None and len(request.content) > self._max_body:
                # The words of gRPC's own limit, by which senders know it from a rate limit.
                size = len(request.content)
                return Reply(413, message=f"Received message larger than max ({size} vs. {self._max_body})")
            request.body  # noqa: B018 - decodes it
        except Exception as error:  # noqa: BLE001 - a sender may send anything
            return Reply(400, message=f"not a request for {request.signal}: {type(error).__name__}: {error}")
        return None

    def _keep(self, request: Request, rejected: int) -> int:
        """Keep a request without its first ``rejected`` records; returns how many those were in fact."""
        gone = records.discard(request.body, rejected)
        ids = list(records.ids(request.body))
        with self._changed:
            self._ids[request.signal].update(ids)
            if not self._light:
                self._kept.append(request)
            self._changed.notify_all()
        return gone
