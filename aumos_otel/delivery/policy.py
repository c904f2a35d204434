"""What a destination may see of a record: prompts and answers up to its level, redacted by its profile."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from aumos_otel.delivery.record import LogRecord, MetricRecord, SpanRecord
from aumos_otel.redaction import DROP, content
from aumos_otel.redaction.policy import masking
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from aumos_otel.config import Content
    from aumos_otel.delivery.origin import Origin
    from aumos_otel.redaction.plain import Plain
    from aumos_otel.redaction.policy import Redactor

R = TypeVar("R", bound=SpanRecord | LogRecord | MetricRecord)

#: Origins whose redacted form is remembered.
_MAX_ORIGINS: Final = 1024

#: Short texts that are remembered as clean, since most come again and again, and how long one may be.
_MAX_KNOWN: Final = 4096
_LONGEST_KNOWN: Final = 128

_NO_BUDGET: Final = nullcontext()


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
        self._shrinks = wanted != captured
        self._origins: dict[Origin, Origin] = {}
        # By the place where they were found clean.  A key may tell that its values are secret; the place of a text, which
        # may have the same name, does not.
        self._clean_values: set[tuple[str, Any]] = set()
        self._clean_texts: set[tuple[str, Any]] = set()

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
        if self._shrinks or self._redactor is not None:
            tenant = tenant_of({} if isinstance(record, MetricRecord) else record.attributes, record.origin)
            with self.record():
                copy.rewrite(
                    _remembering(self.value, self._clean_values, tenant),
                    _remembering(self.text, self._clean_texts, tenant),
                )
                copy.origin = self.origin(record.origin)
        return copy

    def record(self) -> AbstractContextManager[None]:
        """One record: what is redacted inside shares one budget of time."""
        return _NO_BUDGET if self._redactor is None else self._redactor.record()

    def value(self, key: str, value: Plain, tenant: str | None) -> Any:
        """An attribute as it may leave; DROP if it has to go.  See `Redactor.value`."""
        if self._shrinks:
            if key == attributes.AUMOS_LLM_CONTENT_POLICY:
                return DROP if self._wanted == content.NONE else self._wanted
            left = content.cut(key, value, self._captured, self._wanted, masking())
            if left is DROP:
                return DROP
            value = left
        return value if self._redactor is None else self._redactor.value(key, value, tenant)

    def text(self, where: str, text: str, tenant: str | None) -> Any:
        """A name, message or key as it may leave.  See `Redactor.text`."""
        return text if self._redactor is None else self._redactor.text(where, text, tenant)

    def origin(self, origin: Origin) -> Origin:
        """Resource and scope as they may leave: redacted once, for nobody's tenant in particular; within `record`."""
        redactor = self._redactor
        if redactor is None:
            return origin
        known = self._origins.get(origin)
        if known is None:
            known = origin.rewritten(redactor.value, redactor.text)
            if len(self._origins) >= _MAX_ORIGINS:
                self._origins.clear()
            self._origins[origin] = known
        return known


def _remembering(
    decide: Callable[[str, Any, str | None], Any], clean: set[tuple[str, Any]], tenant: str | None
) -> Callable[[str, Any], Any]:
    """``decide`` for one tenant; it is not asked again about a short text that it left as it was."""

    def decided(place: str, given: Any) -> Any:
        if type(given) is not str or len(given) > _LONGEST_KNOWN:
            return decide(place, given, tenant)
        if (place, given) in clean:
            return given
        left = decide(place, given, tenant)
        if left == given:
            if len(clean) >= _MAX_KNOWN:
                clean.clear()
            clean.add((place, given))
        return left

    return decided


def tenant_of(own: Mapping[str, Plain], origin: Origin) -> str | None:
    """Whose record it is that has these clean attributes; the points of a metric are nobody's in particular."""
    name = attributes.AUMOS_TENANT_ID
    tenant = own.get(name, origin.resource_attributes.get(name))
    return tenant if isinstance(tenant, str) else None
