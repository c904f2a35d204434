"""What `aumos_otel.slo.lint` has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from aumos_otel.slo.objective import Objective

#: ``error``: it cannot work; ``warning``: it works, but not as one would think; ``note``: good to know.
Grade = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a definition that somebody should know.

    Attributes:
        rule: which check found it, in lower-case words with dashes.
        objective: service and name with a slash between; empty: it is about all of them.
        line: of the objective in its file; 0: in none.
        text: what is so, with the arithmetic.
        remedy: what to do about it.
    """

    grade: Grade
    rule: str
    objective: str
    line: int
    text: str
    remedy: str

    def __str__(self) -> str:
        subject = f"{self.objective}: " if self.objective else ""
        return f"{self.grade} {self.rule}: {subject}{self.text}; {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def about(objective: Objective, grade: Grade, rule: str, text: str, remedy: str) -> Finding:
    """A finding about one objective."""
    return Finding(grade, rule, f"{objective.service}/{objective.name}", objective.line, text, remedy)
