"""The servers of `make backends` do what later tests count on, and only a registry's refusal skips a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers import backends, go_programs
from servers.backends import Alertmanager, Cortex, Kafka, Prometheus, backfill, eventually, promtool
from servers.sockets import Listener

# A program may have to be built first, after those of other processes.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ACCEPTED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
MINUTE = 60
DAY = 24 * 60 * MINUTE

SERVICE = """
from opentelemetry import metrics, trace
import aumos_otel as aumos

telemetry = aumos.configure(service_name="shop", environment="test", product="assistant")
with aumos.span("checkout"):
    print(f"{trace.get_current_span().get_span_context().trace_id:032x}")
    metrics.get_meter("shop").create_counter("orders").add(3, {"kind": "book"})
assert telemetry.shutdown(timeout=10)
books = {book["signal"]: book for book in telemetry.status().to_dict()["destinations"]}
assert books["metrics"]["delivered"] and not books["metrics"]["dropped"], books
"""


def rule_file(path: Path, *rules: dict[str, object]) -> Path:
    """A file with one group of rules."""
    path.write_text(json.dumps({"groups": [{"name": "test", "rules": rules}]}))
    return path


def values(result: list) -> list[float]:
    """The numbers of an instant query."""
    return [float(series["value"][1]) for series in result]


def test_prometheus_evaluates_rules_over_what_our_sdk_sends(tmp_path: Path) -> None:
    """A counter arrives over OTLP under its Prometheus name, with its trace as exemplar, and a recording rule sees it."""
    rules = rule_file(tmp_path / "rules.yaml", {"record": "orders:sum", "expr": "sum by (kind) (orders_total)"})
    with Prometheus(tmp_path / "prometheus", rules=[rules]) as prometheus:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
        environ |= {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp/v1/metrics",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        ran = subprocess.run(
            [sys.executable, "-c", SERVICE], env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        (arrived,) = prometheus.query("orders_total")
        assert arrived["metric"]["job"].endswith("shop")
        assert arrived["metric"]["kind"] == "book"
        (recorded,) = eventually("the rule is evaluated", lambda: prometheus.query("orders:sum"))
        assert recorded["metric"] == {"__name__": "orders:sum", "kind": "book"}
        assert values([arrived, recorded]) == [3, 3]
        (traced,) = prometheus.api("query_exemplars", query="orders_total", start=0, end=4e9)
        assert traced["exemplars"][0]["labels"]["trace_id"] == ran.stdout.strip()


def test_a_backfilled_month_can_be_queried(tmp_path: Path) -> None:
    """Thirty days of samples a minute apart are there at their own times, to the first and the last one."""
    start = 1_790_000_040
    minutes = 30 * DAY // MINUTE
    samples = [f'events_total{{job="chat"}} {7 * count} {start + MINUTE * count}' for count in range(minutes + 1)]
    storage = backfill(tmp_path / "blocks", "\n".join(["# TYPE events counter", *samples, "# EOF", ""]))
    end = start + 30 * DAY
    with Prometheus(tmp_path / "prometheus", storage=storage) as prometheus:
        assert values(prometheus.query("events_total", start)) == [0]
        assert values(prometheus.query("events_total", end)) == [7 * minutes]
        assert values(prometheus.query("count_over_time(events_total[30d])", end)) == [minutes]
        assert values(prometheus.query("increase(events_total[1h])", start + DAY)) == pytest.approx([420])
        assert prometheus.query("events_total", start - MINUTE) == []


def test_promtool_refuses_a_bad_rule(tmp_path: Path) -> None:
    """`promtool check rules` passes a good rule and fails for one that does not parse, and says where."""
    good = rule_file(tmp_path / "good.yaml", {"record": "a:b", "expr": "rate(a_total[5m])"})
    bad = rule_file(tmp_path / "bad.yaml", {"record": "a:b", "expr": "rate(a_total[5m]"})
    assert promtool("check", "rules", good).returncode == 0
    refused = promtool("check", "rules", bad)
    assert refused.returncode != 0
    assert "unclosed left parenthesis" in refused.stderr


def test_reload_takes_good_rules_and_refuses_bad_ones(tmp_path: Path) -> None:
    """A rule file is read again on `reload`; one that does not parse fails with Prometheus's words, the old rules stay."""
    rules = rule_file(tmp_path / "rules.yaml")
    with Prometheus(tmp_path / "prometheus", rules=[rules]) as prometheus:
        rule_file(rules, {"record": "one", "expr": "vector(1)"})
        prometheus.reload()
        eventually("the new rule is evaluated", lambda: prometheus.query("one"))
        rule_file(rules, {"record": "one", "expr": "vector("})
        with pytest.raises(AssertionError, match=r"reload: 500 .*rules"):
            prometheus.reload()
        assert [rule["name"] for rule in prometheus.api("rules")["groups"][0]["rules"]] == ["one"]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A configuration that Prometheus refuses fails at once, with what it wrote."""
    with pytest.raises(AssertionError, match="ended with") as refused, Prometheus(tmp_path, config={"nonsense": 1}):
        pass
    assert "nonsense not found" in "".join(refused.value.__notes__)


def test_an_alert_and_its_end_reach_a_webhook(tmp_path: Path) -> None:
    """An alert goes from a rule through Alertmanager to a webhook with its labels, and so does that it is over."""
    rule = {"alert": "Burns", "expr": "vector(1)", "labels": {"severity": "page"}}
    rules = rule_file(tmp_path / "rules.yaml", rule)
    with (
        Listener(ACCEPTED) as webhook,
        Alertmanager(tmp_path / "alertmanager", f"{webhook.url}/hook") as alertmanager,
        Prometheus(tmp_path / "prometheus", rules=[rules], config=alertmanager.alerting) as prometheus,
    ):
        eventually("a notification", lambda: webhook.received)
        rule_file(rules, rule | {"expr": "vector(1) > 1"})
        prometheus.reload()
        eventually("the end of the alert", lambda: b'"resolved"' in webhook.received[-1])
    first, last = (
        json.loads(request.partition(b"\r\n\r\n")[2]) for request in (webhook.received[0], webhook.received[-1])
    )
    assert first["status"] == "firing"
    assert first["alerts"][0]["labels"] == {"alertname": "Burns", "severity": "page"}
    assert [alert["status"] for alert in last["alerts"]] == ["resolved"]


def test_cortex_keeps_the_rules_of_tenants_apart(tmp_path: Path) -> None:
    """A rule group set over the ruler's API is evaluated, deleted, and at no time seen by another tenant or by nobody."""
    group = json.dumps({"name": "test", "rules": [{"record": "one", "expr": "vector(1)"}]}).encode()
    acme, other = {"X-Scope-OrgID": "acme"}, {"X-Scope-OrgID": "other"}
    with Cortex(tmp_path) as cortex:
        cortex.call("POST", "/api/v1/rules/aumos", group, acme | {"Content-Type": "application/yaml"})
        assert b"record: one" in cortex.call("GET", "/api/v1/rules/aumos/test", headers=acme)
        with pytest.raises(AssertionError, match=r"404 .*no rule groups"):
            cortex.call("GET", "/api/v1/rules", headers=other)
        with pytest.raises(AssertionError, match=r"401 .*no org id"):
            cortex.call("GET", "/api/v1/rules")
        query = "/prometheus/api/v1/query?query=one"
        eventually("evaluated", lambda: json.loads(cortex.call("GET", query, headers=acme))["data"]["result"])
        assert json.loads(cortex.call("GET", query, headers=other))["data"]["result"] == []
        cortex.call("DELETE", "/api/v1/rules/aumos/test", headers=acme)
        with pytest.raises(AssertionError, match=r"404 .*no rule groups"):
            cortex.call("GET", "/api/v1/rules", headers=acme)


def test_a_record_goes_through_kafka(tmp_path: Path) -> None:
    """What a producer has had acknowledged is what a consumer reads, key, value and headers."""
    from confluent_kafka import Consumer, Producer

    with Kafka(tmp_path) as kafka:
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        producer.produce("slo.events", key=b"chat", value=b"burning", headers={"tenant": b"acme"})
        assert producer.flush(backends.PATIENCE) == 0
        consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "t", "auto.offset.reset": "earliest"})
        consumer.subscribe(["slo.events"])
        record = eventually("a record", lambda: consumer.poll(1))
        consumer.close()
    assert record.error() is None
    assert (record.key(), record.value(), record.headers()) == (b"chat", b"burning", [("tenant", b"acme")])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of programs; the caches of Go stay where they are."""
    for client in ("go", "mvn"):
        if shutil.which(client) is None:
            pytest.skip(f"NOT PROVEN builds: this machine has no {client}")
    monkeypatch.setenv("GOCACHE", subprocess.check_output(["go", "env", "GOCACHE"], text=True).strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "aumos-otel" / "e2e"


def module(folder: Path, program: str, requirement: str = "") -> Path:
    """A Go module with one program."""
    folder.mkdir()
    (folder / "go.mod").write_text(f"module aumos.example/{folder.name}\n\ngo 1.26.0\n\n{requirement}\n")
    (folder / "go.sum").write_text(
        "".join(f"aumos.example/absent v1.0.0{what} h1:{'A' * 43}=\n" for what in ("", "/go.mod"))
    )
    (folder / "main.go").write_text(f"package main\n\n{program}\n")
    return folder


@pytest.fixture(
    params=[("403 Forbidden", True), ("404 Not Found", True), ("500 Internal Server Error", False)],
    ids=lambda param: param[0].partition(" ")[0],
)
def answer(request: pytest.FixtureRequest) -> tuple[bytes, type[BaseException], str]:
    """What a registry answers to everything, and how a test that needs something of it ends and begins to say why."""
    status, refuses = request.param
    said = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()
    return (said, pytest.skip.Exception, "NOT PROVEN ") if refuses else (said, AssertionError, "")


def test_only_a_refusal_of_the_go_proxy_skips(
    answer: tuple[bytes, type[BaseException], str], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that the proxy does not give skips the test with its name; a proxy that is broken fails it."""
    said, ends, beginning = answer
    source = module(
        tmp_path / "needy", 'import _ "aumos.example/absent"\n\nfunc main() {}', "require aumos.example/absent v1.0.0"
    )
    with Listener(said) as registry:
        monkeypatch.setenv("GOPROXY", registry.url)
        with pytest.raises(ends, match=rf"(?s)^{beginning}.*absent@v1\.0\.0"):
            go_programs.build(source)
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_only_a_refusal_of_the_maven_repository_skips(
    answer: tuple[bytes, type[BaseException], str], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact that the repository does not give skips the test with its name; one that is broken fails it."""
    said, ends, beginning = answer
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={tmp_path}")
    with Listener(said) as registry:
        mirror = f"<mirror><id>local</id><mirrorOf>*</mirrorOf><url>{registry.url}</url></mirror>"
        settings.write_text(f"<settings><mirrors>{mirror}</mirrors></settings>")
        with pytest.raises(ends, match=rf"(?s)^{beginning}.*maven-dependency-plugin"):
            go_programs.jars(backends.SOURCES / "kafka")
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_a_program_is_built_once_for_its_source(tmp_path: Path, cache: Path) -> None:
    """A source with a mistake fails, although it speaks of 403; once right it is built, and not again until it changes."""
    source = module(tmp_path / "plain", 'func main() { println("403 Forbidden") + }')
    with pytest.raises(AssertionError, match="syntax error"):
        go_programs.build(source)
    (source / "main.go").write_text("package main\n\nfunc main() {}\n")
    built = go_programs.build(source)
    assert subprocess.run([built], check=False).returncode == 0
    before = built.stat().st_mtime_ns
    assert go_programs.build(source) == built
    assert built.stat().st_mtime_ns == before
    (source / "main.go").write_text('package main\n\nimport "os"\n\nfunc main() { os.Exit(3) }\n')
    assert subprocess.run([go_programs.build(source)], check=False).returncode == 3


def test_a_machine_without_the_client_skips(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Go, the test that needs a program is skipped, and says so."""
    source = module(tmp_path / "plain", "func main() {}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="NOT PROVEN plain: this machine has no go"):
        go_programs.build(source)
