"""One LLM operation: its span, and all that is learned while it runs."""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, Final, Self, cast

from opentelemetry import trace
from opentelemetry.context import Context

from aumos_otel import context as identity
from aumos_otel import guard
from aumos_otel._internal import failure, flow
from aumos_otel._internal.ambient import SPAN_KEY, attach_context, current_context
from aumos_otel._internal.attachment import give_back
from aumos_otel.llm import accounting, installation, metrics, nesting, operations, usage
from aumos_otel.llm.capture import Capture
from aumos_otel.llm.pace import Pace
from aumos_otel.semconv import attributes as attr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from aumos_otel.llm.installation import Installation
    from aumos_otel.llm.usage import Reading

#: Most pieces of text that are kept of one stream.
_WORDS_KEPT: Final = 65_536

#: In the place of a context that would keep an ended call alive.
_NO_CONTEXT: Final = Context()

_CALL_KEY: Final = nesting.CALL_KEY


class Call:
    """An LLM operation, as `span` opens it and `current` finds it.

    Before it starts, after it ended and while nobody listens, its methods do nothing; none of
    them ever raises.
    """

    __slots__ = (
        "_account",
        "_bag",
        "_by_hand",
        "_capture",
        "_failed_with",
        "_installed",
        "_open",
        "_operation",
        "_outer",
        "_pace",
        "_said",
        "_started",
        "_stream",
        "_token",
        "context",
        "family",
        "span",
    )

    def __init__(self, operation: operations.Operation) -> None:
        self._operation = operation
        self._open: list[bool] = []
        self._token: Any = None
        #: Whose tokens it counts; None: agents, workflows and tools have no usage of their own.
        self.family = operation.family
        #: The OpenTelemetry span; an invalid one while there is none.
        self.span: Span = trace.INVALID_SPAN
        self.context = _NO_CONTEXT

    def start(self, installed: Installation, request: Mapping[str, AttributeValue] | None = None) -> None:
        """Start the span."""
        if flow.waiting:
            flow.end_abandoned()
        operation, chosen = self._operation, installed.settings
        context: Context = current_context()
        outer = cast("nesting.Enclosing | None", context.get(_CALL_KEY))
        if outer is not None and (self.family is None or outer.family != self.family or not outer.is_open):
            outer = None
        self._installed = installed
        self._outer = outer
        self._account = accounting.Account()
        self._failed_with: tuple[int, str] | None = None
        self._stream: usage.StreamReading | None = None
        self._pace: Pace | None = None
        self._said: list[str] | None = None
        self._by_hand = False
        title, self._bag = operation.opening(request, chosen)
        span = self.span = installed.tracer.start_span(title, context, operation.kind, self._bag)
        wanted = chosen.captures and span.get_span_context().trace_flags.sampled and span.is_recording()
        self._capture = Capture(operation.verb, chosen) if wanted else None
        if identity.IDENTITY_KEY in context:
            tenant = identity.metric_tenant()
            if tenant is not None:
                self._bag[attr.AUMOS_TENANT_ID] = tenant
        self.context = Context({**context, SPAN_KEY: span, _CALL_KEY: self})
        self._started = perf_counter_ns()
        self._open.append(True)

    def __enter__(self) -> Self:
        try:
            installed = installation.current()
            if installed.listening:
                self.start(installed)
                self._token = attach_context(self.context)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told("llm.start", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            give_back(token, self.context)
        self.ended(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def is_open(self) -> bool:
        """Whether the operation runs and somebody listens."""
        return bool(self._open)

    @property
    def response_id(self) -> str | None:
        """Id of the newest response that was recorded."""
        newest = self._account.newest if self._open else None
        return None if newest is None else newest.response_id

    def set_usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> None:
        """Say the token counts by hand; they outdo what responses say.

        ``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning.  Agents,
        workflows and tools have no usage of their own: for them this does nothing.
        """
        if self._open and self.family is not None:
            try:
                self._account.set(
                    usage.Usage(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens)
                )
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.usage", error)

    def record(self, response: object) -> None:
        """Hand over a client's response: usage, model, id and finish reasons are read from it.

        Several responses in one call add up; the same response twice counts once.  Agents,
        workflows and tools have no response of their own: for them this does nothing.
        """
        if self._open and self.family is not None:
            try:
                reading = usage.read(response, content=self._capture is not None)
                if reading is not None:
                    self._account.add(reading)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.record", error)

    def record_chunk(self, chunk: object) -> None:
        """Hand over one chunk of a client's stream, at the time it arrives."""
        if self._open:
            self._by_hand = True
            try:
                self._chunk(chunk)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.record", error)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute of the span."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes of the span; the metrics take over those that they have too."""
        if self._open:
            try:
                self._bag.update(attributes)
                self.span.set_attributes(attributes)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.attributes", error)

    def set_input(self, messages: object) -> None:
        """Give the prompt: a str, a message or a list of them; kept as the content policy says."""
        if self._open and self._capture is not None:
            try:
                self._capture.prompt(messages)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.content", error)

    def set_output(self, messages: object) -> None:
        """Give the answer: a str, a message or a list of them; kept as the content policy says."""
        if self._open and self._capture is not None:
            try:
                self._capture.answer(messages)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.content", error)

    def fail(self, error: BaseException) -> None:
        """Tell of an error that does not leave the block."""
        with guard.swallow("llm.fail"):
            if self._open:
                self._fail(error)

    def asked(self, arguments: Mapping[str, object]) -> None:
        """What the decorated function was called with."""
        with guard.swallow("llm.content"):
            if self._capture is not None:
                self._capture.asked(arguments)

    @property
    def captures(self) -> bool:
        """Whether the content of this call is wanted."""
        return self._capture is not None

    def yielded(self, item: object) -> None:
        """An item of the decorated stream: a chunk, unless chunks are recorded by hand."""
        if self._open and not self._by_hand:
            try:
                self._chunk(item)
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told("llm.chunk", error)

    def returned(self, value: object) -> None:
        """The result of the decorated function, or what was read of it."""
        if not self._open:
            return
        try:
            capture = self._capture
            reading = value if isinstance(value, usage.Reading) else None
            if reading is None and self.family is not None and self._account.is_empty:
                reading = usage.read(value, content=capture is not None)
            if reading is None:
                if capture is not None:
                    capture.answered(value)
            elif self.family is not None:
                self._account.add(reading)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told("llm.result", error)

    def ended(self, error: BaseException | None = None, *, abandoned_at: int | None = None) -> None:
        """The end; only the first call counts, also among threads."""
        try:
            self._open.pop()
        except IndexError:
            return
        now = perf_counter_ns()
        late = 0 if abandoned_at is None else now - abandoned_at
        try:
            self._tell(error, (now - late - self._started) / 1e9, abandoned=abandoned_at is not None)
        except Exception as problem:  # noqa: BLE001 - it is counted
            guard.told("llm.end", problem)
        finally:
            self.span.end(time_ns() - late if late else None)
            self.context = _NO_CONTEXT

    def child_used(self, reading: Reading, *, has_cost: bool, has_metrics: bool) -> None:
        """Somebody else's span inside reports usage; see `aumos_otel.llm.nesting`."""
        self._account.child_used(reading, has_cost=has_cost, has_metrics=has_metrics)

    def child_ended(self, *, counted: bool, missing: int) -> None:
        """A call of ours inside has ended; see `aumos_otel.llm.nesting`."""
        self._account.child_ended(counted=counted, missing=missing)

    def _chunk(self, chunk: object) -> None:
        if self.family == nesting.INFERENCE:
            pace = self._pace
            if pace is None:
                self._pace = Pace(self._started)
                self._stream = usage.StreamReading(content=self._capture is not None)
                self.span.set_attribute(attr.GEN_AI_REQUEST_STREAM, True)  # noqa: FBT003 - an attribute's value
            else:
                pace.chunk()
            if type(chunk) is not str and self._stream is not None:
                self._stream.feed(chunk)
        if self._capture is not None and isinstance(chunk, str):
            said = self._said
            if said is None:
                said = self._said = []
            if len(said) < _WORDS_KEPT:
                said.append(chunk)

    def _tell(  # noqa: C901 - at the end of each call: functions would cost more than they explain
        self, error: BaseException | None, seconds: float, *, abandoned: bool
    ) -> None:
        """Put on the span, and into metrics and events, what was learned."""
        bag, account, pace, capture = self._bag, self._account, self._pace, self._capture
        read = None if self._stream is None else self._stream.result()
        if read is not None:
            account.add(read)
        newest = account.newest
        told = {} if newest is None else _response_attributes(newest)
        if newest is not None and newest.provider is not None and attr.GEN_AI_PROVIDER_NAME not in bag:
            told[attr.GEN_AI_PROVIDER_NAME] = newest.provider
        if error is not None or abandoned:
            self._tell_end(told, error, newest, abandoned=abandoned)
        if self._failed_with is not None:
            told[attr.ERROR_TYPE] = self._failed_with[1]
        if told:
            bag.update(told)
        series = self._installed.series.of(self._operation.verb, bag)
        if pace is not None:
            told.update(pace.measured())
        if self.family is not None:
            self._settle(series, told)
        if not account.delegated:
            series.write(metrics.DURATION, seconds, self.context)
            if pace is not None:
                pace.tell(series, self.context)
        if capture is not None:
            self._capture_answer(capture, newest)
            if self.family == nesting.INFERENCE:
                capture.emit(bag, told, self.context)
            capture.put(self.span, told)
        if told:
            self.span.set_attributes(told)

    def _tell_end(
        self, told: metrics.Bag, error: BaseException | None, newest: Reading | None, *, abandoned: bool
    ) -> None:
        """An error, or how else it came to its end."""
        if error is not None and not failure.is_interruption(error):
            self._fail(error)
            return
        complete = newest is not None and bool(newest.finish_reasons)
        outcome = _outcome(error, abandoned=abandoned, complete=complete)
        if outcome is not None:
            told[attr.AUMOS_LLM_OUTCOME] = outcome

    def _fail(self, error: BaseException) -> None:
        if self._failed_with is None or self._failed_with[0] != id(error):
            self._failed_with = id(error), failure.error_type(error)
            failure.record(self.span, error)

    def _capture_answer(self, capture: Capture, newest: Reading | None) -> None:
        if newest is not None and newest.output:
            capture.answered(newest.output)
        elif self._said:
            capture.answered("".join(self._said))

    def _settle(self, series: metrics.Series, told: metrics.Bag) -> None:
        """Count the tokens and their cost, once, and tell the call around this one."""
        account, table = self._account, self._installed.series
        has_output = self.family == nesting.INFERENCE
        shares, missing = account.settle(self.span.get_span_context().trace_id, has_output=has_output)
        if shares:
            accounting.tell(shares, self._operation.verb, self._bag, series, self._installed, self.context, told)
        if self._failed_with is not None:
            missing = 0  # no answer, no usage
        if not account.has_inner_call:
            table.count(metrics.CALLS)
        if self._outer is not None and self._outer.is_open:
            self._outer.child_ended(counted=missing == 0 and self._failed_with is None, missing=missing)
        elif missing:
            table.count(metrics.USAGE_MISSING, missing)
            series.write(metrics.USAGE_MISSING, missing, self.context)


def _response_attributes(reading: Reading) -> metrics.Bag:
    told: metrics.Bag = {}
    if reading.response_id is not None:
        told[attr.GEN_AI_RESPONSE_ID] = reading.response_id
    if reading.model is not None:
        told[attr.GEN_AI_RESPONSE_MODEL] = reading.model
    if reading.finish_reasons:
        told[attr.GEN_AI_RESPONSE_FINISH_REASONS] = reading.finish_reasons
    if reading.dimensions is not None:
        told[attr.GEN_AI_EMBEDDINGS_DIMENSION_COUNT] = reading.dimensions
    if reading.api_type is not None:
        told[attr.OPENAI_API_TYPE] = reading.api_type
    if reading.service_tier is not None:
        told[attr.OPENAI_RESPONSE_SERVICE_TIER] = reading.service_tier
    if reading.system_fingerprint is not None:
        told[attr.OPENAI_RESPONSE_SYSTEM_FINGERPRINT] = reading.system_fingerprint
    return told


def _outcome(error: BaseException | None, *, abandoned: bool, complete: bool) -> str | None:
    if error is not None and failure.is_cancellation(error):
        return attr.AUMOS_LLM_OUTCOME_CANCELLED
    if complete:  # the answer was whole when the consumer let go of it
        return None
    if abandoned:
        return attr.AUMOS_LLM_OUTCOME_ABANDONED
    return None if error is None else attr.AUMOS_LLM_OUTCOME_CLOSED


_INERT: Final = Call(operations.Operation(""))


def current() -> Call:
    """The innermost LLM operation that runs here; one that does nothing when there is none.

    >>> from aumos_otel import llm
    >>> llm.current().record({"usage": {"prompt_tokens": 3}})  # outside: nothing happens
    """
    return cast("Call | None", nesting.innermost()) or _INERT


def span(
    operation: str,
    *,
    provider: str | None = None,
    model: str | None = None,
    name: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Call:
    """An LLM operation around a block, sync or async.

    Args:
        operation: ``chat``, ``text_completion``, ``generate_content``, ``embeddings``,
            ``retrieval``, ``execute_tool``, ``invoke_agent`` or ``invoke_workflow``.
        provider: as in ``gen_ai.provider.name``, e.g. ``"openai"``.
        model: that is asked.
        name: of the tool, agent, workflow or data source.
        attributes: further ones, such as ``server.address``.

    >>> from aumos_otel import llm
    >>> with llm.span("chat", provider="anthropic", model="claude-sonnet-5") as call:
    ...     call.set_usage(input_tokens=12, output_tokens=40)
    """
    return Call(operations.of_call(operation, provider, model, name, attributes))
