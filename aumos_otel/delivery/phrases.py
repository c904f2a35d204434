"""A field of text as bytes that may leave, remembered for texts that come again: names, messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aumos_otel.delivery import wire
from aumos_otel.delivery.truncation import shorten
from aumos_otel.redaction.plain import DROP

if TYPE_CHECKING:
    from aumos_otel.delivery.policy import Policy

#: Longest text that is remembered, in characters, and how many are.
_SHORT: Final = 128
_MOST: Final = 2048


class Phrases:
    """Writes one field of text under one policy.

    Args:
        policy: what may leave.
        where: what the text is, for the policy.
        tag: of the field.
        limit: how long it may be, in characters.

    Attributes:
        known: the field for a text that leaves as it is, each time.
    """

    def __init__(self, policy: Policy, where: str, tag: bytes, limit: int) -> None:
        self.known: dict[str, bytes] = {"": b""}
        self._policy = policy
        self._where = where
        self._tag = tag
        self._limit = limit

    def field(self, words: str, tenant: str | None) -> bytes:
        """The field for ``words``, which are clean (see `Cleaner.words`); within `Policy.record`.

        Raises:
            RedactionFailed: it cannot be redacted, and the profile fails closed.
        """
        known = self.known.get(words) if len(words) <= _SHORT else None
        if known is not None:
            return known
        left = self._policy.text(self._where, words, tenant)
        field = wire.string(self._tag, "" if left is DROP else shorten(left, self._limit))
        if left == words and len(words) <= _SHORT <= self._limit:
            if len(self.known) >= _MOST:
                self.known.clear()
            self.known[words] = field
        return field
