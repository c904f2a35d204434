"""A celery application whose task is one event; its broker is a folder, named by BROKER_FOLDER."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from opentelemetry import metrics
from servers.forks import event
from servers.work import configure

FOLDER = Path(os.environ["BROKER_FOLDER"])

app = Celery("tests", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER),
    "data_folder_out": str(FOLDER),
    "control_folder": str(FOLDER / "control"),
}
telemetry = configure(service_name="celery")
count = metrics.get_meter("tests").create_counter("events")


@app.task
def work(number: int) -> None:
    """One event; a file tells that it happened."""
    event(count)
    (FOLDER / "done" / str(number)).touch()
