"""SLIs over spans in our format: one that is built in, a predicate of one's own, or one that several objectives use."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import library, sli
from aumos_otel.slo.entry import Entry
from aumos_otel.slo.indicator import Spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.sli import Sli

#: A name under which an SLI is counted.
SLI_NAME: Final = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")
SLI_NAMES: Final = "letters, digits, dots and dashes"
