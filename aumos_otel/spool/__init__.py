"""Durable segments: what could not be sent outlives the process, and what was audited is never dropped."""
