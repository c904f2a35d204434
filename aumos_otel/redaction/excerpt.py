"""Long texts: the beginning and the end are looked at and kept, the middle is named by length and digest.

A window reaches further than what is kept of it, so that a secret that the cut goes through is
seen as a whole; what is longer than the margin and has no space goes altogether.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Characters of a text that is kept whole.
LIMIT: Final = 128 * 1024
#: Characters kept at either end of a longer one; both and what stands between them fit the limit.
KEPT: Final = LIMIT // 2 - 128
#: Characters that a window reaches beyond what is kept.
MARGIN: Final = 16 * 1024

#: What says that a text was cut.
CUT: Final = "… (len "

_LONGEST_MARKER = 96
_HALF_MARKER = re.compile(r"\[(?:R|H)[A-Z]*(?::[a-z0-9_.:-]*)?\Z")
_CUT_BEFORE = re.compile(r"… \(len [0-9]{1,12}, sha256 [0-9a-f]{64}\)\Z")
_CUT_RUN = 512


def excerpt(text: str, redact: Callable[[str], str]) -> str:
    """Both ends of ``text``, redacted, with ``… (len N, sha256 H) …`` between them."""
    head = redact(text[: KEPT + MARGIN])
    kept, beyond = head[: max(0, len(head) - MARGIN)][:KEPT], head[-MARGIN:]
    if not _spaced(beyond):
        kept = kept[: len(kept) - _run(reversed(kept))]
    tail = redact(text[-(KEPT + MARGIN) :])
    ended, before = tail[MARGIN:][-KEPT:], tail[:MARGIN]
    if not _spaced(before):
        ended = ended[_run(ended) :]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_without_half_marker(kept)}… (len {len(text)}, sha256 {digest}) …{_without_marker_end(ended)}"


def healed(text: str, marker: str) -> str:
    """``text`` with ``marker`` for its last word, if somebody cut it there before it came to us.

    Half a secret cannot be told from a word; it is known by ``… (len N, sha256 H)`` after it.
    """
    cut = _CUT_BEFORE.search(text, max(0, len(text) - 128)) if text.endswith(")") else None
    if cut is None or text.endswith(marker, 0, cut.start()):
        return text
    start = max(0, cut.start() - _CUT_RUN)
    head = text[start : cut.start()]
    return f"{text[: cut.start() - _run(reversed(head))]}{marker}{cut[0]}"


def _spaced(text: str) -> bool:
    return any(map(str.isspace, text))


def _run(characters: object) -> int:
    """How many characters there are before the first space."""
    count = 0
    for character in characters:  # type: ignore[attr-defined]  # a str or a reversed one
        if character.isspace():
            break
        count += 1
    return count


def _without_half_marker(text: str) -> str:
    half = _HALF_MARKER.search(text, max(0, len(text) - _LONGEST_MARKER))
    return text[: half.start()] if half else text


def _without_marker_end(text: str) -> str:
    """``text`` without the rest of a marker that it begins in the middle of."""
    begins, ends = text.find("[", 0, _LONGEST_MARKER), text.find("]", 0, _LONGEST_MARKER)
    return text[ends + 1 :] if ends >= 0 and not 0 <= begins < ends else text
