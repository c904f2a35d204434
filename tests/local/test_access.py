"""Who may see the page: this machine's programs and the browser that has the token, nobody else."""

from __future__ import annotations

import pytest

from .conftest import llm_trace


def test_the_opened_address_trades_its_token_for_a_cookie(backend):
    """The token leaves the address bar at once; a cookie that scripts and other sites cannot use takes over."""
    first = backend.client.get(f"{backend.server.page_url}/logs?q=x&token={backend.server.token}")
    assert (first.status_code, first.headers["location"]) == (303, "/logs?q=x")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert backend.client.get(f"{backend.server.page_url}/logs").status_code == 200


def test_the_address_that_the_server_names_opens_the_page(backend):
    """`ui_url` is what the terminal prints: following it shows the list."""
    answer = backend.client.get(backend.server.ui_url, follow_redirects=True)
    assert (answer.status_code, answer.url.path, "token" in str(answer.url)) == (200, "/", False)


@pytest.mark.parametrize("path", ["/", "/trace/" + "0" * 32, "/api/totals", "/nowhere", "/?token=wrong", "/?token="])
def test_without_the_token_there_is_nothing(backend, path):
    """Pages, API and even missing paths answer 401 alike."""
    assert backend.client.get(backend.server.page_url + path).status_code == 401


@pytest.mark.parametrize("bearer", ["", "Bearer", "Bearer wrong", "Basic {}", "bearer {}x"])
def test_a_wrong_authorization_is_refused(backend, bearer):
    """Only the exact token opens the API."""
    header = {"Authorization": bearer.format(backend.server.token)}
    answer = backend.client.get(f"{backend.server.page_url}/api/totals", headers=header)
    assert answer.status_code == 401
    assert "Bearer" in answer.json()["error"]


def test_a_program_uses_the_token_as_bearer(backend):
    """Programs like curl send the token as a header; its scheme may be written in any case."""
    header = {"Authorization": f"bearer {backend.server.token}"}
    assert backend.client.get(f"{backend.server.page_url}/api/totals", headers=header).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4319", "127.0.0.1.evil.example", "localhost#.evil.example", "localhost@evil.example", ""])  # fmt: skip
def test_a_rebound_name_is_refused(backend, host):
    """A site whose name was made to point here is told apart by its Host, even with the token."""
    assert backend.get("/api/totals", Host=host).status_code in {400, 421}


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_names_of_this_machine_are_accepted_on_any_port(backend, host):
    """A forwarded port reaches the page under another number."""
    assert backend.get("/api/totals", Host=host).status_code == 200


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}])  # fmt: skip
def test_requests_that_other_pages_make_are_refused(backend, header):
    """A script of another origin gets nothing, also from another port of this machine."""
    assert backend.get("/api/totals", **header).status_code == 403


def test_a_link_from_elsewhere_may_be_followed(backend):
    """Navigation from another site shows the page to its user, as a link in a chat does."""
    assert backend.get("/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_the_token_redirect_never_leads_elsewhere(backend):
    """A path with two slashes is not taken for a host."""
    answer = backend.client.get(f"{backend.server.page_url}//evil.example/?token={backend.server.token}")
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize("path", ["/", "/api/totals", "/static/page.js", "/nowhere"])
def test_every_answer_carries_the_strict_headers(backend, path):
    """No inline script, no framing, no foreign origin, whatever the answer."""
    answer = backend.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_obeys_its_own_policy(backend):
    """No inline script, style or handler is in any page, and nothing is loaded from elsewhere."""
    backend.send("traces", llm_trace())
    for path in ("/", "/logs", "/metrics", "/trace/4bf92f3577b34da6a3ce929d0e0e4736?span=" + "b" * 16):
        text = backend.get(path).text
        assert "<style" not in text
        assert "style=" not in text
        assert "<script>" not in text
        assert " on" + "click" not in text
        assert 'src="http' not in text
        assert 'href="http' not in text
