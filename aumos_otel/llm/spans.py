"""One LLM operation: its span, and all that is learned while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self, cast

from opentelemetry import trace
from opentelemetry.context import Context

from aumos_otel import context as identity
from aumos_otel import guard
from aumos_otel._internal import failure, flow
from aumos_otel._internal.attachment import Attachment
from aumos_otel.llm import accounting, metrics, nesting, operations, settings, usage
from aumos_otel.llm.capture import Capture
from aumos_otel.llm.pace import Pace
from aumos_otel.semconv import attributes as attr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from aumos_otel.llm.usage import Reading

#: Most pieces of text that are kept of one stream.
_WORDS_KEPT: Final = 65_536

#: In the place of a context that would keep an ended call alive.
_NO_CONTEXT: Final = Context()


class Call:
    """An LLM operation, as `span` opens it and `current` finds it.

    Before it starts, after it ended and while nobody listens, its methods do nothing; none of
    them ever raises.
    """

    __slots__ = (
        "_account",
        "_attachment",
        "_bag",
        "_by_hand",
        "_capture",
        "_failed_with",
        "_open",
        "_operation",
        "_outer",
        "_pace",
        "_said",
        "_settings",
        "_stream",
        "context",
        "family",
        "span",
    )

    def __init__(self, operation: operations.Operation) -> None:
        self._operation = operation
        self._open: list[bool] = []
        self._attachment: Attachment | None = None
        #: Whose tokens it counts; None: agents, workflows and tools have no usage of their own.
        self.family = nesting.family_of(operation.verb)
        #: The OpenTelemetry span; an invalid one while there is none.
        self.span: Span = trace.INVALID_SPAN
        self.context = _NO_CONTEXT

    def start(self, request: Mapping[str, AttributeValue] | None = None) -> bool:
        """Start the span; False when nobody listens."""
        if not operations.listening():
            return False
        flow.end_abandoned()
        self._settings = settings.current()
        outer = nesting.innermost()
        self._outer = outer if outer is not None and self.family is not None and outer.family == self.family else None
        self._account = accounting.Account()
        self._capture = Capture(self._operation.verb, self._settings)
        self._failed_with: tuple[int, str] | None = None
        self._stream: usage.StreamReading | None = None
        self._said: list[str] = []
        self._by_hand = False
        attributes = self._operation.start_attributes(request or {}, self._settings)
        self._bag: metrics.Bag = dict(attributes)
        tenant = identity.metric_tenant()
        if tenant is not None:
            self._bag[attr.AUMOS_TENANT_ID] = tenant
        self.span = self._operation.start(attributes)
        self.context = nesting.enclose(self, trace.set_span_in_context(self.span))
        self._pace = Pace()
        self._open.append(True)
        return True

    def __enter__(self) -> Self:
        with guard.swallow("llm.start"):
            if self.start():
                self._attachment = Attachment(self.context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.release()
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
        return self._account.newest.response_id if self._open else None

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
        with guard.swallow("llm.usage"):
            if self._open and self.family is not None:
                counts = (input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens)
                self._account.set(usage.Usage(*counts))

    def record(self, response: object) -> None:
        """Hand over a client's response: usage, model, id and finish reasons are read from it.

        Several responses in one call add up; the same response twice counts once.  Agents,
        workflows and tools have no response of their own: for them this does nothing.
        """
        with guard.swallow("llm.record"):
            if self._open and self.family is not None:
                reading = usage.read(response, content=self._capture.wanted)
                if reading is not None:
                    self._account.add(reading)

    def record_chunk(self, chunk: object) -> None:
        """Hand over one chunk of a client's stream, at the time it arrives."""
        with guard.swallow("llm.record"):
            if self._open:
                self._by_hand = True
                self._chunk(chunk)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute of the span."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes of the span; the metrics take over those that they have too."""
        with guard.swallow("llm.attributes"):
            if self._open:
                self._bag.update(attributes)
                self.span.set_attributes(attributes)

    def set_input(self, messages: object) -> None:
        """Give the prompt: a str, a message or a list of them; kept as the content policy says."""
        with guard.swallow("llm.content"):
            if self._open and self._capture.wanted:
                self._capture.prompt(messages)

    def set_output(self, messages: object) -> None:
        """Give the answer: a str, a message or a list of them; kept as the content policy says."""
        with guard.swallow("llm.content"):
            if self._open and self._capture.wanted:
                self._capture.answer(messages)

    def fail(self, error: BaseException) -> None:
        """Tell of an error that does not leave the block."""
        with guard.swallow("llm.fail"):
            if self._open and (self._failed_with is None or self._failed_with[0] != id(error)):
                self._failed_with = id(error), failure.error_type(error)
                failure.record(self.span, error)

    def asked(self, arguments: Mapping[str, object]) -> None:
        """What the decorated function was called with."""
        with guard.swallow("llm.content"):
            if self._open and self._capture.wanted:
                self._capture.asked(arguments)

    def yielded(self, item: object) -> None:
        """An item of the decorated stream: a chunk, unless chunks are recorded by hand."""
        if self._open and not self._by_hand:
            with guard.swallow("llm.chunk"):
                self._chunk(item)

    def returned(self, value: object) -> None:
        """The result of the decorated function, or what was read of it."""
        with guard.swallow("llm.result"):
            if not self._open:
                return
            reading = value if isinstance(value, usage.Reading) else None
            if reading is None and self.family is not None and self._account.is_empty:
                reading = usage.read(value, content=self._capture.wanted)
            if reading is None:
                if self._capture.wanted:
                    self._capture.answered(value)
            elif self.family is not None:
                self._account.add(reading)

    def ended(self, error: BaseException | None = None, *, abandoned_at: int | None = None) -> None:
        """The end; only the first call counts, also among threads."""
        try:
            self._open.pop()
        except IndexError:
            return
        now = time.perf_counter_ns()
        late = 0 if abandoned_at is None else now - abandoned_at
        with guard.swallow("llm.end"):
            try:
                self._tell(error, self._pace.until(now - late), abandoned=abandoned_at is not None)
            finally:
                self.span.end(time.time_ns() - late if late else None)
                self.context = _NO_CONTEXT

    def child_used(self, reading: Reading, *, has_cost: bool, has_metrics: bool) -> None:
        """Somebody else's span inside reports usage; see `aumos_otel.llm.nesting`."""
        self._account.child_used(reading, has_cost=has_cost, has_metrics=has_metrics)

    def child_ended(self, *, counted: bool, missing: int) -> None:
        """A call of ours inside has ended; see `aumos_otel.llm.nesting`."""
        self._account.child_ended(counted=counted, missing=missing)

    def _chunk(self, chunk: object) -> None:
        if self.family == nesting.INFERENCE:
            if self._pace.chunk():
                self._stream = usage.StreamReading(content=self._capture.wanted)
                self.span.set_attribute(attr.GEN_AI_REQUEST_STREAM, True)  # noqa: FBT003 - an attribute's value
            if self._stream is not None:
                self._stream.feed(chunk)
        if isinstance(chunk, str) and self._capture.wanted and len(self._said) < _WORDS_KEPT:
            self._said.append(chunk)

    def _tell(self, error: BaseException | None, seconds: float, *, abandoned: bool) -> None:
        """Put on the span, and into metrics and events, what was learned."""
        read = None if self._stream is None else self._stream.result()
        if read is not None:
            self._account.add(read)
        newest = self._account.newest
        told = _response_attributes(newest)
        if newest.provider is not None and attr.GEN_AI_PROVIDER_NAME not in self._bag:
            told[attr.GEN_AI_PROVIDER_NAME] = newest.provider
        if error is not None and not failure.is_interruption(error):
            self._fail_at_the_end(error)
        elif (outcome := _outcome(error, abandoned=abandoned, complete=bool(newest.finish_reasons))) is not None:
            told[attr.AUMOS_LLM_OUTCOME] = outcome
        if self._failed_with is not None:
            told[attr.ERROR_TYPE] = self._failed_with[1]
        self._bag.update(told)
        told.update(self._pace.measured())
        if self.family is not None:
            told.update(self._settle())
        if not self._account.delegated:
            metrics.duration(self._operation.verb, seconds, self._bag, self._settings, self.context)
            self._pace.tell(self._bag, self._settings, self.context)
        self.span.set_attributes(told)
        if self._capture.wanted:
            self._capture_answer(newest)
            self._capture.put(self.span, self._bag | told, self.context, event=self.family == nesting.INFERENCE)

    def _fail_at_the_end(self, error: BaseException) -> None:
        if self._failed_with is None or self._failed_with[0] != id(error):
            self._failed_with = id(error), failure.error_type(error)
            failure.record(self.span, error)

    def _capture_answer(self, newest: Reading) -> None:
        if newest.output:
            self._capture.answered(newest.output)
        elif self._said:
            self._capture.answered("".join(self._said))

    def _settle(self) -> dict[str, float | int | str]:
        """Count the tokens and their cost, once, and tell the call around this one."""
        has_output = self.family == nesting.INFERENCE
        shares, missing = self._account.settle(self.span.get_span_context().trace_id, has_output=has_output)
        told = accounting.tell(shares, self._bag, self._settings, self.context, has_output=has_output)
        if self._failed_with is not None:
            missing = 0  # no answer, no usage
        if not self._account.has_inner_call:
            metrics.count_call()
        if self._outer is not None and self._outer.is_open:
            self._outer.child_ended(counted=missing == 0 and self._failed_with is None, missing=missing)
        elif missing:
            metrics.usage_missing(missing, self._bag, self.context)
        return told


def _response_attributes(reading: Reading) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue | None] = {
        attr.GEN_AI_RESPONSE_ID: reading.response_id,
        attr.GEN_AI_RESPONSE_MODEL: reading.model,
        attr.GEN_AI_RESPONSE_FINISH_REASONS: reading.finish_reasons or None,
        attr.GEN_AI_EMBEDDINGS_DIMENSION_COUNT: reading.dimensions,
        attr.OPENAI_API_TYPE: reading.api_type,
        attr.OPENAI_RESPONSE_SERVICE_TIER: reading.service_tier,
        attr.OPENAI_RESPONSE_SYSTEM_FINGERPRINT: reading.system_fingerprint,
    }
    return {name: value for name, value in found.items() if value is not None}


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
    return Call(operations.Operation(operations.verb_of(operation), provider, model, name, attributes or {}))
