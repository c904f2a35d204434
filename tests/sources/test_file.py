from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.errors import SourceError
from aumos_otel.slo.history import Sample
from aumos_otel.slo.incident import Incident
from aumos_otel.slo.indicator import Counted, Query, Ratio
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.window import Timeslices
from aumos_otel.sources import lines
from aumos_otel.sources.file import File, incidents

OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))
SAMPLES = [Sample(60.0, 9.0, 10.0), Sample(120.0, 8.5, 10.0), Sample(180.0, 0.0, 0.0)]


def read(tmp_path, text, objective=OBJECTIVE, start=0.0, end=1e9):
    """What a file with the text says of an objective."""
    path = tmp_path / "counts"
    path.write_text(text, encoding="utf-8")
    return File(path).histories(objective, start, end)


@pytest.mark.parametrize(
    "text",
    [
        "time,good,total\n60,9,10\n120,8.5,10\n180,0,0\n",
        "60,9,10\n120,8.5,10\n180,0,0",
        "# from the old system\n60, 9, 10\n\n120, 8.5, 1e1\n180,0,0\n",
        "\ufeffTotal,Time,x,Good\r\n10,1970-01-01T00:01:00Z,?,9\r\n10,1970-01-01T01:02:00+01:00,?,8.5\r\n0,180,,0\r\n",
        'time,good,total\n"1970-01-01 00:01",9,10\n180,0,0\n120,8.5,10\n',
        '{"time": 60, "good": 9, "total": 10}\n\n{"total": 10, "good": 8.5, "time": "1970-01-01T00:02:00Z"}\n[180,0,0]\n',
    ],
)
def test_every_way_to_write_the_lines(tmp_path, text):
    """CSV with and without titles, in any order of columns and lines, and JSON lines tell the same."""
    assert list(read(tmp_path, text)[()]) == SAMPLES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,good,total\n60,9\n", r"counts:2: got '60,9', expected time, good and total"),
        ("60,9,ten\n", r"counts:1: got 'ten', expected a number of events"),
        ("60,9,10\n61,-1,10\n", r"counts:2: got '-1'"),
        ("60,9,NaN\n", r"got 'NaN'"),
        ("soon,9,10\n", r"got 'soon', expected a time"),
        ("nan,9,10\n", r"expected a time"),
        ("1790812860000,9,10\n", r"expected Unix seconds, not milliseconds"),
        ('{"time": 60, "good": 9}\n', r"counts:1: .*expected a JSON object with time, good and total"),
        ('{"time": 60, "good": true, "total": 10}\n', r"got True"),
        ('{"time": 60, "good": 9, "total": 1' + "0" * 400 + "}\n", r"expected a number of events"),
        ("[" * 5_000, r"counts:1"),
        ("", r"no sample"),
        ("time,good,total\n", r"no sample"),
        ('60,"9,10\n', r"counts:1: .*expected CSV"),
        ("a metric 1\n# EOF", r"OpenMetrics text"),
        ("# EOF", r"no sample"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, text, expected):
    """A wrong file is one typed error that says where, what was seen and what was expected."""
    with pytest.raises(SourceError, match=expected):
        read(tmp_path, text)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    """A missing file and one of bytes are errors of the source."""
    with pytest.raises(SourceError, match=r"missing.*FileNotFoundError"):
        File(tmp_path / "missing")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="UnicodeDecodeError"):
        File(tmp_path / "bytes")


def test_the_step_is_the_usual_distance(tmp_path):
    """Gaps and a double line do not change what a step is."""
    text = "".join(f"{at},1,1\n" for at in (10, 20, 30, 30, 400, 410, 420))
    history = read(tmp_path, text)[()]
    assert history.step == 10
    assert history.counts(30, 10).total == 2


def test_start_and_end_cut_it(tmp_path):
    """Only what lies in (start, end] is told; now is the last line."""
    path = tmp_path / "counts"
    path.write_text("60,1,1\n120,1,1\n180,1,1\n", encoding="utf-8")
    assert [sample.at for sample in File(path).histories(OBJECTIVE, 60, 120)[()]] == [120]
    assert File(path).now() == 180


def test_slices_are_weighed(tmp_path):
    """Lines are events; of an objective of time slices they become minutes."""
    objective = replace(OBJECTIVE, budgeting=Timeslices(120, Decimal("0.9")))
    history = read(tmp_path, "60,10,10\n120,5,10\n180,10,10\n240,10,10\n", objective)[()]
    assert [(sample.good, sample.total) for sample in history] == [(1, 1), (0, 1), (0, 1), (1, 1)]


def recorded(version="1", more="", good="9"):
    """OpenMetrics text of level 0 of two minutes."""
    labels = f'{{aumos_slo_service="chat",aumos_slo_name="available",aumos_slo_version="{version}"{more}}}'
    return (
        f"# TYPE aumos_slo:good:increase1m gauge\naumos_slo:good:increase1m{labels} {good} 60\n"
        f"aumos_slo:good:increase1m{labels} 8.5 120\n"
        f"# TYPE aumos_slo:total:increase1m gauge\naumos_slo:total:increase1m{labels} 10 60\n"
        f"aumos_slo:total:increase1m{labels} 10 120\n"
    )


def test_recorded_increments_are_taken_as_they_are(tmp_path):
    """Text for promtool with the series of the rules is read; they are slices already."""
    objective = replace(OBJECTIVE, budgeting=Timeslices(120, Decimal("0.9")))
    assert list(read(tmp_path, recorded() + "# EOF\n", objective)[()]) == SAMPLES[:2]


def test_an_objective_that_is_not_in_the_text_counted_nothing(tmp_path):
    """Other services and names are not mixed in."""
    for objective in (replace(OBJECTIVE, name="fast"), replace(OBJECTIVE, service="mail")):
        assert len(read(tmp_path, recorded() + "# EOF", objective)[()]) == 0
    other = replace(OBJECTIVE, name="fast", indicator=Ratio(Query("a"), Query("b")))
    assert len(read(tmp_path, recorded() + "# EOF", other)[()]) == 0


def together(*texts):
    """Texts of the same metrics as one: a metric stands in one place, and in it each series."""
    found = [line for text in texts for line in text.splitlines()]
    found.sort(key=lambda line: ("total" in line, not line.startswith("#"), line.partition("} ")[0]))
    return "\n".join(dict.fromkeys(found)) + "\n# EOF\n"


def test_of_several_versions_the_objectives_own_is_taken(tmp_path):
    """What was recorded under another definition is left alone when its own is there."""
    both = together(recorded(OBJECTIVE.version), recorded("0", good="1"))
    assert list(read(tmp_path, both)[()]) == SAMPLES[:2]


def test_groups_come_apart_and_replicas_are_refused(tmp_path):
    """Each value of the labels has its own history; what differs in other labels is a duplicate."""
    objective = replace(OBJECTIVE, indicator=Ratio(Query("a"), Query("b")), group_by=("route",))
    assert set(read(tmp_path, recorded(more=',route="/a"') + "# EOF", objective)) == {("/a",)}
    text = together(recorded(more=',replica="a"'), recorded(more=',replica="b"'))
    with pytest.raises(SourceError, match="expected one series of chat/available"):
        read(tmp_path, text)


def test_samples_that_are_no_counts_are_left_out_and_noted(tmp_path):
    """A NaN is not data, and the user is told."""
    path = tmp_path / "counts"
    path.write_text(recorded(good="NaN") + "# EOF", encoding="utf-8")
    source = File(path)
    assert [sample.at for sample in source.histories(OBJECTIVE, 0, 1e9)[()]] == [120]
    assert source.notes == [f"{path}: 1 samples have no time, or are not numbers of 0 or more, and are left out"]


def test_counters_become_increments(tmp_path):
    """The SLI's counters are read over all instances, with their restarts."""
    text = "# TYPE aumos_sli_events counter\n"
    text += "".join(
        f'aumos_sli_events_total{{aumos_sli_name="requests",job="{job}"}} {value} {at}\n'
        for job in ("a", "b")
        for at, value in ((60, 100), (120, 110), (180, 5))
    )
    text += 'aumos_sli_events_total{aumos_sli_name="other",job="a"} 0 60\n# TYPE aumos_sli_good_events counter\n'
    text += "".join(
        f'aumos_sli_good_events_total{{aumos_sli_name="requests",job="{job}"}} {value} {at}\n'
        for job in ("a", "b")
        for at, value in ((60, 90), (120, 99), (180, 5))
    )
    history = read(tmp_path, text + "# EOF")[()]
    assert list(history) == [Sample(60, 0, 0), Sample(120, 18, 20), Sample(180, 10, 10)]


def test_times_that_are_not_what_they_seem_are_refused(tmp_path):
    """A file in which a step is a millisecond and the whole a month would be replayed for ever."""
    with pytest.raises(SourceError, match=r"samples 0.001 s apart over 2\.592e\+06 s"):
        read(tmp_path, "60,1,1\n60.001,1,1\n60.002,1,1\n2592060,1,1\n")


@pytest.mark.parametrize(
    "text",
    [
        "start,end,name\n60,120,outage\n180,240,\n",
        "name,start,end\noutage,1970-01-01T00:01Z,120\n,180,240\n",
        '{"start": 60, "end": 120, "name": "outage"}\n[180, 240, ""]\n',
    ],
)
def test_incidents_are_lines_too(tmp_path, text):
    """What people wrote down of incidents is read from CSV and JSON lines."""
    (tmp_path / "incidents").write_text(text, encoding="utf-8")
    assert incidents(tmp_path / "incidents") == [Incident(60, 120, "outage"), Incident(180, 240)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60,60,none", r"incidents:1: got '60', expected an end after the start"),
        ("60,x,none", r"expected a time"),
        ("60,120", r"expected start, end and name"),
    ],
)
def test_what_is_no_incident_is_named_with_its_line(tmp_path, text, expected):
    """A wrong line says what would have been right."""
    (tmp_path / "incidents").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=expected):
        incidents(tmp_path / "incidents")


@given(st.text())
def test_any_text_is_lines_or_a_typed_error(text):
    """No text makes the reader fail in another way."""
    try:
        found = lines.samples(text, "any")
    except SourceError:
        return
    assert all(len(sample) == 3 for sample in found)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_lines_or_a_typed_error(value):
    """Nor does any JSON."""
    for line in (json.dumps([value, value, value]), json.dumps({"time": 1, "good": value, "total": value})):
        try:
            lines.samples(line, "any")
        except SourceError:
            continue
