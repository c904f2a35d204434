"""Every error that aumos-otel raises on purpose.

AumosOtelError
├── ConfigError              a wrong option, variable or file; raised by configure() only
│   ├── AlreadyConfiguredError   configure() was called again with other arguments
│   └── MissingExtraError        the option needs an optional part that is not installed
├── PriceTableError          a price table that cannot be read as one
├── SpoolError               what is on disk cannot be written, read or erased
├── RolloutError             rules cannot be read from, or written to, where they run
└── LocalBackendError        the embedded backend cannot start or be reached

A message has four parts, always in this order: what the object is, what was seen, what
was expected, and what to do next.  Nothing here is raised into user code after
``configure()`` returned; see `aumos_otel.guard` for that rule.
"""

from __future__ import annotations

import re

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
