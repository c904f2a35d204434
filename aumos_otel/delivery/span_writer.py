"""From our finished spans straight to the bytes that may leave: the short way for what nearly all spans look like.

What a receiver decodes is what it would get by the general way, `reading`, `policy` and `packing`, which
`tests/delivery/test_span_writer.py` holds beside it; what does not fit is left to that.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from aumos_otel import _compat
from aumos_otel.delivery import wire
from aumos_otel.delivery.cleaning import Cleaner
from aumos_otel.delivery.origin import origin_of
from aumos_otel.delivery.packing import MAX_BYTES
from aumos_otel.delivery.pairs import Pairs
from aumos_otel.delivery.phrases import Phrases
from aumos_otel.delivery.policy import tenant_of
from aumos_otel.delivery.reading import HAS_REMOTE, IS_REMOTE, count32, nanoseconds, period, trace_state
from aumos_otel.delivery.record import ERROR
from aumos_otel.delivery.sheaf import Grain, Sheaf, Written
from aumos_otel.delivery.truncation import DEFAULT
from aumos_otel.recording.span import Span
from aumos_otel.redaction.policy import RedactionFailed
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import SpanContext

    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.pairs import Missing
    from aumos_otel.delivery.parcel import Group
    from aumos_otel.delivery.policy import Policy
    from aumos_otel.delivery.selection import Selection
    from aumos_otel.delivery.truncation import Limits

_OPERATION: Final = attributes.GEN_AI_OPERATION_NAME
_TENANT: Final = attributes.AUMOS_TENANT_ID
_INTERNAL: Final = SpanKind.INTERNAL
_LATEST: Final = 2**63 - 1

#: Kind, start and end: fields 6, 7 and 8.
_pack_times: Final = Struct("<BBBQBQ").pack

#: Without a status (field 15), and the flags (field 16): the parent, if any, is of this process, or of another one.
_FLAGS: Final = b"\x85\x01" + wire.pack_fixed32(HAS_REMOTE)
_REMOTE_FLAGS: Final = b"\x85\x01" + wire.pack_fixed32(HAS_REMOTE | IS_REMOTE)
_NO_STATUS: Final = b"\x7a\x00"

#: Fields 1, 2 and 4 up to their bytes.
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\x0a\x10", b"\x12\x08", b"\x22\x08"

_FRAMES: Final = wire.FRAMES
_SMALL: Final = len(_FRAMES)

#: Which part of the largest message a span may be estimated to take, to go this way: it is not to be redacted twice.
_LARGE_SHARE: Final = 8


class _Speaker:
    """Who speaks, within one chunk: as it is and as it leaves, and the piles of its ordinary and its valued records."""

    __slots__ = ("group", "origin", "piles", "tenant")

    def __init__(self, origin: Origin, group: Group) -> None:
        self.origin = origin
        self.group = group
        self.piles: list[list[bytes] | None] = [None, None]
        self.tenant = tenant_of({}, origin)

    def tenant_of(self, values: dict[str, Any], cleaner: Cleaner) -> str | None:
        """Whose record it is that has these attributes."""
        return tenant_of({_TENANT: cleaner.value(values[_TENANT])}, self.origin) if _TENANT in values else self.tenant


class SpanWriter:
    """Writes spans of ours under one policy.  For one thread at a time.

    Args:
        policy: what may leave.
        grain: the size of a parcel.
        limits: how long texts may be.
        max_bytes: of one message.
    """

    #: The class of what it writes.
    kind: Final = Span

    def __init__(self, policy: Policy, grain: Grain, limits: Limits = DEFAULT, max_bytes: int = MAX_BYTES) -> None:
        self._policy = policy
        self._grain = grain
        self._max_bytes = max_bytes
        self._large = max_bytes // _LARGE_SHARE
        self._no_state: Any = None  # the empty one that was seen last: mostly there is only one
        self._names = Phrases(policy, "name", b"\x2a", limits.name)
        self._messages = Phrases(policy, "status.message", b"\x12", limits.message)
        self._event_names = Phrases(policy, attributes.EVENT_NAME, b"\x12", limits.name)
        self._pairs = Pairs(policy, b"\x4a", limits)
        self._event_pairs = Pairs(policy, b"\x1a", limits)
        self._link_pairs = Pairs(policy, b"\x22", limits)

    def write(self, spans: Sequence[Span]) -> Written:  # noqa: C901, PLR0912, PLR0915 - one loop: a call for each step costs a twentieth
        """Write ``spans``, which have ended."""
        if not _compat.CONTEXT_IS_TUPLE:
            return Written([], list(spans), 0)
        sheaf, rest, refused = Sheaf(self._grain), [], 0
        speakers: dict[Any, _Speaker] = {}
        put, names, most, large = self._pairs.put, self._names.known, self._max_bytes, self._large
        for span in spans:
            try:
                if span.size > large or span.own_resource is not None or span.own_scope is not None:
                    rest.append(span)
                    continue
                speaker = speakers.get(span.recorder)
                if speaker is None:
                    speaker = speakers[span.recorder] = self._speaker(span.recorder)
                if span.deferred:
                    span.make()
                parts: list[bytes] = []
                missing = put(values := span.values, parts)
                name = names.get(span.name)
                rare = span.code or span.lost_values or span.happenings is not None or span.references is not None
                if name is None or rare:
                    with self._policy.record():
                        self._add_unusual(span, parts, missing, speaker)
                else:
                    if missing is not None:
                        with self._policy.record():
                            self._fill(values, parts, missing, speaker)
                    parts += (name, _NO_STATUS)
                trace_id, span_id, _, _, state, _ = span.context
                if state is not self._no_state:
                    self._add_state(state, parts)
                kind, start, end = span.kind, span.start_time, span.end_time
                if not 0 < start <= end <= _LATEST:  # type: ignore[operator]  # a span that has ended has both
                    start, end = period(start, end)
                times = _pack_times(0x30, 1 if kind is _INTERNAL else _number(kind), 0x39, start, 0x41, end)
                parts += (_TRACE_ID, trace_id.to_bytes(16, "big"), _SPAN_ID, span_id.to_bytes(8, "big"), times)
                flags = _FLAGS
                if span.parent is not None:
                    _, parent_id, remote, _, _, _ = span.parent
                    if parent_id:
                        parts += (_PARENT_ID, parent_id.to_bytes(8, "big"))
                    if remote:
                        flags = _REMOTE_FLAGS
                parts.append(flags)
                data = b"".join(parts)
                size = len(data)
                if size > most:
                    rest.append(span)
                    continue
                which = _OPERATION in values or span.code == ERROR
                pile = speaker.piles[which]
                if pile is None:
                    pile = speaker.piles[which] = sheaf.pile(speaker.group, valued=which)
                pile += (_FRAMES[size] if size < _SMALL else wire.frame(size), data)
            except RedactionFailed:
                refused += 1
            except BaseException:  # noqa: BLE001 - the general way mends what can be mended, and counts what cannot
                rest.append(span)
        return Written(sheaf.parcels(), rest, refused)

    @staticmethod
    def refusal(selection: Selection, span: Span) -> str | None:
        """The reason for which ``span`` does not go where ``selection`` stands; None if it does."""
        origin = origin_of(span.resource, span.instrumentation_scope)
        own = Cleaner().attributes(span.values)[0] if selection.by_attribute else {}
        return selection.refusal(own, origin, trace_id=span.context.trace_id)

    def _speaker(self, recorder: Any) -> _Speaker:
        origin = origin_of(recorder.resource, recorder.scope)
        with self._policy.record():
            return _Speaker(origin, self._policy.origin(origin).group)

    def _fill(self, values: dict[str, Any], parts: list[bytes], missing: Missing, speaker: _Speaker) -> None:
        """What is missing of the attributes; ``parts`` has attributes alone."""
        cleaner = Cleaner()
        lost = self._pairs.fill(values, parts, missing, cleaner, speaker.tenant_of(values, cleaner))
        if lost:
            parts.append(b"\x50" + wire.varint(lost))

    def _add_state(self, state: Any, parts: list[bytes]) -> None:
        """The trace state, unless it is empty."""
        if state:
            parts.append(wire.string(b"\x1a", trace_state(state, Cleaner())))
        else:
            self._no_state = state

    def _add_unusual(self, span: Span, parts: list[bytes], missing: Missing | None, speaker: _Speaker) -> None:
        """Name and status, what is missing of the attributes, events and links; ``parts`` has attributes alone."""
        cleaner = Cleaner()
        values, lost = span.values, count32(span.lost_values)
        tenant = speaker.tenant_of(values, cleaner)
        name = self._names.field(cleaner.words(span.name), tenant)
        status = self._messages.field(cleaner.words(span.description), tenant)
        if span.code in (1, 2):
            status += b"\x18" + wire.varint(span.code)
        if missing is not None:
            lost += self._pairs.fill(values, parts, missing, cleaner, tenant)
        parts += (name, b"\x7a", wire.delimited(status))
        if lost:
            parts.append(b"\x50" + wire.varint(lost))
        if span.happenings:
            for event in span.happenings:
                parts += (b"\x5a", wire.delimited(self._event(event, cleaner, tenant)))
        if span.lost_events:
            parts.append(b"\x60" + wire.varint(count32(span.lost_events)))
        if span.references:
            for link in span.references:
                parts += (b"\x6a", wire.delimited(self._link(link, cleaner, tenant)))
        if span.lost_links:
            parts.append(b"\x70" + wire.varint(count32(span.lost_links)))

    def _event(self, event: tuple[str, int, dict[str, Any], int], cleaner: Cleaner, tenant: str | None) -> bytes:
        name, time, values, lost = event
        parts: list[bytes] = []
        field = self._event_names.field(cleaner.words(name), tenant)
        lost = _put(self._event_pairs, values, parts, cleaner, tenant) + count32(lost)
        parts += (b"\x09", wire.pack_fixed64(nanoseconds(time)), field)
        if lost:
            parts.append(b"\x20" + wire.varint(lost))
        return b"".join(parts)

    def _link(self, link: tuple[SpanContext, dict[str, Any], int], cleaner: Cleaner, tenant: str | None) -> bytes:
        (trace_id, span_id, remote, _, state, _), values, lost = link
        parts: list[bytes] = []
        lost = _put(self._link_pairs, values, parts, cleaner, tenant) + count32(lost)
        parts += (
            b"\x0a\x10",
            trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            span_id.to_bytes(8, "big"),
            wire.string(b"\x1a", trace_state(state, cleaner)),
            b"\x35",
            wire.pack_fixed32(HAS_REMOTE | IS_REMOTE if remote else HAS_REMOTE),
        )
        if lost:
            parts.append(b"\x28" + wire.varint(lost))
        return b"".join(parts)


def _put(pairs: Pairs, values: dict[str, Any], parts: list[bytes], cleaner: Cleaner, tenant: str | None) -> int:
    """Append attributes to ``parts``, which is empty, and say how many were dropped."""
    missing = pairs.put(values, parts)
    return 0 if missing is None else pairs.fill(values, parts, missing, cleaner, tenant)


def _number(kind: Any) -> int:
    return kind.value + 1 if type(kind) is SpanKind else 1
