"""What the pages say, and that nothing a sender writes becomes markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from .conftest import NOW, TRACE, llm_trace, log, logs, metrics, span, traces

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
    pages = ("/", f"/?q={query}&service={query}", f"/trace/{TRACE}?span={'a' * 16}", "/logs", f"/logs?q={query}", "/metrics", f"/metrics?q={query}", f"/trace/{query}", f"/?{query}")  # fmt: skip
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
    for path in ("/logs/rows", "/metrics/rows"):
        assert backend.get(path).headers["etag"]


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
