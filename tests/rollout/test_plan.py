"""What would change at a target, and that applying it makes the next plan empty."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.rollout.plan import Actual, apply, changes, fingerprint


class Shelf:
    """A target in memory."""

    address = "shelf"

    def __init__(self, holds: dict[str, Actual]) -> None:
        self.holds = dict(holds)
        self.finished = 0

    def read(self) -> dict[str, Actual]:
        """What is there."""
        return dict(self.holds)

    def write(self, name: str, content: dict[str, Any], mark: str) -> None:
        """Put there."""
        self.holds[name] = Actual(content, mark)

    def delete(self, name: str) -> None:
        """Take away."""
        del self.holds[name]

    def finish(self) -> None:
        """Count how often."""
        self.finished += 1


CONTENT = st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.text(max_size=3)), max_size=3)
NAMED = st.dictionaries(st.text(max_size=2), CONTENT, max_size=4)


def actual(content: dict[str, Any]) -> Actual:
    """As it was applied."""
    return Actual(content, fingerprint(content))


@given(NAMED, NAMED)
def test_applying_leads_to_what_is_desired(before: dict[str, Any], desired: dict[str, Any]) -> None:
    """After an apply the target holds what is desired and nothing else, and another plan changes nothing."""
    shelf = Shelf({name: actual(content) for name, content in before.items()})

    made = apply(shelf, changes(desired, shelf.read()))

    assert {name: there.content for name, there in shelf.holds.items()} == desired
    assert [change.action for change in changes(desired, shelf.read())] == ["keep"] * len(desired)
    assert shelf.finished == bool(made)
    assert len(made) == sum(before.get(name) != desired.get(name) for name in {*before, *desired})


def test_what_somebody_edited_is_said() -> None:
    """Drift is content that is not what was applied, whether the definition has changed meanwhile or not."""
    applied = {"rules": [1]}
    edited = Actual({"rules": [2]}, fingerprint(applied))

    (change,) = changes({"a": applied}, {"a": edited})
    (kept,) = changes({"a": edited.content}, {"a": edited})
    (gone,) = changes({}, {"a": edited})
    (unmarked,) = changes({"a": applied}, {"a": Actual({"rules": [2]}, "")})

    assert (change.action, change.drifted) == ("update", True)
    assert (kept.action, kept.drifted) == ("keep", False)
    assert (gone.action, gone.drifted) == ("delete", True)
    assert (unmarked.action, unmarked.drifted) == ("update", False)
