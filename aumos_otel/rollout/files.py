"""A directory of rule files, one a service; Prometheus reads them with ``rule_files: [DIR/*.yml]``.

A file is ours when each of its rules carries the owner's mark.  One that holds anything else as well is never
touched: the apply fails and says so.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import ownership
from aumos_otel.rollout.plan import Actual
from aumos_otel.slo import rulefile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aumos_otel.rollout.plan import Content

PREFIX: Final = "aumos-slo-"
_MARK: Final = "# fingerprint: "


class Files:
    """Rule files in ``directory``.

    Args:
        owner: whose files these are.
        reload: called after the last change, e.g. to make Prometheus read them.
    """

    def __init__(self, directory: Path, owner: str, reload: Callable[[], object] = lambda: None) -> None:
        self._directory = directory
        self._owner = owner
        self._reload = reload

    @property
    def address(self) -> str:
        """The directory."""
        return f"files:{self._directory}"

    def read(self) -> Mapping[str, Actual]:
        """The owner's files, by name."""
        found = {}
        for path in sorted(self._directory.glob(f"{PREFIX}*.yml")) if self._directory.is_dir() else []:
            content, mark = self._load(path)
            if ownership.is_owned(content.get("groups", []), self._owner):
                found[path.name] = Actual(content, mark)
        return found

    def write(self, name: str, content: Content, mark: str) -> None:
        """Replace the file at once: Prometheus never reads half of it."""
        path = self._directory / name
        if path.exists() and not ownership.is_owned(self._load(path)[0].get("groups", []), self._owner):
            raise RolloutError(
                str(path),
                seen="rules that are not this owner's",
                expected=f"a file whose rules all belong to {self._owner}",
                remedy="move that file away, or apply to another directory",
            )
        text = f"# Compiled by aumos-otel for {self._owner}; edit the objectives, not this file.\n{_MARK}{mark}\n"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._directory, prefix=f".{name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + rulefile.dump(content))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError as error:
            raise RolloutError(
                str(path), seen=error.strerror, expected="a directory that can be written", remedy="see its permissions"
            ) from None

    def delete(self, name: str) -> None:
        """Remove one of the owner's files."""
        (self._directory / name).unlink(missing_ok=True)

    def finish(self) -> None:
        """Have them read."""
        self._reload()

    @staticmethod
    def _load(path: Path) -> tuple[dict[str, Any], str]:
        """The content, and the fingerprint that was written with it; a file that is no YAML mapping holds nothing of ours."""
        text = path.read_text(encoding="utf-8", errors="replace")
        marks = [line.removeprefix(_MARK) for line in text.splitlines() if line.startswith(_MARK)]
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError:
            content = None
        return (content if isinstance(content, dict) else {}), (marks[0] if marks else "")
