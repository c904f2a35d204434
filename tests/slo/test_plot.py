from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import pytest

from aumos_otel.errors import MissingExtraError
from aumos_otel.slo.backtest import backtest
from aumos_otel.slo.history import History
from aumos_otel.slo.incident import Incident
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.window import Calendar

OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))


def drawn(samples, form="svg", objective=OBJECTIVE, incidents=None):
    """The picture of a backtest of the samples."""
    from aumos_otel.slo.plot import draw

    history = History.of(samples, step=60)
    return draw(backtest(objective, history, incidents), history, form)


def outage(minutes=2_000):
    """Minutes with half an hour of outage in them."""
    return ((60.0 * at, 0.0 if 900 < at <= 930 else 100.0, 100.0) for at in range(1, minutes + 1))


def test_the_same_data_is_the_same_picture():
    """A picture has no date and no chance in it."""
    first = drawn(outage())
    assert first == drawn(outage())
    assert ET.fromstring(first).tag.endswith("svg")
    assert b"<dc:date>" not in first


def test_a_png_is_one():
    """The other form is a PNG, and the same each time."""
    picture = drawn(outage(), "png")
    assert picture.startswith(b"\x89PNG\r\n")
    assert picture == drawn(outage(), "png")


@pytest.mark.parametrize(
    "samples",
    [
        [(60.0, 0.0, 10.0)],
        [(60.0, 0.0, 0.0), (120.0, 0.0, 0.0)],
        [(60.0 * at, 5.0, 5.0) for at in (1, 2, 3, 900, 901)],
        [(60.0 * at, 5.0, 5.0) for at in range(1, 500)],
    ],
)
def test_scant_data_can_be_drawn(samples):
    """One sample, none with events, gaps, and a service without any error."""
    assert b"</svg>" in drawn(samples)
    assert b"</svg>" in drawn(samples, objective=replace(OBJECTIVE, window=Calendar("month")))


def test_names_are_text():
    """A dollar in the name of an incident is no formula."""
    assert b"</svg>" in drawn(outage(), incidents=[Incident(54_000.0, 55_800.0, "lost $1 & $^{2")])


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    """Importing it without the library says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "aumos_otel.slo.plot", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'aumos-otel\[plot\]'"):
        import aumos_otel.slo.plot  # noqa: F401 - it is the import that is tried
