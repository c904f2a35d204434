"""Event names, and topics of the platform's event bus.

Generated from registry.yaml by tools/semconv.py; do not edit.
"""

from __future__ import annotations


from typing import Final


EXCEPTION: Final = "exception"

GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS: Final = "gen_ai.client.inference.operation.details"

GEN_AI_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"

TOPIC_AUMOS_OBSERVABILITY_EVENTS: Final = "aumos.observability.events"
