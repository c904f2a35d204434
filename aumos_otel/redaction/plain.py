"""The values that redaction knows, and the sentinel for one that has to go."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias

#: What an attribute or a log body may hold once it was cleaned: JSON values and bytes.
Plain: TypeAlias = "bool | int | float | str | bytes | list[Plain] | dict[str, Plain] | None"


class _Sentinel(Enum):
    DROP = "the value goes"


#: Answer of a redactor for a value that is not to be kept at all.
DROP: Final = _Sentinel.DROP

Drop: TypeAlias = Literal[_Sentinel.DROP]
