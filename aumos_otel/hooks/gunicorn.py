"""For ``gunicorn.conf.py``: ``from aumos_otel.hooks.gunicorn import worker_exit``.

A worker that exits as an interpreter does needs no hook; this one also serves a worker class
that leaves by ``os._exit()``.
"""

from __future__ import annotations

from aumos_otel import leaving


def worker_exit(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn checks for two arguments
    """Send what the worker has and stop; gunicorn calls it in a worker, just before that exits."""
    leaving.leave_now()
