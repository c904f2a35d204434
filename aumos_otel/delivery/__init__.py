"""Getting telemetry out: where each signal goes, over which transport, and what became of it."""
