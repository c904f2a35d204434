"""What is wrong in a file of objectives, and where: found all at once, so that it is mended in one go."""

from __future__ import annotations

from dataclasses import dataclass

#: Keys and positions from the top of the document to a node of it.
Path = tuple[str | int, ...]

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One node that is not what it should be.

    Attributes:
        path: of the node; the reader of the document knows its line.
        seen: the node.
        expected: what would have been right, in words.

    >>> from aumos_otel.slo.problem import Problem
    >>> print(Problem(("slos", 0, "target"), 99.9, "a share such as 99.9% or 0.999"))
    slos[0].target: got 99.9, expected a share such as 99.9% or 0.999
    """

    path: Path
    seen: object
    expected: str

    def __str__(self) -> str:
        text = repr(self.seen)
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        return f"{path_text(self.path)}: got {shown}, expected {self.expected}"


def path_text(path: Path) -> str:
    """``slos[0].sli.match``; a key that has dots itself is put in brackets: ``match['http.route']``."""
    text = ""
    for step in path:
        if isinstance(step, int) or "." in step or not step:
            text += f"[{step!r}]"
        else:
            text += f".{step}" if text else step
    return text or "the document"
