"""One text: searched until nothing more is found, each finding treated as its class is to be."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from aumos_otel.errors import ConfigError

from . import excerpt, lint
from .detector import Detector
from .detectors import DETECTORS
from .scan import OverBudgetError, Scanner, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aumos_otel.config import RedactionOptions

    from .scan import Budget

#: What stands for texts that were masked for other reasons than a finding.
BUDGET, ERROR, DEPTH, CUT = "budget", "error", "depth", "cut"

#: A secret that its name alone tells.
BY_NAME: Final = Detector("name", "secret", (), "")

_PASSES: Final = 8
_CLEAN_LENGTH, _CLEAN_COUNT, _TENANTS = 256, 4096, 1024
_NAME = re.compile(r"[a-z0-9_.-]{1,48}")
_STRICTNESS: Final = {"drop": 0, "mask": 1, "hash": 2}


class DroppedError(Exception):
    """A finding whose class is to be dropped with what is around it."""

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector.name)
        self.detector = detector


def mask(name: str) -> str:
    """What stands in the place of a finding."""
    return f"[REDACTED:{name}]"


class Texts:
    """Redacts texts; used by any number of threads.

    Args:
        options: with every field filled.

    Raises:
        ConfigError: ``hash`` without a key, or a pattern that is wrong or not linear.
    """

    def __init__(self, options: RedactionOptions) -> None:
        self._actions = {
            "secret": options.secrets,
            "personal": options.personal,
            "national_id": options.national_ids,
        }
        if "hash" in self._actions.values() and not options.hash_key:
            raise ConfigError(
                "redaction.hash_key",
                seen="no key",
                expected="a key for the action hash",
                remedy="set AUMOS_OTEL_REDACTION_HASH_KEY, or use mask",
            )
        self._hash_key = (options.hash_key or "").encode()
        self._custom = options.custom
        own = _user_detectors(options.patterns)
        searched = [*own, *(detector for detector in DETECTORS if self._actions[detector.kind] != "keep")]
        searched.sort(key=lambda detector: _STRICTNESS[self._action(detector)])
        self._marker = _marker_pattern(own)
        self._scanner = Scanner(searched, self._marker)
        self._by_clues = self._custom is None and self._scanner.complete
        self._clean: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._tenant_keys: dict[str, bytes] = {}

    def is_clean(self, text: str) -> bool:
        """Whether ``text`` is remembered to hold nothing."""
        return text in self._clean

    def is_surely_clean(self, text: str) -> bool:
        """Whether neither ``text`` nor any part of it can hold anything; False proves nothing."""
        return self._by_clues and excerpt.CUT not in text and not self._scanner.candidates(text)

    def redacted(self, where: str, text: str, tenant: str | None, budget: Callable[[], Budget], limit: int) -> str:
        """``text`` as it may leave.

        Args:
            where: for the user's own function.
            text: any text.
            tenant: whose key hashes.
            budget: gives that of the record; asked only when there is something to search for.
            limit: characters; of a longer text both ends are kept.

        Raises:
            DroppedError: a finding is to be dropped with the whole.
            OverBudgetError: the budget is used up.
        """
        if len(text) > limit:
            found = excerpt.excerpt(text, lambda part: self._searched(part, tenant, budget))
        else:
            found = self._searched(excerpt.healed(text, mask(CUT)), tenant, budget)
        if self._custom is not None:
            found = self._custom(where, found)
            if type(found) is not str:
                raise TypeError(f"redaction.custom returned {type(found).__name__}, expected str")
        elif found == text and len(text) <= _CLEAN_LENGTH:
            if len(self._clean) >= _CLEAN_COUNT:
                self._clean.clear()
            self._clean.add(text)
        return found

    def instead(self, detector: Detector, found: str, tenant: str | None) -> str:
        """What stands in the place of a finding; a marker stays as it is.

        Raises:
            DroppedError: its class is to be dropped.
        """
        if self._marker.fullmatch(found):
            return found
        action = self._action(detector)
        if action == "drop":
            raise DroppedError(detector)
        self.count(detector.name)
        return mask(detector.name) if action == "mask" else self._hashed(detector, found, tenant)

    def count(self, name: str) -> None:
        """Count one redaction."""
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> dict[str, int]:
        """Redactions so far, by name of the detector."""
        with self._lock:
            return dict(self._counts)

    def _searched(self, text: str, tenant: str | None, budget: Callable[[], Budget]) -> str:
        for _ in range(_PASSES):
            candidates = self._scanner.candidates(text)
            if not candidates:
                return text
            findings = self._scanner.findings(text, candidates, budget())
            if not findings:
                return text
            text = replaced(text, findings, lambda detector, found: self.instead(detector, found, tenant))
        raise OverBudgetError

    def _action(self, detector: Detector) -> str:
        """What becomes of a finding; what the user named is masked even where secrets are kept."""
        action = self._actions[detector.kind]
        return "mask" if action == "keep" else action

    def _hashed(self, detector: Detector, found: str, tenant: str | None) -> str:
        tenant = tenant or ""
        key = self._tenant_keys.get(tenant)
        if key is None:
            if len(self._tenant_keys) >= _TENANTS:
                self._tenant_keys.clear()
            key = hmac.digest(self._hash_key, tenant.encode("utf-8", "surrogatepass"), "sha256")
            self._tenant_keys[tenant] = key
        digest = hmac.new(key, found.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]
        return f"[HASH:{detector.name}:{digest}]"


def _user_detectors(patterns: Mapping[str, str]) -> list[Detector]:
    for name, pattern in patterns.items():
        subject = f"redaction.patterns.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                subject, seen=name, expected="a name of a-z, 0-9, _, . and -, 48 at most", remedy="rename it"
            )
        lint.check(subject, pattern)
    return [Detector(name, "secret", (), pattern, flags=re.NOFLAG) for name, pattern in patterns.items()]


def _marker_pattern(own: list[Detector]) -> re.Pattern[str]:
    """Markers of earlier redaction with a name that we know; under another a secret could hide."""
    names = {detector.name for detector in (*DETECTORS, *own)} | {BY_NAME.name, BUDGET, ERROR, DEPTH, CUT}
    known = "|".join(re.escape(name) for name in sorted(names, reverse=True))
    return re.compile(rf"\[(?:REDACTED:(?:{known})|HASH:(?:{known}):[0-9a-f]{{12}})\]")
