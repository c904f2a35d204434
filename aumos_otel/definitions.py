"""Reads files that define objectives, whatever their format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from aumos_otel.errors import ObjectiveError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aumos_otel.slo.formats import Imported


def load(paths: Iterable[str | Path]) -> list[Imported]:
    """What each of the files defines, and what of it has no meaning here.

    Raises:
        ObjectiveError: one cannot be read or used, or two define the same objective; all problems are named.
    """
    files = [Path(path) for path in paths]
    loaded = [load_file(path) for path in files]
    taken = Counter((each.service, each.name) for found in loaded for each in found.definitions.objectives)
    twice = [f"{service}/{name}" for (service, name), count in taken.items() if count > 1]
    if twice:
        raise ObjectiveError(
            ", ".join(map(str, files)),
            [f"{name}: got it more than once, expected each objective in one place" for name in twice],
        )
    return loaded


def load_file(path: Path) -> Imported:
    """What one file defines; what it refers to is looked for beside it.

    Raises:
        ObjectiveError: it cannot be read or used.
    """
    from aumos_otel.slo import formats  # noqa: PLC0415 - a process without files of objectives needs no parser

    def beside(name: str) -> str:
        return (path.parent / name).read_text(encoding="utf-8")

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        seen = error.strerror if isinstance(error, OSError) else str(error)
        raise ObjectiveError(str(path), [f"{path}: got {seen}, expected a readable text file"]) from None
    return formats.examine(text, str(path), beside)
