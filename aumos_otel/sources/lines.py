"""Lines of ``time``, ``good`` and ``total``, as CSV or as JSON: the events of each step since the line before.

A time is Unix seconds or ISO 8601; without a zone it is UTC.  CSV without a line of titles has the three in this order.
"""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELDS: Final = ("time", "good", "total")
#: Unix seconds beyond are milliseconds: the year 5138.
_LATEST: Final = 100_000_000_000.0


def parse(text: str, name: str) -> list[tuple[float, float, float]]:
    """The samples (at, good, total) in the order of the lines.

    Raises:
        SourceError: a line is something else; it names ``name`` and the line.
    """
    rows = _json(text, name) if text.lstrip().startswith(("{", "[")) else _csv(text, name)
    return [(_time(at, where), _count(good, where), _count(total, where)) for where, (at, good, total) in rows]


def _json(text: str, name: str) -> Iterator[tuple[str, Sequence[Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            known = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            known = line
        if isinstance(known, dict) and all(field in known for field in _FIELDS):
            yield f"{name}:{number}", [known[field] for field in _FIELDS]
        elif isinstance(known, list) and len(known) == len(_FIELDS):
            yield f"{name}:{number}", known
        elif known is not None:
            raise _error(line, '{"time": 1790812860, "good": 99, "total": 100}', f"{name}:{number}")


def _csv(text: str, name: str) -> Iterator[tuple[str, Sequence[str]]]:
    reader = csv.reader(text.splitlines(), strict=True)
    places: list[int] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if places is None:
                titles = [cell.lower() for cell in cells]
                places = list(range(len(_FIELDS)))
                if set(_FIELDS) <= set(titles):
                    places = [titles.index(field) for field in _FIELDS]
                    continue
            if len(cells) <= max(places):
                raise _error(",".join(row), "time, good and total", f"{name}:{reader.line_num}")
            yield f"{name}:{reader.line_num}", [cells[place] for place in places]
    except csv.Error as error:
        raise _error(str(error), "CSV", f"{name}:{reader.line_num}") from None


def _time(value: Any, where: str) -> float:
    seconds = _number(value)
    if seconds is None and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            seconds = None
    if seconds is None or not math.isfinite(seconds):
        raise _error(value, "a time, as Unix seconds or ISO 8601", where)
    if abs(seconds) >= _LATEST:
        raise _error(value, "Unix seconds, not milliseconds", where)
    return seconds


def _count(value: Any, where: str) -> float:
    count = _number(value)
    if count is None or not 0 <= count < math.inf:
        raise _error(value, "a number of events of 0 or more", where)
    return count


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _error(seen: object, expected: str, where: str) -> SourceError:
    return SourceError(where, seen=seen, expected=expected, remedy="correct it, or name another file")
