"""From our log records straight to the bytes that may leave: the short way for what nearly all of them look like.

What a receiver decodes is what it would get by the general way, `reading`, `policy` and `packing`, which
`tests/delivery/test_log_writer.py` holds beside it; what does not fit is left to that.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import _compat
from aumos_otel.delivery import wire
from aumos_otel.delivery.cleaning import Cleaner, text
from aumos_otel.delivery.origin import origin_of
from aumos_otel.delivery.packing import MAX_BYTES
from aumos_otel.delivery.pairs import Pairs
from aumos_otel.delivery.phrases import Phrases
from aumos_otel.delivery.policy import tenant_of
from aumos_otel.delivery.reading import nanoseconds
from aumos_otel.delivery.record import SEVERITY_ERROR
from aumos_otel.delivery.sheaf import Grain, Sheaf, Written
from aumos_otel.delivery.truncation import DEFAULT, shorten, shorten_plain
from aumos_otel.recording.log import Log
from aumos_otel.redaction.plain import DROP
from aumos_otel.redaction.policy import RedactionFailed
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import SpanContext

    from aumos_otel.delivery.pairs import Missing
    from aumos_otel.delivery.parcel import Group
    from aumos_otel.delivery.policy import Policy
    from aumos_otel.delivery.selection import Selection
    from aumos_otel.delivery.truncation import Limits
    from aumos_otel.recording.log import Source

_OPERATION: Final = attributes.GEN_AI_OPERATION_NAME
_TENANT: Final = attributes.AUMOS_TENANT_ID
_LATEST: Final = 2**63 - 1

#: Times: fields 1 and 11.
_pack_times: Final = Struct("<BQBQ").pack

#: A body of no characters, unlike none.
_EMPTY: Final = b"\x0a\x00"

_FRAMES: Final = wire.FRAMES
_VARINTS: Final = wire.VARINTS
_SMALL: Final = len(_FRAMES)

#: Severities that are remembered.
_MOST: Final = 256


class LogWriter:
    """Writes log records of ours under one policy.  For one thread at a time.

    Args:
        policy: what may leave.
        grain: the size of a parcel.
        limits: how long texts may be.
        max_bytes: of one message.
    """

    #: The class of what it writes.
    kind: Final = Log

    def __init__(self, policy: Policy, grain: Grain, limits: Limits = DEFAULT, max_bytes: int = MAX_BYTES) -> None:
        self._policy = policy
        self._grain = grain
        self._longest = limits.body
        self._max_bytes = max_bytes
        self._bodies = Phrases(policy, "body", b"\x0a", limits.body)
        self._severities = Phrases(policy, "severity.text", b"\x1a", limits.name)
        self._event_names = Phrases(policy, attributes.EVENT_NAME, b"\x62", limits.name)
        self._pairs = Pairs(policy, b"\x32", limits)
        #: What `_head` makes of a number and a text.
        self._heads: dict[tuple[int, str | None], bytes] = {}

    def write(self, logs: Sequence[Log]) -> Written:  # noqa: C901, PLR0912 - one loop: a call for each step costs a twentieth
        """Write ``logs``."""
        if not _compat.CONTEXT_IS_TUPLE:
            return Written([], list(logs), 0)
        sheaf, rest, refused = Sheaf(self._grain), [], 0
        ordinary: dict[Source, list[bytes]] = {}
        valued: dict[Source, list[bytes]] = {}
        tenants: dict[Source, str | None] = {}
        place, span = None, b""  # mostly that of the record before
        put, heads, bodies = self._pairs.put, self._heads, self._bodies.known
        for log in logs:
            try:
                time, observed, number, severity, message, arguments, values, event_name, span_context, source = log
                parts: list[bytes] = []
                missing = put(values, parts)
                head = heads.get((number, severity))
                body = bodies.get(message) if arguments is None and type(message) is str else None
                if missing is not None or head is None or not body or event_name:
                    if _TENANT in values:
                        tenant = _tenant(values, source)
                    elif source in tenants:
                        tenant = tenants[source]
                    else:
                        tenant = tenants[source] = _tenant(values, source)
                    with self._policy.record():
                        if not body:
                            body = self._body(log, tenant)
                        if missing is not None or head is None or event_name:
                            head = self._add_unusual(log, parts, missing, tenant)
                if time is None or not 0 < time <= _LATEST:
                    time = nanoseconds(time)
                size = len(body)
                parts += (
                    head,
                    _VARINTS[size] if size < _SMALL else wire.varint(size),
                    body,
                    _pack_times(0x09, time, 0x59, observed),
                )
                if span_context is not place:
                    span, place = _place(span_context), span_context
                parts.append(span)
                data = b"".join(parts)
                size = len(data)
                if size > self._max_bytes:
                    rest.append(log)
                    continue
                piles = valued if number >= SEVERITY_ERROR or _OPERATION in values else ordinary
                pile = piles.get(source)
                if pile is None:
                    pile = piles[source] = sheaf.pile(self._group(source), valued=piles is valued)
                pile += (_FRAMES[size] if size < _SMALL else wire.frame(size), data)
            except RedactionFailed:
                refused += 1
            except BaseException:  # noqa: BLE001 - the general way mends what can be mended, and counts what cannot
                rest.append(log)
        return Written(sheaf.parcels(), rest, refused)

    @staticmethod
    def refusal(selection: Selection, log: Log) -> str | None:
        """The reason for which ``log`` does not go where ``selection`` stands; None if it does."""
        origin = origin_of(log.resource, log.instrumentation_scope)
        own = Cleaner().attributes(log.values)[0] if selection.by_attribute else {}
        return selection.refusal(own, origin, severity=log.severity_number)

    def _group(self, source: Source) -> Group:
        with self._policy.record():
            return self._policy.origin(origin_of(source.resource, source.scope)).group

    def _add_unusual(self, log: Log, parts: list[bytes], missing: Missing | None, tenant: str | None) -> bytes:
        """What is missing of the attributes, and the event name; ``parts`` has attributes alone.  Returns the severity."""
        cleaner, lost = Cleaner(), 0
        event_name = self._event_names.field(cleaner.words(log.event_name), tenant)
        head = self._head(log.severity_number, log.severity_text, cleaner, tenant)
        if missing is not None:
            lost = self._pairs.fill(log.values, parts, missing, cleaner, tenant)
        parts.append(event_name)
        if lost:
            parts.append(b"\x38" + wire.varint(lost))
        return head

    def _head(self, number: int, name: str | None, cleaner: Cleaner, tenant: str | None) -> bytes:
        """The two fields of a severity, and the beginning of that of the body."""
        words = cleaner.words(name)
        head = b"\x10" + wire.varint(number) + self._severities.field(words, tenant) + b"\x2a"
        if words in self._severities.known:  # else it depends on more than itself
            if len(self._heads) >= _MOST:
                self._heads.clear()
            self._heads[number, name] = head
        return head

    def _body(self, log: Log, tenant: str | None) -> bytes:
        """The body as an ``AnyValue``."""
        words = log.body
        if type(words) is not str:
            return self._structure(words, tenant)
        clean = words if words.isascii() and "\0" not in words else text(words)
        if log.arguments is None:
            return self._bodies.field(clean, tenant) or _EMPTY
        left = self._policy.text("body", clean, tenant)  # hardly one is like another: none is remembered
        return wire.string(b"\x0a", left if len(left) <= self._longest else shorten(left, self._longest)) or _EMPTY

    def _structure(self, given: Any, tenant: str | None) -> bytes:
        """A body that is no text, as an ``AnyValue``."""
        clean = Cleaner().value(given)
        if isinstance(clean, str):
            return wire.any_value(shorten(self._policy.text("body", clean, tenant), self._longest))
        left = None if clean is None else self._policy.value("body", clean, tenant)
        return wire.any_value(None if left is DROP else shorten_plain(left, self._longest))


def _tenant(values: dict[str, Any], source: Source) -> str | None:
    """Whose record it is that has these attributes."""
    own = {_TENANT: Cleaner().value(values[_TENANT])} if _TENANT in values else {}
    return tenant_of(own, origin_of(source.resource, source.scope))


def _place(span_context: SpanContext | None) -> bytes:
    """The fields that tell the span."""
    if span_context is None:
        return b""
    trace_id, span_id, _, flags, _, _ = span_context
    return b"".join(
        (
            b"\x4a\x10" + trace_id.to_bytes(16, "big") if trace_id else b"",
            b"\x52\x08" + span_id.to_bytes(8, "big") if span_id else b"",
            b"\x45" + wire.pack_fixed32(flags) if flags else b"",
        )
    )
