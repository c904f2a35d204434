"""Real servers on loopback, each with a folder of its own, built or fetched when a test first needs them.

>>> with Prometheus(folder, rules=[folder / "rules.yaml"]) as prometheus:
...     prometheus.query("sum(orders_total)", at=1_700_000_000)

``python -m servers.backends`` builds them all, and says which one a registry refuses.
"""

from __future__ import annotations

import functools
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from servers import go_programs
from servers.go_programs import free_port
from servers.toxics import SOURCE as TOXIPROXY

T = TypeVar("T")

SOURCES = Path(__file__).parents[1] / "backends"
#: Seconds in which a server has to be ready, and to end.
PATIENCE = 60.0
#: Seconds between two looks at a server.
PAUSE = 0.05
#: The identity of Kafka's cluster: 16 bytes in base64.
CLUSTER = "YXVtb3Mtb3RlbC10ZXN0cw"
#: The longest span of a backfilled block that is one of Prometheus's own, 2 h * 3^5.
BLOCK = "486h"


@functools.cache
def collector_program() -> Path:
    """The collector of tests/backends/collector."""
    return go_programs.build(SOURCES / "collector")


@functools.cache
def prometheus_programs() -> Path:
    """The folder of prometheus and promtool; without service discovery, whose modules are not all to be had."""
    package = "github.com/prometheus/prometheus/cmd"
    return go_programs.programs(
        SOURCES / "prometheus", f"{package}/prometheus", f"{package}/promtool", tags="remove_all_sd"
    )


@functools.cache
def alertmanager_programs() -> Path:
    """The folder of alertmanager and amtool."""
    package = "github.com/prometheus/alertmanager/cmd"
    return go_programs.programs(SOURCES / "alertmanager", f"{package}/alertmanager", f"{package}/amtool")


@functools.cache
def cortex_programs() -> Path:
    """The folder of cortex; it reads Prometheus's labels as slices, and loses them where they are not."""
    return go_programs.programs(SOURCES / "cortex", "github.com/cortexproject/cortex/cmd/cortex", tags="slicelabels")


@functools.cache
def kafka_jars() -> Path:
    """The folder of Kafka's jars."""
    return go_programs.jars(SOURCES / "kafka")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One run of promtool; the caller looks at its ``returncode``."""
    command = [prometheus_programs() / "promtool", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def backfill(directory: Path, openmetrics: str) -> Path:
    """Write OpenMetrics text with timestamps (it ends with ``# EOF``) as blocks, for ``Prometheus(storage=directory)``.

    A running Prometheus does not see them. What is older than its retention, 60 days, it deletes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    text = directory.with_name(f"{directory.name}.openmetrics")
    text.write_text(openmetrics)
    # The text is read once a block: with the usual blocks of 2 h a month takes minutes.
    created = promtool(
        "tsdb", "create-blocks-from", f"--max-block-duration={BLOCK}", "openmetrics", "--quiet", text, directory
    )
    assert created.returncode == 0, created.stderr
    text.unlink()
    return directory


def eventually(what: str, probe: Callable[[], T]) -> T:
    """The first true answer of ``probe``; fails, naming ``what``, when there is none within `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(PAUSE)
    return answer


class Server:
    """A process on a free port; ready when the block begins, ended with it.

    What it writes goes to ``log``. A subclass says its `command`, and writes into ``directory`` what that reads.
    """

    #: The path that answers 200 when the server is ready.
    ready_path = "/-/ready"

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self.log = self.directory / "log"
        self.port = free_port()
        #: ``host:port``, and the same as a URL.
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        command = self.command()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=subprocess.STDOUT)
        try:
            eventually("the server is ready", self._is_ready)
        except BaseException as error:
            self.stop()
            error.add_note(self.log.read_text(errors="replace")[-3000:])
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def command(self) -> list[str]:
        """The command line; writes what the program reads."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether the server answers that it is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}{self.ready_path}", timeout=5):
                return True
        except urllib.error.HTTPError as not_yet:
            not_yet.close()
        except OSError:
            pass
        return False

    def stop(self) -> None:
        """End the process; ending it again does nothing."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of the answer to one request; fails with it unless the status is 2xx."""
        request = urllib.request.Request(f"{self.url}{path}", body, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                said = refused.read().decode(errors="replace")
            raise AssertionError(f"{method} {path}: {refused.code} {said}") from None

    def _is_ready(self) -> bool:
        ended = self._process.poll()
        assert ended is None, f"the server ended with {ended}"
        return self.ready()


class Prometheus(Server):
    """A Prometheus that takes OTLP and remote writes, keeps exemplars, and 60 days.

    Args:
        directory: where its files are.
        rules: rule files; `reload` reads them again.
        config: sections of prometheus.yml; one that is a mapping is added to ours, key by key.
        storage: an existing folder of blocks (`backfill`), else a new one.
        features: names for ``--enable-feature``.
    """

    def __init__(
        self,
        directory: Path,
        *,
        rules: Iterable[Path] = (),
        config: Mapping[str, Any] | None = None,
        storage: Path | None = None,
        features: Iterable[str] = (),
    ) -> None:
        super().__init__(directory)
        self._storage = storage.resolve() if storage else self.directory / "data"
        self._features = ["exemplar-storage", *features]
        self._config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "otlp": {
                "translation_strategy": "UnderscoreEscapingWithSuffixes",
                "keep_identifying_resource_attributes": False,
            },
            "storage": {"tsdb": {"out_of_order_time_window": "10m"}},
            "rule_files": [str(path.resolve()) for path in rules],
        }
        for section, value in (config or {}).items():
            ours = self._config.get(section)
            self._config[section] = {**ours, **value} if isinstance(ours, dict) else value

    def command(self) -> list[str]:
        """Prometheus over prometheus.yml, which is JSON."""
        file = self.directory / "prometheus.yml"
        file.write_text(json.dumps(self._config))
        return [
            str(prometheus_programs() / "prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={self._storage}",
            "--storage.tsdb.retention.time=60d",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
            "--web.enable-otlp-receiver",
            "--web.enable-remote-write-receiver",
            f"--enable-feature={','.join(self._features)}",
        ]

    def api(self, path: str, **parameters: str | float) -> Any:
        """The ``data`` of an answer of ``/api/v1/``, e.g. ``api("query_range", query="up", start=0, end=60, step=1)``."""
        return json.loads(self.call("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]

    def query(self, expression: str, at: float | None = None) -> list[Any]:
        """The ``result`` of an instant query at Unix seconds, else now: ``[{"metric": {…}, "value": [time, "text"]}]``."""
        moment = {} if at is None else {"time": repr(at)}
        result: list[Any] = self.api("query", query=expression, **moment)["result"]
        return result

    def reload(self) -> None:
        """Read the configuration and the rule files again; fails with Prometheus's words when it refuses them."""
        self.call("POST", "/-/reload")


class Alertmanager(Server):
    """An Alertmanager that posts each alert, and its end, to ``webhook_url`` at once."""

    def __init__(self, directory: Path, webhook_url: str) -> None:
        super().__init__(directory)
        self._config = {
            "route": {
                "receiver": "webhook",
                "group_by": ["..."],
                "group_wait": "0s",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [
                {"name": "webhook", "webhook_configs": [{"url": webhook_url, "send_resolved": True}]},
            ],
        }

    @property
    def alerting(self) -> dict[str, Any]:
        """What a Prometheus that sends here has in its ``config``."""
        return {"alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.address]}]}]}}

    def command(self) -> list[str]:
        """Alertmanager over alertmanager.yml, which is JSON; alone, without gossip."""
        file = self.directory / "alertmanager.yml"
        file.write_text(json.dumps(self._config))
        return [
            str(alertmanager_programs() / "alertmanager"),
            f"--config.file={file}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]


class Cortex(Server):
    """A Cortex in one process, for tenants (header ``X-Scope-OrgID``): ruler API ``/api/v1/rules``, queries ``/prometheus``."""

    ready_path = "/ready"

    def command(self) -> list[str]:
        """Cortex over cortex.yml, which is JSON; rings in memory, blocks and rules in folders."""
        folder = self.directory
        (folder / "alerts").mkdir(exist_ok=True)
        store = {"kvstore": {"store": "inmemory"}}
        ring = {**store, "instance_addr": "127.0.0.1"}
        config = {
            "auth_enabled": True,
            "server": {
                "http_listen_address": "127.0.0.1",
                "http_listen_port": self.port,
                "grpc_listen_address": "127.0.0.1",
                "grpc_listen_port": free_port(),
            },
            "distributor": {"ring": ring},
            "ingester": {
                "lifecycler": {
                    "address": "127.0.0.1",
                    "min_ready_duration": "0s",
                    "final_sleep": "0s",
                    "ring": {**store, "replication_factor": 1},
                }
            },
            "blocks_storage": {
                "backend": "filesystem",
                "filesystem": {"dir": str(folder / "blocks")},
                "tsdb": {"dir": str(folder / "tsdb")},
                "bucket_store": {"sync_dir": str(folder / "sync")},
            },
            "store_gateway": {"sharding_ring": ring},
            "compactor": {"data_dir": str(folder / "compactor"), "sharding_ring": ring},
            "ruler": {
                "enable_api": True,
                "rule_path": str(folder / "evaluated"),
                "evaluation_interval": "1s",
                "poll_interval": "1s",
                "ring": ring,
            },
            "ruler_storage": {"backend": "filesystem", "filesystem": {"dir": str(folder / "rules")}},
            "alertmanager": {"external_url": f"{self.url}/alertmanager", "cluster": {"listen_address": ""}},
            "alertmanager_storage": {"backend": "local", "local": {"path": str(folder / "alerts")}},
        }
        file = folder / "cortex.yml"
        file.write_text(json.dumps(config))
        return [str(cortex_programs() / "cortex"), f"-config.file={file}"]


class Kafka(Server):
    """A Kafka of one node, broker and controller, whose topics come to be when they are first used."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        #: ``bootstrap.servers`` of a client.
        self.bootstrap = self.address

    def command(self) -> list[str]:
        """Kafka over server.properties; a new folder is formatted first."""
        controller = f"127.0.0.1:{free_port()}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.directory / "data",
            "num.partitions": 3,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }
        file = self.directory / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        java = [
            "java",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # a start is mostly compilation
            f"-Dlog4j2.configurationFile={SOURCES / 'kafka' / 'log4j2.xml'}",
            "-cp",
            f"{kafka_jars()}/*",
        ]
        format_folder = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER, "-c", str(file)]
        formatted = subprocess.run([*java, *format_folder], capture_output=True, text=True, check=False)
        assert formatted.returncode == 0, formatted.stdout + formatted.stderr
        return [*java, "kafka.Kafka", str(file)]

    def ready(self) -> bool:
        """Whether a client is told of a broker."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False


BACKENDS: dict[str, Callable[[], Path]] = {
    "toxiproxy": lambda: go_programs.build(TOXIPROXY),
    "collector": collector_program,
    "prometheus": prometheus_programs,
    "alertmanager": alertmanager_programs,
    "cortex": cortex_programs,
    "kafka": kafka_jars,
}


def main() -> None:
    """Build or fetch all of them, one after another."""
    for name, obtain in BACKENDS.items():
        began = time.monotonic()
        print(f"{name} ...", flush=True)
        try:
            place = obtain()
        except pytest.skip.Exception as refused:
            print(refused)
        else:
            print(f"{name}: {time.monotonic() - began:.1f} s, {place}")


if __name__ == "__main__":
    main()
