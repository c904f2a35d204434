"""Content that was copied when it was given, and is written out where it is read.

Prompts and answers are nearly always text, lists and dicts of text and numbers.  To copy these costs the caller
next to nothing; to redact them and to make JSON of them costs many times as much, and is left to the thread that
sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel.llm import content

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.llm.shapes.messages import Message

    #: Makes messages of what was given.
    Read = Callable[[object], list[Message] | None]

#: Containers within one another that are copied; what is deeper is shaped at once.
_DEPTH: Final = 16
#: Characters that a value or container counts as, beside its text.
_NODE: Final = 8
_NUMBERS: Final = frozenset({float, bool, type(None)})
_MAX_INT: Final = 2**63


class _Unlike(Exception):  # noqa: N818 - no error: it ends the copying
    """Something that is not copied."""


class Manuscript:
    """Content that is still to be written out.

    Attributes:
        size: bytes that it takes, as estimated.
    """

    __slots__ = ("_copy", "_policy", "_read", "size")

    def __init__(self, copy: object, size: int, read: Read | None, policy: str) -> None:
        self._copy = copy
        self._read = read
        self._policy = policy
        self.size = size

    @classmethod
    def of(cls, given: object, read: Read | None, policy: str) -> Manuscript | None:
        """What is ``given``, as it is now; None if there is nothing, too much, or what cannot be copied.

        Args:
            given: content in any form.
            read: makes messages of it; None: it is a value that is content but no message.
            policy: what may be shown of it; see `content.render`.
        """
        kind = type(given)
        copy: Any = given
        if kind is str:
            size = len(copy)
            if not 0 < size < content.TOTAL_LIMIT:
                return None
        elif (kind is dict or kind is list or kind is tuple) and copy:
            copy = copy.copy() if kind is dict else list(copy)
            try:
                size = _copy_within(copy, _DEPTH, content.TOTAL_LIMIT)
            except _Unlike:
                return None
        else:
            return None
        return cls(copy, size, read, policy)

    def text(self) -> str:
        """The JSON of it; the same each time."""
        is_small = self.size < content.TEXT_LIMIT
        try:
            if self._read is None:
                write_value = content.render_small_value if is_small else content.render_value
                return write_value(self._copy, self._policy) or ""
            write = content.render_small if is_small else content.render
            return write(self._read(self._copy), self._policy) or ""
        except Exception as error:  # noqa: BLE001 - it is counted; nobody who reads a span expects one
            guard.record("llm.content", error)
            return ""


def _copy_within(made: Any, depth: int, room: int) -> int:  # noqa: C901 - one branch a kind of value
    """Put copies in the place of the containers in a list or dict that is ours; returns the characters of it all.

    Raises:
        _Unlike: there is something else in it, or more than there is room for.
    """
    used = _NODE * len(made)
    is_dict = type(made) is dict
    for key, value in made.items() if is_dict else enumerate(made):
        if is_dict and type(key) is not str:
            raise _Unlike
        kind = type(value)
        if kind is str:
            used += len(value)
        elif kind is int:
            if not -_MAX_INT <= value < _MAX_INT:
                raise _Unlike
        elif kind not in _NUMBERS:
            if depth == 0 or used > room:
                raise _Unlike
            if kind is dict:
                copy = made[key] = value.copy()
            elif kind is list or kind is tuple:
                copy = made[key] = list(value)
            else:
                raise _Unlike
            used += _copy_within(copy, depth - 1, room - used)
    if used > room:
        raise _Unlike
    return used
