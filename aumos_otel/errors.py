"""Every error that aumos-otel raises on purpose.

AumosOtelError
├── ConfigError              a wrong option, variable or file; raised by configure() only
│   ├── AlreadyConfiguredError   configure() was called again with other arguments
│   └── MissingExtraError        the option needs an optional part that is not installed
├── PriceTableError          a price table that cannot be read as one
├── SpoolError               what is on disk cannot be written, read or erased
├── ObjectiveError           a file of objectives that cannot be used; all that is wrong with it
├── SourceError              counts of the past cannot be had, or cannot be read as such
├── RolloutError             rules cannot be read from, or written to, where they run
└── LocalBackendError        the embedded backend cannot start or be reached

A message has four parts, always in this order: what the object is, what was seen, what
was expected, and what to do next.  Nothing here is raised into user code after
``configure()`` returned; see `aumos_otel.guard` for that rule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREDENTIALS = re.compile(r"://[^/@\s]+@")


class AumosOtelError(Exception):
    """Base of all errors of this distribution.

    >>> from aumos_otel.errors import AumosOtelError, ConfigError
    >>> issubclass(ConfigError, AumosOtelError)
    True
    """


class _StructuredError(AumosOtelError):
    """An error that names its subject, what was seen, what was expected and the remedy."""

    def __init__(self, subject: str, *, seen: object, expected: str, remedy: str) -> None:
        self.subject = subject
        self.seen = seen
        self.expected = expected
        self.remedy = remedy
        super().__init__(f"{subject}: got {_shorten(seen)}, expected {expected}; {remedy}")


class ConfigError(_StructuredError):
    """A wrong option, environment variable or configuration file.

    Attributes:
        subject: the option or variable, e.g. ``"sampling.ratio"``.
        seen: the offending value.
        expected: what would have been right, in words.
        remedy: what to do next, in words.

    >>> from aumos_otel.errors import ConfigError
    >>> print(ConfigError("sampling.ratio", seen=3, expected="a number from 0 to 1", remedy="pass ratio=0.1"))
    sampling.ratio: got 3, expected a number from 0 to 1; pass ratio=0.1
    """


class AlreadyConfiguredError(ConfigError):
    """``configure()`` was called a second time with other arguments."""


class MissingExtraError(ConfigError):
    """An option needs an optional dependency group of the distribution."""

    def __init__(self, subject: str, *, extra: str, module: str) -> None:
        super().__init__(
            subject,
            seen=f"no module named {module!r}",
            expected=f"the extra [{extra}]",
            remedy=f"run: pip install 'aumos-otel[{extra}]'",
        )


class PriceTableError(_StructuredError):
    """A price table that cannot be read as one."""


class SpoolError(_StructuredError):
    """What is kept on disk cannot be written, read or erased."""


class ObjectiveError(_StructuredError):
    """A file of objectives that cannot be used, with all that is wrong with it.

    Attributes:
        problems: one at least; the text of each is a line such as
            ``slo.yaml:7: slos[0].target: got 99.9, expected a share such as 99.9% or 0.999``.

    >>> from aumos_otel.errors import ObjectiveError
    >>> print(ObjectiveError("slo.yaml", ["slo.yaml:7: slos[0].name: got 'A', expected lower-case letters"]))
    slo.yaml:7: slos[0].name: got 'A', expected lower-case letters
    """

    def __init__(self, subject: str, problems: Iterable[object]) -> None:
        self.problems = tuple(problems)
        super().__init__(subject, seen=self.problems, expected="a file without problems", remedy="correct each of them")

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class SourceError(_StructuredError):
    """What an objective counted cannot be had from where it is kept, or cannot be read as counts."""


class RolloutError(_StructuredError):
    """Rules cannot be read from, or written to, what runs them."""


class LocalBackendError(_StructuredError):
    """The embedded backend cannot start or be reached."""


def _shorten(value: object, limit: int = 200) -> str:
    if isinstance(value, str) and value.startswith("no module named"):
        return value
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = _CREDENTIALS.sub("://***@", text)
    return text if len(text) <= limit else text[:limit] + "…"
