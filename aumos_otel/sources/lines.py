"""Lines as CSV or as JSON: ``time``, ``good`` and ``total`` of each step, or ``start``, ``end`` and ``name`` of incidents.

A time is Unix seconds or ISO 8601; without a zone it is UTC.  CSV without a line of titles has the three in this order.
"""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import SourceError
from aumos_otel.slo.incident import Incident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Fields = tuple[str, str, str]
_SAMPLE: Final[_Fields] = ("time", "good", "total")
_INCIDENT: Final[_Fields] = ("start", "end", "name")
#: Unix seconds beyond are milliseconds: the year 5138.
_LATEST: Final = 100_000_000_000.0


def samples(text: str, name: str) -> list[tuple[float, float, float]]:
    """The samples (at, good, total) in the order of the lines: the events since the line before.

    Raises:
        SourceError: a line is something else; it names ``name`` and the line.
    """
    return [
        (_time(at, where), _count(good, where), _count(total, where))
        for where, (at, good, total) in _rows(text, name, _SAMPLE)
    ]


def incidents(text: str, name: str) -> list[Incident]:
    """The incidents in the order of the lines.

    Raises:
        SourceError: a line is something else; it names ``name`` and the line.
    """
    found = []
    for where, (start, end, called) in _rows(text, name, _INCIDENT):
        incident = Incident(_time(start, where), _time(end, where), str(called))
        if incident.end <= incident.start:
            raise _error(end, "an end after the start", where)
        found.append(incident)
    return found


def _rows(text: str, name: str, fields: _Fields) -> Iterator[tuple[str, Sequence[Any]]]:
    """Where each line stands, and its cells in the order of ``fields``."""
    return _json(text, name, fields) if text.lstrip().startswith(("{", "[")) else _csv(text, name, fields)


def _json(text: str, name: str, fields: _Fields) -> Iterator[tuple[str, Sequence[Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            known = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            known = line
        if isinstance(known, dict) and all(field in known for field in fields):
            yield f"{name}:{number}", [known[field] for field in fields]
        elif isinstance(known, list) and len(known) == len(fields):
            yield f"{name}:{number}", known
        elif known is not None:
            raise _error(line, f"a JSON object with {_listed(fields)}", f"{name}:{number}")


def _csv(text: str, name: str, fields: _Fields) -> Iterator[tuple[str, Sequence[str]]]:
    reader = csv.reader(text.splitlines(), strict=True)
    places: list[int] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if places is None:
                titles = [cell.lower() for cell in cells]
                places = list(range(len(fields)))
                if set(fields) <= set(titles):
                    places = [titles.index(field) for field in fields]
                    continue
            if len(cells) <= max(places):
                raise _error(",".join(row), _listed(fields), f"{name}:{reader.line_num}")
            yield f"{name}:{reader.line_num}", [cells[place] for place in places]
    except csv.Error as error:
        raise _error(str(error), "CSV", f"{name}:{reader.line_num}") from None


def _listed(fields: _Fields) -> str:
    return f"{fields[0]}, {fields[1]} and {fields[2]}"


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
