"""A span that is open at a fork ends in the child and in the parent; run with the side as argument, prints what each exported."""

from __future__ import annotations

import json
import os
import sys

from conformance import stage
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def forked(scene: stage.Stage) -> None:
    """Fork within a span, and make another one in the child."""
    batch = stage.Wire()
    scene.provider.add_span_processor(BatchSpanProcessor(batch))
    with scene.tracer.start_as_current_span("before", attributes={"a": 1}) as span:
        child = os.fork()
        if not child:
            span.set_attribute("in", "child")
            with scene.tracer.start_as_current_span("within") as within:
                scene.note(within.parent == span.get_span_context())
        else:
            os.waitpid(child, 0)
    scene.provider.force_flush()
    told = [(each.name, dict(each.attributes), each.status.status_code.name) for each in batch.get_finished_spans()]
    print(json.dumps([scene.notes, len(scene.exported), told]), flush=True)
    if not child:
        os._exit(0)


if __name__ == "__main__":
    stage.play(sys.argv[1], forked)
