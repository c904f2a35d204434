"""Objectives: what they say, what they compile to, and whether they burn.  Pure: no clock, no I/O, no OpenTelemetry."""
