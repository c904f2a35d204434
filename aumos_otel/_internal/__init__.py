"""Machinery without telemetry meaning: deadlines, discovery, entry points, values, text lines."""
