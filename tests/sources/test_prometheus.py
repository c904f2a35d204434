from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from aumos_otel.errors import ObjectiveError, SourceError
from aumos_otel.slo.history import Sample
from aumos_otel.slo.indicator import Elsewhere, Query, Ratio
from aumos_otel.slo.objective import Definitions, Objective
from aumos_otel.slo.objective import Prometheus as Settings
from aumos_otel.sources.prometheus import Prometheus

OBJECTIVE = Objective(
    name="available",
    service="chat",
    target=Decimal("0.999"),
    indicator=Ratio(total=Query("requests_total"), good=Query('requests_total{code!~"5.."}')),
)


def matrix(*series, **more):
    """An answer with (labels, {time: text}) of each series."""
    result = [{"metric": labels, "values": [[at, text] for at, text in values.items()]} for labels, values in series]
    return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}


def recorded(good, total, labels=None):
    """What a server says that has level 0 recorded, and nothing else."""

    def answer(_path, form):
        column = good if "good" in form["query"] else total
        return matrix((labels or {}, column)) if form["query"].startswith("aumos_slo:") else matrix()

    return answer


@pytest.fixture
def source(api):
    """A client of the server."""
    made = []

    def make(objective=OBJECTIVE, **options):
        settings = options.pop("settings", Settings())
        url = options.pop("url", api.url)
        made.append(Prometheus(url, Definitions(objectives=(objective,), prometheus=settings), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_recorded_samples_are_read_as_they_were_written(api, source):
    """Level 0 is asked for by a range selector with the objective's version, and taken sample by sample."""
    api.answer = recorded({60.5: "9", 120.5: "1e1"}, {60.5: "10", 120.5: "1e1"})
    histories = source().histories(OBJECTIVE, 0, 180)
    assert list(histories[()]) == [Sample(60.5, 9, 10), Sample(120.5, 10, 10)]
    assert histories[()].step == 60
    path, form, _ = api.asked[0]
    assert path == "/api/v1/query"
    assert form["query"].startswith("aumos_slo:good:increase1m{")
    assert f'aumos_slo_version="{OBJECTIVE.version}"' in form["query"]
    assert form["query"].endswith("[3m]")
    assert form["time"] == "180.000"


def test_a_month_is_asked_for_in_weeks(api, source):
    """No question reaches further than the largest that servers answer, and the pieces meet."""
    api.answer = recorded(
        {float(at): "1" for at in range(60, 700_000, 60)}, {float(at): "2" for at in range(60, 700_000, 60)}
    )
    source().histories(OBJECTIVE, 0, 2_592_000)
    asked = [form for path, form, _ in api.asked if "good:increase" in form["query"]]
    assert [form["time"] for form in asked] == [f"{day * 86_400}.000" for day in (7, 14, 21, 28, 30)]
    assert [form["query"].rpartition("[")[2] for form in asked] == ["7d]"] * 4 + ["2d]"]


def test_a_sample_on_the_edge_of_two_questions_counts_once(api, source):
    """Older servers answer with both ends of a range: none is counted twice, nor what lies at the start."""
    both = {0.0: "5", 604_800.0: "5", 604_860.0: "5"}
    api.answer = recorded(both, both)
    history = source().histories(OBJECTIVE, 0, 604_860)[()]
    assert [sample.at for sample in history] == [604_800, 604_860]


def test_samples_weigh_what_their_interval_is_of_a_minute(api, source):
    """Evaluated every half minute, each increment of a minute counts half."""
    column = {float(at): "10" for at in range(30, 3_630, 30)}
    api.answer = recorded(column, column)
    history = source(settings=Settings(interval=30)).histories(OBJECTIVE, 0, 3_600)[()]
    assert history.counts(3_600, 3_600).total == pytest.approx(600)
    assert history.coverage(3_600, 3_600) == 1


def test_the_time_before_the_rules_is_evaluated(api, source):
    """Where nothing was recorded yet, the objective's own expressions are asked at each whole minute."""
    late = {float(at): "7" for at in range(6_030, 7_200, 60)}

    def answer(path, form):
        if path.endswith("query_range"):
            times = range(int(float(form["start"])), int(float(form["end"])) + 1, int(float(form["step"])))
            return matrix(({}, {float(at): "3" if "code" in form["query"] else "4" for at in times}))
        return matrix(({}, late))

    api.answer = answer
    history = source().histories(OBJECTIVE, 0, 7_200)[()]
    assert [sample.at for sample in history] == [60.0 * at for at in range(1, 100)] + list(late)
    assert history.counts(5_970, 5_970).good == 3 * 99


def test_points_are_asked_for_below_the_servers_limit(api, source):
    """A range query of a month is cut in pieces of less than 11,000 points, without gap or overlap."""
    api.answer = lambda path, form: matrix()
    history = source().histories(OBJECTIVE, 30.0, 2_592_000.0)[()]
    assert len(history) == 0
    asked = [form for path, form, _ in api.asked if path.endswith("query_range") and "code" in form["query"]]
    edges = [(float(form["start"]), float(form["end"])) for form in asked]
    assert edges[0][0] == 60
    assert edges[-1][1] == 2_592_000
    assert all((end - start) / 60 < 11_000 for start, end in edges)
    assert all(later[0] - before[1] == 60 for before, later in pairwise(edges))


def test_what_is_no_number_of_events_is_left_out_and_noted(api, source):
    """NaN, infinity and negative values do not spoil a sum, and the user is told."""
    api.answer = recorded(
        {60.0: "NaN", 120.0: "1", 180.0: "-1", 240.0: "2"}, {60.0: "3", 120.0: "+Inf", 180.0: "3", 240.0: "3"}
    )
    client = source()
    assert list(client.histories(OBJECTIVE, 0, 240)[()]) == [Sample(240, 2, 3)]
    assert "chat/available: 2 samples are not numbers of 0 or more, and are left out" in client.notes
    assert "chat/available: 2 samples have a total and no good events, and are left out" in client.notes


def test_each_group_has_a_history_of_its_own(api, source):
    """Objectives that are counted apart come apart."""
    objective = replace(OBJECTIVE, group_by=("route", "code"))
    api.answer = lambda path, form: matrix(({"route": "/a", "code": "1"}, {60.0: "1"}), ({"route": "/b"}, {60.0: "2"}))
    histories = source(objective).histories(objective, 0, 60)
    assert {group: history.counts(60, 60).total for group, history in histories.items()} == {
        ("/a", "1"): 1,
        ("/b", ""): 2,
    }


def test_replicas_are_not_added_up(api, source):
    """Two series of one objective are an error that names both."""
    api.answer = lambda path, form: matrix(({"replica": "a"}, {60.0: "1"}), ({"replica": "b"}, {60.0: "1"}))
    with pytest.raises(SourceError, match=r"'a'.*'b'.*duplicates of replicas"):
        source().histories(OBJECTIVE, 0, 60)


def test_what_is_measured_elsewhere_cannot_be_asked_for(api, source):
    """Without recorded series, an objective of another system is refused with its remedy."""
    objective = replace(OBJECTIVE, indicator=Elsewhere("Datadog", "write it as PromQL"))
    api.answer = lambda path, form: matrix()
    with pytest.raises(ObjectiveError, match=r"Datadog.*write it as PromQL"):
        source(objective).histories(objective, 0, 60_000)


def test_the_time_is_the_servers(api, source):
    """Now is what the server says."""
    api.answer = lambda path, form: (
        200,
        {"status": "success", "data": {"resultType": "scalar", "result": [5.5, "5.5"]}},
    )
    assert source().now() == 5.5
    assert api.asked[0][1] == {"query": "time()"}


def test_tenant_and_credentials_are_sent(api, source):
    """A tenant, a token, or user and password of the URL go with each question; the path of the URL is kept."""
    api.answer = lambda path, form: (200, {"status": "success", "data": {"result": [1, "1"]}})
    source(tenant="acme", token="secret", url=f"{api.url}/prometheus/").now()
    path, _, headers = api.asked[-1]
    assert path == "/prometheus/api/v1/query"
    assert headers["X-Scope-OrgID"] == "acme"
    assert headers["Authorization"] == "Bearer secret"
    source(url=api.url.replace("//", "//user:pa%24s@")).now()
    assert headers_of(api)["Authorization"] == "Basic " + base64.b64encode(b"user:pa$s").decode()


def headers_of(api):
    """The headers of the last question."""
    return api.asked[-1][2]


def test_warnings_become_notes(api, source):
    """A partial answer is said to be one, once."""
    api.answer = lambda path, form: matrix(({}, {60.0: "1"}), warnings=["partial response: store is down"])
    client = source()
    client.histories(OBJECTIVE, 0, 60)
    assert [note for note in client.notes if "store is down" in note] == [f"{api.url}: partial response: store is down"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, {"status": "error", "errorType": "bad_data", "error": "parse error"}), r"400 parse error.*are PromQL"),
        ((401, "no"), r"401 no.*token"),
        ((404, "<html>"), r"404 <html>.*Prometheus API"),
        ((422, {"status": "error", "error": "too many samples"}), r"422 too many samples.*fewer days"),
        ((200, "<html>sign in</html>"), r"200 <html>sign in"),
        ((200, {"status": "success", "data": {"resultType": "vector", "result": []}}), r"expected a matrix"),
        ((200, {"status": "success", "data": {"resultType": "matrix", "result": None}}), r"expected a matrix"),
        (
            (
                200,
                {
                    "status": "success",
                    "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1]]}]},
                    "warnings": None,
                },
            ),
            r"expected a matrix",
        ),
        ((200, ["no", "object"]), r"expected success"),
        ((302, ""), r"302.*redirects"),
        ((503, {"status": "error", "error": "query timed out"}), r"503 query timed out"),
    ],
)
def test_an_answer_that_is_none_says_what_to_do(api, source, answer, expected):
    """Each refusal is one error with the server's words and a remedy, without the password."""
    api.answer = lambda path, form: answer
    with pytest.raises(SourceError, match=expected) as caught:
        source(url=api.url.replace("//", "//user:hidden@")).histories(OBJECTIVE, 0, 60)
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_not_there_is_named(source):
    """A refused connection is an error of the source, not of the library."""
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1.*can be reached"):
        source(url="http://127.0.0.1:1").now()


def test_a_server_that_says_no_time_is_none(api, source):
    """An answer without a time is an error."""
    api.answer = lambda path, form: (200, {"status": "success", "data": {"result": []}})
    with pytest.raises(SourceError, match="the server's time"):
        source().now()


@pytest.mark.parametrize("url", ["localhost:9090", "ftp://host", "", "http://"])
def test_what_is_no_url_is_refused_at_once(url):
    """A wrong address fails before anything is asked."""
    with pytest.raises(SourceError, match="a URL such as"):
        Prometheus(url, Definitions(objectives=()))
