"""What becomes of records: each text, attribute and body as it may leave.

Used on worker threads, by any number of them at once.
"""

from __future__ import annotations

import functools
import json
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aumos_otel import guard
from aumos_otel.config import RedactionOptions
from aumos_otel.errors import AumosOtelError
from aumos_otel.semconv import attributes as attr

from . import excerpt, urls
from .cards import DETECTORS as CARDS
from .cards import is_card
from .content import CONTENT
from .keys import SecretNames
from .plain import DROP, Drop, Plain
from .scan import Budget, OverBudgetError
from .texts import BUDGET, BY_NAME, DEPTH, ERROR, DroppedError, Texts, mask

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that one record may take; what is left of it then is masked unseen.
RECORD_BUDGET: Final = 0.25
#: Characters of one text among LLM content that are searched and kept.
CONTENT_LIMIT: Final = 1024 * 1024
#: Levels of nesting that are looked into.
DEPTH_LIMIT: Final = 64

_JSON_LIMIT: Final = 4 * 1024 * 1024
_CARD_INTEGERS: Final = range(10**14, 10**16)
_URLS: Final = frozenset({attr.URL_FULL, attr.URL_QUERY, attr.HTTP_URL, attr.HTTP_TARGET})
#: Where a text may be more than one text.
_STRUCTURED: Final = _URLS | CONTENT


class RedactionFailed(AumosOtelError):  # noqa: N818 - it says what happened; counted as redaction_failed
    """A record could not be told clean, and `RedactionOptions.fail_closed` wants it dropped then."""


class Redactor:
    """Redacts texts and values as ``options`` say.

    Args:
        options: with every field filled (`Options.resolve`).

    Raises:
        ConfigError: ``hash`` without a key, or a pattern that is wrong or not linear.

    >>> from aumos_otel.config import RedactionOptions
    >>> from aumos_otel.redaction.policy import Redactor
    >>> redactor = Redactor(RedactionOptions(personal="mask").resolve({}, {}, {}))
    >>> redactor.text("log.body", "ann@example.com has password=hunter2")
    '[REDACTED:email] has password=[REDACTED:password]'
    """

    def __init__(self, options: RedactionOptions) -> None:
        self._secrets = options.secrets != "keep"
        self._fail_closed = options.fail_closed
        self._texts = Texts(options)
        self._names = SecretNames(options.keys, ours=self._secrets)
        self._local = threading.local()
        self._record = _Record(self._local)

    def record(self) -> _Record:
        """One record: what is redacted inside, on this thread, shares one budget of `RECORD_BUDGET` seconds."""
        return self._record

    def is_surely_clean(self, text: str) -> bool:
        """Whether ``text``, and any part of it, is clean as it is written.

        So it stays under any name that tells of no secret, but those of URLs and LLM content, whose
        texts are read as what they are.  Told by what every finding needs to have in it, which costs
        a fraction of a search.  False proves nothing; it is the answer wherever the user's own
        patterns or function have a say.
        """
        return len(text) <= excerpt.LIMIT and self._texts.is_surely_clean(text)

    def value(self, key: str, value: Plain, tenant: str | None = None) -> Plain | Drop:
        """An attribute as it may leave; containers are copied, not changed.

        Args:
            key: name of the attribute.
            value: JSON values or bytes.
            tenant: whose key the action ``hash`` takes.

        Returns:
            The redacted value, or DROP if the attribute has to go.

        Raises:
            RedactionFailed: it could not be told clean; with ``fail_closed`` only.
        """
        kind = type(value)
        if value is None or kind is bool:
            return value
        told = self._names.tells(key)
        text = kind is str and not told and key not in _STRUCTURED
        if (text and self._texts.is_clean(value)) or (  # type: ignore[arg-type]  # a str
            not told and (kind is float or (kind is int and value not in _CARD_INTEGERS))
        ):
            return value
        try:
            if text:
                return self._redacted(key, value, tenant)  # type: ignore[arg-type]  # same
            return self._way(key, tenant).value(key, value, 0)
        except DroppedError as dropped:
            self._texts.count(dropped.detector.name)
            return DROP
        except Exception as error:  # noqa: BLE001 - whatever it is, the value was not told clean
            return self._failed(error)

    def text(self, where: str, text: str, tenant: str | None = None) -> str:
        """A name, status message or body as it may leave; it is masked where an attribute would be dropped.

        Args:
            where: what the text is, for the user's own function.
            text: any text.
            tenant: whose key the action ``hash`` takes.

        Raises:
            RedactionFailed: it could not be told clean; with ``fail_closed`` only.
        """
        if self._texts.is_clean(text):
            return text
        try:
            return self._redacted(where, text, tenant)
        except DroppedError as dropped:
            self._texts.count(dropped.detector.name)
            return mask(dropped.detector.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the text was not told clean
            return self._failed(error)

    def counts(self) -> dict[str, int]:
        """Redactions so far by detector; ``budget``, ``error`` and ``depth`` are what was masked unseen."""
        return self._texts.counts()

    def _redacted(self, where: str, text: str, tenant: str | None) -> str:
        limit = CONTENT_LIMIT if where in CONTENT else excerpt.LIMIT
        return self._texts.redacted(where, text, tenant, self._budget, limit)

    def _way(self, key: str, tenant: str | None) -> _Way:
        return _Way(self._texts, self._names, key, tenant, self._budget, cards=self._secrets)

    def _budget(self) -> Budget:
        """That of the record; of this one text, outside of a record."""
        budget = getattr(self._local, "budget", None)
        if type(budget) is float:
            budget = self._local.budget = Budget(budget)
        return budget or Budget(RECORD_BUDGET)

    def _failed(self, error: Exception) -> str:
        reason = BUDGET if isinstance(error, OverBudgetError) else ERROR
        if reason == ERROR:
            guard.record("redaction", error)
        self._texts.count(reason)
        if self._fail_closed:
            raise RedactionFailed(f"the record could not be told clean: {reason}") from error
        return mask(reason)


@functools.cache
def masking() -> Redactor:
    """What the content policy ``redacted`` means everywhere: secrets and personal data are masked."""
    return Redactor(RedactionOptions(personal="mask").resolve({}, {}, {}))


class _Record:
    """The time between its ends is one record's, on each thread that it is entered on.

    The budget begins when something is searched for: most records hold nothing that is.
    """

    __slots__ = ("_local",)

    def __init__(self, local: threading.local) -> None:
        self._local = local

    def __enter__(self) -> None:
        self._local.budget = float(RECORD_BUDGET)

    def __exit__(self, *_: object) -> None:
        self._local.budget = None


class _Way:
    """One attribute's way through its structure."""

    def __init__(
        self,
        texts: Texts,
        names: SecretNames,
        key: str,
        tenant: str | None,
        budget: Callable[[], Budget],
        *,
        cards: bool,
    ) -> None:
        self._texts = texts
        self._names = names
        self._key = key
        self._tenant = tenant
        self._budget = budget
        self._cards = cards
        self._content = key in CONTENT
        self._limit = CONTENT_LIMIT if self._content else excerpt.LIMIT

    def value(self, key: str, value: Plain, depth: int, *, secret: bool = False) -> Plain:  # noqa: PLR0911 - one return a kind of value
        """``value`` under ``key``; ``secret`` when a name above has told."""
        kind = type(value)
        secret = secret or (self._key != attr.GEN_AI_TOOL_DEFINITIONS and self._names.tells(key))
        if isinstance(value, dict | list):
            if depth >= DEPTH_LIMIT:
                self._texts.count(DEPTH)
                return mask(DEPTH)
            return (
                self._dict(value, depth, secret) if isinstance(value, dict) else self._list(key, value, depth, secret)
            )
        if isinstance(value, bytes):
            return self._bytes(key, value, secret=secret)
        if isinstance(value, str):
            return self._texts.instead(BY_NAME, value, self._tenant) if secret else self._string(key, value, depth)
        if kind is int and value in _CARD_INTEGERS and self._cards and is_card(str(value)):
            return self._texts.instead(CARDS[0], str(value), self._tenant)
        if secret and kind in (int, float) and "token" not in key.lower():
            return self._texts.instead(BY_NAME, str(value), self._tenant)
        return value

    def text(self, where: str, text: str) -> str:
        """One text as any other."""
        if self._texts.is_clean(text):
            return text
        return self._texts.redacted(where, text, self._tenant, self._budget, self._limit)

    def _string(self, key: str, text: str, depth: int) -> str:
        if key in _URLS:
            text = urls.rewritten(text, self._parameter)
        elif self._content and depth == 0 and text[:1] in ("[", "{") and len(text) <= _JSON_LIMIT:
            structure = _parsed(text)
            if structure is not None:
                redacted = self.value(key, structure, 0)
                return text if redacted == structure else _dumped(redacted)
        return self.text(key, text)

    def _parameter(self, name: str, value: str) -> str | None:
        if self._names.tells_parameter(name):
            return self._texts.instead(BY_NAME, value, self._tenant)
        redacted = self.text(name, value)
        return None if redacted == value else quote(redacted, safe="[]:/@ ")

    def _bytes(self, key: str, value: bytes, *, secret: bool) -> bytes:
        if secret:
            return self._texts.instead(BY_NAME, value.decode("latin-1"), self._tenant).encode("latin-1")
        try:
            text, codec = value.decode(), "utf-8"
        except UnicodeDecodeError:
            text, codec = value.decode("latin-1"), "latin-1"
        redacted = self.text(key, text)
        return value if redacted == text else redacted.encode(codec, "replace")

    def _dict(self, value: dict[str, Plain], depth: int, secret: bool) -> Plain:  # noqa: FBT001 - private
        redacted: dict[str, Plain] = {}
        for name, inner in value.items():
            try:
                redacted[self.text(name, name)] = self.value(name, inner, depth + 1, secret=secret)
            except DroppedError as dropped:
                self._texts.count(dropped.detector.name)
        return redacted

    def _list(self, key: str, value: list[Plain], depth: int, secret: bool) -> Plain:  # noqa: FBT001 - private
        redacted: list[Plain] = []
        for inner in value:
            try:
                redacted.append(self.value(key, inner, depth + 1, secret=secret))
            except DroppedError as dropped:
                self._texts.count(dropped.detector.name)
        return redacted


def _parsed(text: str) -> Any:
    """The structure that ``text`` is the JSON of; None if it is none, or not one that JSON says unambiguously."""
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which no name is lost, and with it a value that is not looked at."""
    taken = dict(pairs)
    if len(taken) != len(pairs):
        raise ValueError
    return taken


def _refused(_constant: str) -> None:
    raise ValueError


def _dumped(value: Plain) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (
        text
        if text.isascii() or text.encode("utf-8", "ignore").decode() == text
        else json.dumps(value, separators=(",", ":"))
    )
