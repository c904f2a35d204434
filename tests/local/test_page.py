"""What the pages say, and that nothing a sender writes becomes markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from .conftest import NOW, TRACE, llm_trace, log, logs, metrics, span, traces
from .slo_metrics import counts, exemplar, run, target

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>" onload="alert(3)' onclick='alert(4)"""


def test_an_empty_backend_says_how_to_send(backend):
    """The empty list names three ways, with this backend's real address."""
    for path in ("/", "/logs", "/metrics"):
        text = backend.get(path).text
        assert "aumos-otel run -- python app.py" in text
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT={backend.server.otlp_url}" in text


def test_a_filter_that_finds_nothing_says_so(backend):
    """A filtered empty list is not an empty backend."""
    backend.send("traces", llm_trace())
    assert "No trace matches" in backend.get("/?q=nothing").text
    assert "No log matches" in backend.get("/logs?q=nothing").text
    assert "No metric matches" in backend.get("/metrics?q=nothing").text


def test_the_list_shows_a_trace_with_its_model_tokens_and_cost(backend):
    """One line a trace: name, status, duration, model, tokens, cost, tenant."""
    backend.send("traces", llm_trace())
    text = backend.get("/").text
    for part in (f"/trace/{TRACE}", "POST /chat", "chat-api", "2.00s", "gpt-5-mini", "142", "67", "$0.00021", "acme"):
        assert part in text


def test_older_traces_are_a_link_away_with_the_filter_kept(backend):
    """A full list links to what came before, under the same filter."""
    for number in range(1, 103):
        backend.send("traces", llm_trace(f"{number:032x}", start=number))
    text = backend.get("/?llm=1&q=gpt%265").text
    assert "Older traces" not in text
    text = backend.get("/?llm=1&service=chat-api").text
    link = text.split('class="more"><a href="')[1].split('"')[0].replace("&amp;", "&")
    assert "llm=1" in link
    assert "service=chat-api" in link
    older = backend.get(link).text
    assert [f"{number:032x}" in older for number in (1, 2, 3)] == [True, True, False]


def test_the_waterfall_shows_tree_llm_and_panel(backend):
    """The trace page has every span, marks the model call, and opens the span named in the address."""
    backend.send("traces", llm_trace())
    backend.send("logs", logs(log("model answered", traceId=TRACE, spanId="b" * 16)))
    text = backend.get(f"/trace/{TRACE}?span={'b' * 16}").text
    for part in ("chat gpt-5-mini", "127.0.0.1:8200/v1/chat", 'class="waiting"', "First chunk", "312ms", "model answered", "Messages were not captured", 'aria-current="true"'):  # fmt: skip
        assert part in text
    assert "hidden" not in text.split('<aside id="panel"')[1].split(">")[0]


def test_captured_messages_are_shown_as_a_conversation(backend):
    """System, user, tool and assistant messages appear in order, from a span or from its event."""
    messages = {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "How many?"}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "Forty-two."}]}]),
    }  # fmt: skip
    backend.send("traces", llm_trace(**messages))
    text = backend.get(f"/trace/{TRACE}/span/{'b' * 16}").text
    assert 0 < text.index("Be brief.") < text.index("How many?") < text.index("Forty-two.")
    assert 'class="message assistant"' in text


def test_an_exception_is_shown_with_its_stack(backend):
    """A failed span shows type, message and stack trace."""
    event = {"name": "exception", "timeUnixNano": str(NOW), "attributes": [{"key": f"exception.{key}", "value": {"stringValue": value}} for key, value in {"type": "openai.RateLimitError", "message": "slow down", "stacktrace": 'File "app.py", line 7'}.items()]}  # fmt: skip
    backend.send("traces", traces(span("a" * 16, error="429 rate limit", events=[event])))
    text = backend.get(f"/trace/{TRACE}/span/{'a' * 16}").text
    for part in ("openai.RateLimitError", "slow down", "File &#34;app.py&#34;, line 7", "429 rate limit"):
        assert part in text


def test_nothing_that_a_sender_writes_becomes_markup(backend):
    """Hostile names, attributes, messages, logs, metrics and queries are escaped on every page."""
    hostile = {EVIL: EVIL, "http.route": EVIL, "aumos.tenant.id": EVIL, "gen_ai.operation.name": "chat", "gen_ai.request.model": EVIL, "gen_ai.input.messages": json.dumps([{"role": EVIL, "parts": [{"type": EVIL, "content": EVIL, "name": EVIL}]}]), "gen_ai.response.finish_reasons": [EVIL]}  # fmt: skip
    event = {"name": EVIL, "timeUnixNano": str(NOW), "attributes": [{"key": EVIL, "value": {"stringValue": EVIL}}]}
    link = {"traceId": "c" * 32, "spanId": "d" * 16}
    backend.send("traces", traces(span("a" * 16, name=EVIL, given=hostile, error=EVIL, events=[event], links=[link]), service=EVIL))  # fmt: skip
    backend.send("logs", logs(log(EVIL, severityText=EVIL, traceId=TRACE, spanId="a" * 16, attributes=[{"key": EVIL, "value": {"stringValue": EVIL}}]), service=EVIL))  # fmt: skip
    backend.send("metrics", metrics({"name": EVIL, "unit": EVIL, "description": EVIL, "gauge": {"dataPoints": [{"timeUnixNano": "1", "asInt": "1", "attributes": [{"key": EVIL, "value": {"stringValue": EVIL}}]}]}}, service=EVIL))  # fmt: skip
    query = "%3Cscript%3Ealert(1)%3C/script%3E%22"
    backend.send("metrics", metrics(target(name=EVIL, sli=EVIL, policy=EVIL, window=EVIL), *counts(run({-1: 3}), EVIL, exemplars=[exemplar(TRACE, "a" * 16)]), service=EVIL))  # fmt: skip
    backend.send("metrics", metrics(target(name=EVIL, sli=EVIL), *counts(run({-1: 3}), EVIL, exemplars=[exemplar(TRACE, "a" * 16)]), *counts(run({}), EVIL + "2"), service=EVIL + "x"))  # fmt: skip
    objectives = [quote(f"{service}/{EVIL}") for service in (EVIL, EVIL + "x")]
    assert all(backend.get(f"/slo/{key}").status_code == 200 for key in objectives)
    pages = ("/slos", "/slos/rows", *(f"{path}/{key}" for path in ("/slo", "/slos/rows") for key in objectives), f"/slo/{query}", "/", f"/?q={query}&service={query}", f"/trace/{TRACE}?span={'a' * 16}", "/logs", f"/logs?q={query}", "/metrics", f"/metrics?q={query}", f"/trace/{query}", f"/?{query}")  # fmt: skip
    for path in pages:
        text = backend.get(path).text
        assert "<script>" not in text
        assert "<img" not in text
        seen = _Markup()
        seen.feed(text)
        assert seen.tags.isdisjoint({"img", "iframe", "object", "base"})
        assert not {name for name in seen.attributes if name.startswith("on") or name == "style"}


class _Markup(HTMLParser):
    """Collects the tags and attribute names that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_trace_that_is_not_there_is_a_404_page(backend):
    """A deleted or mistyped trace is explained; the API says so as JSON."""
    assert backend.get("/trace/" + "0" * 32).status_code == 404
    assert "is not here" in backend.get("/nowhere").text
    assert backend.get("/api/trace/" + "0" * 32).json() == {"error": "no such trace"}
    assert backend.get("/api/nothing").json() == {"error": "not found"}
    assert backend.get(f"/trace/{TRACE}/span/x").status_code == 404
    assert backend.get("/static/../page.py").status_code == 404


def test_the_refresh_costs_nothing_while_nothing_arrives(backend):
    """The list's fragment has a tag; the same tag is answered 304 until something arrives."""
    first = backend.get("/traces/rows")
    tag = first.headers["etag"]
    assert backend.get("/traces/rows", **{"If-None-Match": tag}).status_code == 304
    backend.send("traces", llm_trace())
    again = backend.get("/traces/rows", **{"If-None-Match": tag})
    assert (again.status_code, "POST /chat" in again.text) == (200, True)
    for path in ("/logs/rows", "/metrics/rows", "/slos/rows"):
        assert backend.get(path).headers["etag"]


@pytest.fixture
def present(monkeypatch):
    """The page's present is when the telemetry of the tests was made, however long they take."""
    monkeypatch.setattr("aumos_otel.local.page._now", lambda: NOW / 1e9)


@pytest.mark.usefixtures("present")
def test_the_list_of_objectives(backend):
    """One line an objective: state, target, good of all, burn rates, budget, and what is wrong; then the other SLIs."""
    backend.send("metrics", metrics(target(), *counts(run({-1: 3})), *counts(run({}), "alone")))
    backend.send("metrics", metrics(target(name="later", sli="none"), service="billing"))
    text = backend.get("/slos/rows").text
    for part in ("critical", "available", "chat-api", "99.9%", "607 / 610", "100.0x", "20.0x", "time-scaled policy", "alone"):  # fmt: skip
        assert part in text
    assert text.index("critical") < text.index("unknown") < text.index("nothing was counted for its SLI none yet")


def test_an_empty_list_of_objectives_says_how_to_define_one(backend):
    """The empty tab has a file to begin with, and how to name it."""
    text = backend.get("/slos").text
    assert "Waiting for objectives" in text
    assert "slos=&#34;slo.yaml&#34;" in text or 'slos="slo.yaml"' in text


@pytest.mark.usefixtures("present")
def test_an_objective_shows_what_burns_and_leads_to_the_traces(backend):
    """The page of one has charts, limits, the forecast, the policy with its source, and links to bad traces."""
    backend.send("traces", traces(span("a" * 16, name="POST /chat", given={"http.response.status_code": 502})))
    seen = [exemplar(TRACE, "a" * 16), exemplar("b" * 32, "b" * 16)]
    backend.send("metrics", metrics(target(), *counts(run({-1: 3}), exemplars=seen)))
    text = backend.get("/slo/chat-api/available").text
    assert f'href="/trace/{TRACE}?span={"a" * 16}"' in text
    assert "has not arrived, or made room" in text
    for part in ("3s window", "15s window", "14.4x for 3s", "The budget is gone", "time-scaled, for the demo only", "not for production", 'class="burn b0" d="M'):  # fmt: skip
        assert part in text
    assert "<html" not in backend.get("/slos/rows/chat-api/available").text
    assert backend.get("/slo/chat-api/other").status_code == 404


@pytest.mark.usefixtures("present")
def test_the_forecast_says_when_the_budget_is_empty(backend):
    """A budget that goes faster than allowed has an end, one that does not lasts."""
    backend.send("metrics", metrics(target(0.99, policy="page: 5s>=20 & 1m>=10"), *counts(run({-9: 9}, 120))))
    backend.send("metrics", metrics(target(0.9), *counts(run({}, 120)), service="billing"))
    assert "the budget is empty at <time" in backend.get("/slo/chat-api/available").text
    assert "the budget lasts for the period" in backend.get("/slo/billing/available").text


def test_the_refresh_tells_of_silence(backend, monkeypatch):
    """A list that is left open is made anew after a while without any arrival: by then all may be unknown."""
    monkeypatch.setattr("aumos_otel.local.page._now", lambda: NOW / 1e9)
    backend.send("metrics", metrics(target(), *counts(run({}))))
    first = backend.get("/slos/rows")
    assert ">ok<" in first.text
    assert backend.get("/slos/rows", **{"If-None-Match": first.headers["etag"]}).status_code == 304
    monkeypatch.setattr("aumos_otel.local.page._now", lambda: NOW / 1e9 + 20)
    later = backend.get("/slos/rows", **{"If-None-Match": first.headers["etag"]})
    assert (later.status_code, ">unknown<" in later.text, "no data since" in later.text) == (200, True, True)


@pytest.mark.usefixtures("present")
def test_objectives_as_json(backend):
    """The API has the same words and numbers."""
    backend.send("metrics", metrics(target(), *counts(run({-1: 3}), exemplars=[exemplar(TRACE, "a" * 16)]), *counts(run({}), "alone")))  # fmt: skip
    answer = backend.get("/api/slos").json()
    (found,) = answer["slos"]
    assert (found["state"], found["burning"], found["bad_traces"]) == ("critical", ["page 3s/15s"], [TRACE])
    assert answer["slis"] == [{"service": "chat-api", "name": "alone", "good": 610.0, "total": 610.0}]
    assert backend.get("/api/slo/chat-api/available").json()["budget"]["bad_events"] == 3
    assert backend.get("/api/slo/chat-api/other").status_code == 404
    assert backend.get("/api/about").json() == {"database": str(backend.store.path)}


def test_the_api_answers_what_the_pages_show(backend):
    """Traces, one trace, logs, metrics and totals are there for curl and tests."""
    backend.send("traces", llm_trace())
    backend.send("logs", logs(log("hello", traceId=TRACE)))
    backend.send("metrics", metrics({"name": "hits", "gauge": {"dataPoints": [{"timeUnixNano": "1", "asInt": "7"}]}}))
    (listed,) = backend.get("/api/traces?llm=1&limit=5").json()["traces"]
    assert (listed["trace_id"], listed["models"], listed["input_tokens"]) == (TRACE, ["gpt-5-mini"], 142)
    trace = backend.get(f"/api/trace/{TRACE}").json()
    assert (len(trace["spans"]), trace["logs"][0]["body"], trace["summary"]["cost"]) == (3, "hello", 0.00021)
    assert backend.get("/api/logs?q=hell").json()["logs"][0]["service"] == "chat-api"
    assert backend.get("/api/metrics").json()["metrics"][0]["points"][0]["value"] == 7
    assert backend.get("/api/totals").json()["spans_by_thing"]["llm"] == 1
    assert backend.get("/api/totals?since_ns=99999999999999999").json()["spans"] in {0, 3}


@pytest.mark.parametrize("query", ["since_ns=soon", "since_ns=-1", "since_ns=99999999999999999999"])
def test_a_query_that_is_no_number_is_a_400(backend, query):
    """A wrong parameter is named."""
    answer = backend.get(f"/api/totals?{query}")
    assert (answer.status_code, "since_ns" in answer.json()["error"]) == (400, True)


def test_a_very_large_trace_is_cut_and_says_so(backend):
    """Beyond the limit the page shows the first spans and how many there are."""
    for part in range(6):
        backend.send("traces", traces(*[span(f"{part * 1000 + number + 1:016x}", start=part, ms=1) for number in range(1000)]))  # fmt: skip
    text = backend.get(f"/trace/{TRACE}").text
    assert text.count('class="pip') == 5000
    assert "of 6\N{NARROW NO-BREAK SPACE}000 spans are shown" in text


def test_times_out_of_any_calendar_do_not_break_the_page(backend):
    """A sender's clock may be anywhere between 1970 and the end of 64 bits."""
    backend.send("traces", traces(span("a" * 16, startTimeUnixNano="0", endTimeUnixNano=str(2**63 - 1))))
    backend.send("logs", logs(log("late", timeUnixNano=str(2**63 - 1), traceId=TRACE)))
    assert (
        backend.get("/").status_code
        == backend.get(f"/trace/{TRACE}").status_code
        == backend.get("/logs").status_code
        == 200
    )


def test_a_logged_exception_is_shown_with_its_stack(backend):
    """The logs page, the waterfall and the panel offer the stack trace of a logged exception."""
    given = [{"key": f"exception.{key}", "value": {"stringValue": value}} for key, value in {"type": "ValueError", "stacktrace": "line 7"}.items()]  # fmt: skip
    backend.send("traces", traces(span("a" * 16)))
    backend.send("logs", logs(log("failed", traceId=TRACE, spanId="a" * 16, attributes=given)))
    for path in ("/logs", f"/trace/{TRACE}", f"/trace/{TRACE}/span/{'a' * 16}"):
        text = backend.get(path).text
        assert "Stack trace of ValueError" in text
        assert '<pre class="stack" tabindex="0">line 7</pre>' in text
