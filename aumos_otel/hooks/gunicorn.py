"""For ``gunicorn.conf.py``: ``from aumos_otel.hooks.gunicorn import worker_exit``.

A worker that exits by itself needs no hook; this one also serves a worker class that leaves by
``os._exit()``.
"""

from __future__ import annotations

from aumos_otel.leaving import leave_now

#: gunicorn's server hook: called in a worker, just before it exits, with the server and the worker.
worker_exit = leave_now
