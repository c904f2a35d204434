"""The local page in a real browser: from the list to the waterfall to the model call and its log."""

from __future__ import annotations

import json
import re
import time

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from aumos_otel.local import LocalServer

pytestmark = pytest.mark.e2e

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FAILED = "00f067aa0ba902b74bf92f3577b34da6"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
DEADLINE = 15_000


def attributes(values):
    """OTLP/JSON attributes of texts, whole numbers and fractions."""
    kinds = {int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def span(span_id, name, given, *, trace=TRACE, parent="", start=0, ms=10, kind=3, **more):
    """An OTLP/JSON span that began ``start`` milliseconds after ten seconds ago; ids are one digit, repeated."""
    begun = time.time_ns() - 10_000_000_000 + start * 1_000_000
    times = {"startTimeUnixNano": str(begun), "endTimeUnixNano": str(begun + ms * 1_000_000)}
    return {"traceId": trace, "spanId": span_id * 16, "parentSpanId": parent * 16, "name": name, "kind": kind, "attributes": attributes(given), **times, **more}  # fmt: skip


def send(server, signal, body):
    """POST one request of one service."""
    (group,) = next(iter(body.values()))
    group["resource"] = {"attributes": attributes({"service.name": "chat-api"})}
    answer = httpx.post(f"{server.otlp_url}/v1/{signal}", json=body, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {})


def send_spans(server, *spans):
    """POST spans."""
    send(server, "traces", {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def send_conversation(server):
    """A request with a streamed model call whose messages were captured, and its log."""
    call = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_tokens": 142, "gen_ai.usage.output_tokens": 67, "gen_ai.usage.cost": 0.00021,
        "gen_ai.response.time_to_first_chunk": 0.312,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "How many seats?"}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "Forty."}]}]),
    }  # fmt: skip
    send_spans(
        server,
        span("a", "POST /chat", {"http.route": "/chat", "http.response.status_code": 200}, ms=2000, kind=2),
        span("b", "chat gpt-5-mini", call, parent="a", start=50, ms=1840),
        span("c", "POST", {"http.request.method": "POST", "url.full": "http://127.0.0.1:8200/v1/chat"}, parent="b", start=60, ms=1800),
    )  # fmt: skip
    record = {"timeUnixNano": str(time.time_ns()), "severityNumber": 9, "body": {"stringValue": "model answered"}, "traceId": TRACE, "spanId": "b" * 16}  # fmt: skip
    send(server, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})


def send_failure(server):
    """A request whose model call raised."""
    raised = {"exception.type": "openai.RateLimitError", "exception.message": "slow down", "exception.stacktrace": "Traceback …\n  line 7"}  # fmt: skip
    event = {"name": "exception", "timeUnixNano": str(time.time_ns()), "attributes": attributes(raised)}
    error = {"status": {"code": 2, "message": "429"}}
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini"}
    send_spans(
        server,
        span("a", "POST /summarize", {"http.response.status_code": 502}, trace=FAILED, start=3000, ms=300, kind=2, **error),
        span("b", "chat gpt-5-mini", call, trace=FAILED, parent="a", start=3050, ms=200, events=[event], **error),
    )  # fmt: skip


@pytest.fixture
def server(tmp_path):
    """A running backend with an empty database."""
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as running:
        yield running


@pytest.fixture
def page(server):
    """A browser's page, opened with the token; any script error or refused resource fails the test."""
    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(DEADLINE)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        opened.goto(server.ui_url)
        yield opened
        browser.close()
    assert complaints == []


def test_from_the_list_to_the_model_call_and_its_log(server, page):
    """What arrives appears by itself; a click opens the waterfall, another the call with its messages and log."""
    expect(page.get_by_role("heading", name="Waiting for traces")).to_be_visible()
    assert "token" not in page.url
    send_conversation(server)
    row = page.get_by_role("row").filter(has_text="POST /chat")
    expect(row).to_contain_text("gpt-5-mini", timeout=DEADLINE)
    expect(row).to_contain_text("$0.00021")
    page.get_by_role("link", name="POST /chat").click()
    expect(page).to_have_url(re.compile(TRACE))
    rows = page.locator("#waterfall tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("LLM")
    boxes = [rows.nth(number).locator("rect.bar").bounding_box() for number in range(3)]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert boxes[0]["width"] > boxes[1]["width"] > boxes[2]["width"] > 100
    panel = page.get_by_role("complementary", name="Span details")
    expect(panel).to_be_hidden()
    page.get_by_role("link", name="chat gpt-5-mini").first.click()
    expect(panel).to_be_visible()
    for text in ("142", "67", "$0.00021", "312ms", "How many seats?", "Forty.", "model answered"):
        expect(panel).to_contain_text(text)
    assert page.url.endswith(f"?span={'b' * 16}")


def test_a_failed_call_shows_its_exception(server, page):
    """The error filter leads to the failed trace; its span shows type, message and stack."""
    send_conversation(server)
    send_failure(server)
    page.get_by_label("Errors").check()
    expect(page).to_have_url(re.compile("errors=1"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="POST /summarize").click()
    page.locator(f"#s-{'b' * 16}").click()
    panel = page.get_by_role("complementary", name="Span details")
    for text in ("openai.RateLimitError", "slow down", "line 7", "429"):
        expect(panel).to_contain_text(text)


def test_the_keyboard_is_enough(server, page):
    """Arrows move between spans, Enter opens one, Escape closes it and returns to it, Back and Forward follow."""
    send_conversation(server)
    page.goto(f"{server.page_url}/trace/{TRACE}")
    panel = page.get_by_role("complementary", name="Span details")
    page.locator(f"#s-{'a' * 16}").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#s-{'b' * 16}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_be_focused()
    expect(panel).to_contain_text("142")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator(f"#s-{'b' * 16}")).to_be_focused()
    page.go_back()
    expect(panel).to_be_visible()
    page.go_forward()
    expect(panel).to_be_hidden()


def test_a_refresh_leaves_the_focus_and_can_be_paused(server, page):
    """New rows do not take the focus away; with Live off nothing changes until it is on again."""
    send_conversation(server)
    link = page.locator(f"#t-{TRACE}")
    link.focus(timeout=DEADLINE)
    send_failure(server)
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(link).to_be_focused()
    live = page.get_by_role("button", name="Live")
    live.click()
    expect(live).to_have_attribute("aria-pressed", "false")
    send_spans(server, span("d", "GET /later", {}, trace="1" * 32, start=5000))
    live.click()
    expect(page.locator("tbody tr")).to_have_count(3)


def send_objective(server, *, bad):
    """An objective, and two minutes of counts with a point a second, of which the last had so many bad events."""
    now = time.time_ns()
    sli, began = attributes({"aumos.sli.name": "requests"}), str(now - 121_000_000_000)
    told = attributes({"aumos.slo.name": "available", "aumos.sli.name": "requests", "aumos.slo.window": "30d", "aumos.slo.policy": "demo"})  # fmt: skip
    behind = {"traceId": FAILED, "spanId": "a" * 16, "timeUnixNano": str(now), "asInt": "1", "filteredAttributes": [{"key": "aumos.sli.good", "value": {"boolValue": False}}]}  # fmt: skip

    def points(lost):
        rows = [(second, 10 * (121 - second) - (lost if second == 0 else 0)) for second in range(120, -1, -1)]
        return [{"timeUnixNano": str(now - second * 1_000_000_000), "startTimeUnixNano": began, "asInt": str(value), "attributes": sli} for second, value in rows]  # fmt: skip

    events = points(0)
    events[-1]["exemplars"] = [behind] if bad else []
    found = [{"name": name, "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": rows}} for name, rows in (("aumos.sli.events", events), ("aumos.sli.good_events", points(bad)))]  # fmt: skip
    found.append({"name": "aumos.slo.target", "gauge": {"dataPoints": [{"timeUnixNano": str(now), "asDouble": 0.999, "attributes": told}]}})  # fmt: skip
    send(server, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": found}]}]})


def test_from_the_objective_to_the_trace_behind_a_bad_event(server, page):
    """The tab fills by itself; the burning objective leads to its chart, and from there to the failed request."""
    page.get_by_role("link", name="SLOs").click()
    expect(page.get_by_role("heading", name="Waiting for objectives")).to_be_visible()
    send_failure(server)
    send_objective(server, bad=3)
    row = page.get_by_role("row").filter(has_text="available")
    expect(row).to_contain_text("critical", timeout=DEADLINE)
    page.get_by_role("link", name="available").click()
    chart = page.get_by_role("img", name="Burn rate over time")
    expect(chart).to_be_visible()
    box = chart.bounding_box()
    for line in page.locator("path.burn").all():
        drawn = line.bounding_box()
        assert box["x"] - 2 <= drawn["x"]
        assert drawn["x"] + drawn["width"] <= box["x"] + box["width"] + 2
        assert drawn["width"] > box["width"] / 2
    expect(page.get_by_role("img", name="Error budget left")).to_be_visible()
    page.get_by_role("link", name="POST /summarize").click()
    expect(page).to_have_url(re.compile(f"/trace/{FAILED}"))


@pytest.mark.parametrize("width", [400, 1400])
def test_the_objectives_fit_any_window(server, page, width):
    """Neither the list nor the charts of an objective make the page wider than the window."""
    send_objective(server, bad=3)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/slos", "/slo/chat-api/available"):
        page.goto(server.page_url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cells = page.locator("table.list td, table.list th").all()
        assert all(cell.bounding_box()["x"] < width for cell in cells if cell.is_visible())


def test_the_pages_work_without_scripts(server):
    """With JavaScript off, list, filter, waterfall and panel are plain links and forms."""
    send_conversation(server)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(server.ui_url)
        page.get_by_role("link", name="POST /chat").click()
        page.get_by_role("link", name="chat gpt-5-mini").first.click()
        expect(page.get_by_role("complementary", name="Span details")).to_contain_text("How many seats?")
        page.get_by_role("link", name="Close span details").click()
        expect(page.get_by_role("complementary", name="Span details")).to_be_hidden()
        browser.close()
