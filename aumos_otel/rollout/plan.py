"""What has to change at a target: desired against actual, and what somebody else edited meanwhile."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A rule group, a file, a resource: what the target keeps under one name, as plain data.
Content = dict[str, Any]
Action = Literal["create", "update", "delete", "keep"]


@dataclass(frozen=True, slots=True)
class Actual:
    """One thing of ours at a target.

    Attributes:
        mark: the fingerprint that was written with it; empty when there is none.
    """

    content: Content
    mark: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one name.

    Attributes:
        drifted: what is there is not what was applied: somebody edited it.
    """

    action: Action
    name: str
    drifted: bool = False
    before: Content | None = None
    after: Content | None = None


class Target(Protocol):
    """Where rules go."""

    @property
    def address(self) -> str:
        """Where it is, for people; without credentials."""
        ...

    def read(self) -> Mapping[str, Actual]:
        """What of the owner's is there, by name.

        Raises:
            RolloutError: it cannot be reached or read.
        """
        ...

    def write(self, name: str, content: Content, mark: str) -> None:
        """Create or replace."""
        ...

    def delete(self, name: str) -> None:
        """Remove; only what `read` returned is ever deleted."""
        ...

    def finish(self) -> None:
        """After the last change of an apply."""
        ...


def fingerprint(content: Content) -> str:
    """The same for the same content, whatever the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changes(desired: Mapping[str, Content], actual: Mapping[str, Actual]) -> list[Change]:
    """What leads from ``actual`` to ``desired``, by name."""
    found = []
    for name in sorted({*desired, *actual}):
        there, wanted = actual.get(name), desired.get(name)
        if there is None:
            found.append(Change("create", name, after=wanted))
            continue
        drifted = bool(there.mark) and there.mark != fingerprint(there.content)
        if wanted is None:
            found.append(Change("delete", name, drifted, before=there.content))
        elif fingerprint(wanted) == fingerprint(there.content):
            found.append(Change("keep", name, before=there.content, after=wanted))
        else:
            found.append(Change("update", name, drifted, before=there.content, after=wanted))
    return found


def apply(target: Target, wanted: list[Change]) -> list[Change]:
    """Make the changes; returns those that were made.

    Raises:
        RolloutError: the target refused one; those before it are made, and applying again goes on from there.
    """
    made = []
    for change in wanted:
        if change.action == "delete":
            target.delete(change.name)
        elif change.action != "keep" and change.after is not None:
            target.write(change.name, change.after, fingerprint(change.after))
        else:
            continue
        made.append(change)
    if made:
        target.finish()
    return made
