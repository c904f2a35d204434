"""What is to know of an exception's class, found out once: its names, and whose code tells its text."""

from __future__ import annotations

from typing import Final

from aumos_otel._internal import plain

#: Classes that are remembered; more of them are made up, and remembered anew.
_MEMORY: Final = 1024

#: What tells the text of an exception from its arguments alone.
_BUILTIN_STR: Final = (BaseException.__str__, KeyError.__str__)
#: Of these a traceback says more than their text: a suggestion, or a line of source.
_TOLD_AT_LENGTH: Final = (SyntaxError, ImportError, NameError, AttributeError)
#: What a traceback reads of an exception; a class may put code of its own there.
_READ: Final = ("__traceback__", "__cause__", "__context__", "__suppress_context__")


class ExceptionClass:
    """One class of exceptions.

    Attributes:
        error_type: value of ``error.type``: the name with its module, which builtins go without.
        heading: the name in a traceback.
        plain: whether its text is told by builtins, from the arguments alone.
        single: whether a traceback reads it without code of the class, and it is no group.
        brief: whether a traceback says nothing of it but name and text, unless it has notes; ``single`` as well.
    """

    __slots__ = ("brief", "error_type", "heading", "kind", "plain", "single")

    def __init__(self, kind: type[BaseException]) -> None:
        module, name = kind.__module__, kind.__qualname__
        self.kind = kind
        self.error_type = name if module == "builtins" else f"{module}.{name}"
        self.heading = name if module in ("builtins", "__main__") else f"{module}.{name}"
        try:
            self.plain, self.single = _plain(kind), _single(kind)
            self.brief = self.single and not issubclass(kind, _TOLD_AT_LENGTH) and not hasattr(kind, "__notes__")
        except Exception:  # noqa: BLE001 - code of a metaclass; what it hides is asked with care then
            self.plain = self.single = self.brief = False


def _untouched(kind: type[BaseException]) -> bool:
    return kind.__getattribute__ is BaseException.__getattribute__ and not hasattr(kind, "__getattr__")


def _plain(kind: type[BaseException]) -> bool:
    own = kind.__module__ != "builtins" and kind.__str__ not in _BUILTIN_STR
    return not own and _untouched(kind) and kind.args is BaseException.args


def _single(kind: type[BaseException]) -> bool:
    return (
        _untouched(kind)
        and not issubclass(kind, BaseExceptionGroup)
        and all(getattr(kind, name) is getattr(BaseException, name) for name in _READ)
    )


_known: dict[int, ExceptionClass] = {}


def of(error: BaseException) -> ExceptionClass:
    """What is known of the class of ``error``; it is kept alive with that, so that its id stays its own."""
    kind = type(error)
    known = _known.get(id(kind))
    if known is None:
        if len(_known) >= _MEMORY:
            _known.clear()
        known = _known[id(kind)] = ExceptionClass(kind)
    return known


def is_plain(error: BaseException) -> bool:
    """Whether the text of ``error`` comes from builtins alone, so that asking for it can neither raise nor hang."""
    if not of(error).plain:
        return False
    for argument in error.args[:1] if isinstance(error, BaseExceptionGroup) else error.args:
        if type(argument) not in plain.SCALARS:
            return False
    return True
