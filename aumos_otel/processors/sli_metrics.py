"""The counts of SLIs as OpenTelemetry metrics, with the traces behind them as exemplars, and the targets of objectives.

The instruments are observable ones: every reader sees the same counts, whatever its temporality, and views hold.
An observable instrument has no exemplars in the SDK; `Exemplars` adds them to what a reader of ours has collected.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics.export import MetricsData, NumberDataPoint, Sum
from opentelemetry.sdk.metrics.export import Exemplar  # TODO
