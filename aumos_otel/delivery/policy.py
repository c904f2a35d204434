"""What a destination may see of a record: prompts and answers up to its level, redacted by its profile."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from aumos_otel.delivery.record import LogRecord, MetricRecord, SpanRecord
from aumos_otel.redaction import DROP, content
from aumos_otel.redaction.policy import masking
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from aumos_otel.config import Content
    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.record import Record
    from aumos_otel.redaction.policy import Redactor

R = TypeVar("R", bound=SpanRecord | LogRecord | MetricRecord)

#: Origins whose redacted form is remembered.
_MAX_ORIGINS: Final = 1024
#: Texts that are remembered as clean, and how long one of them may be.
_MAX_KNOWN: Final = 8192
_LONGEST_KNOWN: Final = 128


class Policy:
    """Content level and redaction of a destination; equal ones share the prepared bytes.

    Args:
        wanted: the level of prompts and answers that may leave.
        captured: the level that is captured in this process, never lower.
        redactor: None: redaction is switched off.
    """

    def __init__(self, wanted: Content, captured: Content, redactor: Redactor | None) -> None:
        self._wanted = wanted
        self._captured = captured
        self._redactor = redactor
        self._origins: dict[Origin, Origin] = {}
        #: Texts with the place where they were found clean: most come again and again.
        self._clean: set[tuple[str, str]] = set()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self._wanted, self._captured, id(self._redactor)

    def applied(self, record: R) -> R:
        """A copy of ``record`` with what may leave.

        Raises:
            RedactionFailed: it cannot be redacted, and the profile fails closed.
        """
        copy = cast("R", record.copy())
        if len(self._clean) > _MAX_KNOWN:
            self._clean.clear()
        shrink = self._wanted != self._captured
        if shrink or self._redactor is not None:
            tenant = _tenant(record)
            value = self._shrinking(tenant) if shrink else self._redacting(tenant)
            with nullcontext() if self._redactor is None else self._redactor.record():
                copy.rewrite(value, self._text(tenant))
                copy.origin = self._origin(record.origin)
        return copy

    def _origin(self, origin: Origin) -> Origin:
        """Resource and scope are redacted once, for nobody's tenant in particular."""
        if self._redactor is None:
            return origin
        known = self._origins.get(origin)
        if known is None:
            known = origin.rewritten(self._redacting(None), self._text(None))
            if len(self._origins) >= _MAX_ORIGINS:
                self._origins.clear()
            self._origins[origin] = known
        return known

    def _redacting(self, tenant: str | None) -> Any:
        redactor, clean = self._redactor, self._clean

        def value(key: str, given: Any) -> Any:
            if redactor is None:
                return given
            if type(given) is not str or len(given) > _LONGEST_KNOWN:
                return redactor.value(key, given, tenant)
            if (key, given) in clean:
                return given
            left = redactor.value(key, given, tenant)
            if left == given:
                clean.add((key, given))
            return left

        return value

    def _shrinking(self, tenant: str | None) -> Any:
        redact = self._redacting(tenant)

        def value(key: str, given: Any) -> Any:
            if key == attributes.AUMOS_LLM_CONTENT_POLICY:
                return DROP if self._wanted == content.NONE else self._wanted
            given = content.cut(key, given, self._captured, self._wanted, masking())
            return DROP if given is DROP else redact(key, given)

        return value

    def _text(self, tenant: str | None) -> Any:
        redactor, clean = self._redactor, self._clean

        def text(where: str, given: str) -> Any:
            if redactor is None or (where, given) in clean:
                return given
            left = redactor.text(where, given, tenant)
            if left == given and len(given) <= _LONGEST_KNOWN:
                clean.add((where, given))
            return left

        return text


def _tenant(record: Record) -> str | None:
    """Whose record it is; the points of a metric are nobody's in particular."""
    name = attributes.AUMOS_TENANT_ID
    own = {} if isinstance(record, MetricRecord) else record.attributes
    tenant = own.get(name, record.resource_attributes.get(name))
    return tenant if isinstance(tenant, str) else None
