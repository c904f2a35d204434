from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from importlib.metadata import EntryPoint, EntryPoints, version
from pathlib import Path

import pytest
from opentelemetry.sdk import resources as sdk_resources
from opentelemetry.sdk.resources import Resource, ResourceDetector
from opentelemetry.sdk.trace import TracerProvider

from aumos_otel import _compat, resource
from aumos_otel.semconv import attributes as names

ID = "0123456789abcdef" * 4
release_hanging = threading.Event()


class Hanging(ResourceDetector):
    """Waits until the test is over."""

    def detect(self) -> Resource:
        """Come too late."""
        release_hanging.wait(30)
        return Resource({"late": "yes"})


class UnprintableError(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Raising(ResourceDetector):
    """Fails in the worst way."""

    def detect(self) -> Resource:
        """Raise."""
        raise UnprintableError


class Cloud(ResourceDetector):
    """Knows better than the built-in host detector."""

    def detect(self) -> Resource:
        """Name the region and the host."""
        return Resource({"cloud.region": "eu-1", names.HOST_NAME: "from-cloud"})


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> object:
    """Three foreign detectors, as entry points; the hanging one is let go after the test."""
    group = "opentelemetry_resource_detector"
    found = EntryPoints(
        EntryPoint(kind.__name__.lower(), f"{__name__}:{kind.__name__}", group) for kind in (Hanging, Raising, Cloud)
    )
    monkeypatch.setattr(resource, "entry_points", found.select)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    release_hanging.clear()
    yield
    release_hanging.set()


def build(environ: dict[str, str] | None = None, **given: object) -> dict[str, object]:
    """The attributes of a resource built from this environment alone."""
    return dict(resource.build(environ=environ or {}, **given).attributes)


def test_an_argument_beats_the_variables_and_they_beat_detectors() -> None:
    """service.name: argument, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, default, in this order."""
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=c,host.name=mine"}
    assert build(environ)["service.name"] == "c"
    assert build(environ)["host.name"] == "mine"
    environ["OTEL_SERVICE_NAME"] = "b"
    assert build(environ)["service.name"] == "b"
    assert build(environ, attributes={"service.name": "a2"})["service.name"] == "a2"
    assert build(environ, service_name="a", attributes={"service.name": "a2"})["service.name"] == "a"


def test_every_identity_argument_becomes_its_attribute() -> None:
    """The AumOS identity is on the resource under its own names."""
    found = build(service_version="1.4", environment="prod", product="assistant", tier="foundation", phase="1A")
    assert found[names.SERVICE_VERSION] == "1.4"
    assert found[names.DEPLOYMENT_ENVIRONMENT_NAME] == "prod"
    assert (found[names.AUMOS_PRODUCT], found[names.AUMOS_TIER], found[names.AUMOS_PHASE]) == (
        "assistant",
        "foundation",
        "1A",
    )


def test_nothing_given_names_the_executable() -> None:
    """The specification's default name is used, with the SDK's and the distribution's names."""
    found = build()
    assert found[names.SERVICE_NAME] == f"unknown_service:{Path(sys.executable).name}"
    assert found[names.TELEMETRY_DISTRO_NAME] == "aumos-otel"
    assert found[names.TELEMETRY_DISTRO_VERSION] == version("aumos-otel")
    stock = sdk_resources.OTELResourceDetector().detect().merge(Resource.create({})).attributes
    for name in (names.TELEMETRY_SDK_NAME, names.TELEMETRY_SDK_LANGUAGE, names.TELEMETRY_SDK_VERSION):
        assert found[name] == stock[name]


def test_bad_entries_are_reported_without_their_text_and_the_others_kept() -> None:
    """A malformed OTEL_RESOURCE_ATTRIBUTES costs only the malformed entries."""
    told: list[str] = []
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "a=1,hunter2,=x,b=%FF%FE,c=x%2Cy%3Dz,,d=1=2, e = f ,"}
    found = build(environ, report=told.append)
    assert (found["a"], found["c"], found["d"], found["e"]) == ("1", "x,y=z", "1=2", "f")
    assert "b" not in found
    assert len(told) == 3
    assert not any("hunter2" in sentence for sentence in told)


def test_process_host_and_system_are_described_without_the_command_line() -> None:
    """The detectors know the process and machine; no attribute repeats the arguments."""
    found = build()
    assert found[names.PROCESS_PID] == os.getpid()
    assert found[names.PROCESS_RUNTIME_NAME] == sys.implementation.name
    assert {names.HOST_NAME, names.HOST_ARCH, names.OS_TYPE, names.PROCESS_EXECUTABLE_NAME} <= set(found)
    assert not [name for name in found if "command" in name or "args" in name]


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "expected"),
    [
        (f"12:memory:/docker/{ID}\n", "", ID),
        (f"1:name=systemd:/kubepods/besteffort/pod1-2/{ID}\n", "", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", "", ID),
        ("9:cpu:/ecs/0123456789abcdef0123456789abcdef-1234567\n", "", "0123456789abcdef0123456789abcdef-1234567"),
        ("0::/\n", f"612 5 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/x rw\n", ID),
        ("0::/\n", f"1 2 0:1 /containers/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - x x rw\n", ID),
        ("0::/\n", f"1 2 0:1 /io.containerd.grpc.v1.cri/sandboxes/{ID}/hostname /etc/hostname rw - x x rw\n", None),
        ("0::/user.slice/session-1.scope\n", "36 35 98:0 / /mnt rw - ext3 /dev/root rw\n", None),
        ("", "", None),
    ],
)
def test_the_container_id_is_read_from_either_version_of_cgroups(
    cgroup: str, mountinfo: str, expected: str | None
) -> None:
    """Docker, Podman, containerd, ECS are understood; a pod sandbox is not taken for a container."""
    assert resource.container_id(cgroup, mountinfo) == expected


def test_the_downward_api_is_read_under_its_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pod, uid, namespace and node come from the variables of the manifest."""
    monkeypatch.setenv("POD_NAME", "chat-1")
    monkeypatch.setenv("POD_UID", "u-1")
    monkeypatch.setenv("NAMESPACE", "prod")
    monkeypatch.setenv("NODE_NAME", "n-1")
    found = build()
    assert found[names.K8S_POD_NAME] == "chat-1"
    assert found[names.K8S_POD_UID] == "u-1"
    assert found[names.K8S_NAMESPACE_NAME] == "prod"
    assert found[names.K8S_NODE_NAME] == "n-1"


def test_a_bare_pod_is_recognised_by_its_host_name(tmp_path: Path) -> None:
    """Inside a cluster the host name is the pod and the mounted file is the namespace."""
    namespace = tmp_path / "namespace"
    namespace.write_text("team-a\n")
    found = resource._kubernetes({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "chat-2"}, namespace)
    assert found[names.K8S_POD_NAME] == "chat-2"
    assert found[names.K8S_NAMESPACE_NAME] == "team-a"


def test_names_that_others_use_count_only_in_a_pod(tmp_path: Path) -> None:
    """NODE_NAME of a build server and HOSTNAME of a shell do not make a pod."""
    found = resource._kubernetes({"NODE_NAME": "jenkins-3", "HOSTNAME": "laptop"}, tmp_path / "none")
    assert not any(found.values())


def test_a_hanging_or_raising_detector_is_left_behind_and_reported(registered: None) -> None:
    """Detection ends in time with what is known, and each detector that failed is named."""
    told: list[str] = []
    environ = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "hanging, raising,cloud,process,unknown"}
    started = time.monotonic()
    found = build(environ, timeout=0.2, report=told.append)
    assert time.monotonic() - started < 2
    assert found["cloud.region"] == "eu-1"
    assert found[names.HOST_NAME] == "from-cloud"
    assert "late" not in found
    assert [sentence.split(":")[0] for sentence in told] == [
        "resource detector hanging",
        "resource detector raising",
        "resource detector unknown",
    ]


def test_a_star_asks_for_every_registered_detector(registered: None) -> None:
    """OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=* loads all entry points."""
    told: list[str] = []
    found = build({"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "*"}, timeout=0.2, report=told.append)
    assert found["cloud.region"] == "eu-1"
    assert len(told) == 2


def test_the_instance_id_is_the_users_or_random() -> None:
    """A given service.instance.id stays as it is; otherwise each build draws its own."""
    assert build({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7"})[names.SERVICE_INSTANCE_ID] == "pod-7"
    assert build(attributes={names.SERVICE_INSTANCE_ID: "mine"})[names.SERVICE_INSTANCE_ID] == "mine"
    assert build()[names.SERVICE_INSTANCE_ID] != build()[names.SERVICE_INSTANCE_ID]


FORK = """
import json, os
from opentelemetry.sdk.trace import TracerProvider
from aumos_otel import _compat, resource
parent = resource.build(attributes={"service.instance.id": "pod-7"})
provider = TracerProvider(resource=parent)
os.register_at_fork(after_in_child=lambda: _compat.update_resource(provider, resource.after_fork(parent)))
def ids():
    found = provider.resource.attributes
    return [found["service.instance.id"], found["process.pid"], os.getpid()]
read, write = os.pipe()
if os.fork() == 0:
    line = [ids()]
    inner = os.fork()
    if inner == 0:
        os.write(write, (json.dumps(ids()) + "\\n").encode())
        os._exit(0)
    os.waitpid(inner, 0)
    os.write(write, (json.dumps(ids()) + "\\n").encode())
    os._exit(0)
os.wait()
os.close(write)
print(json.dumps(ids()))
print(os.fdopen(read).read())
"""


def test_forked_workers_have_ids_of_their_own_that_begin_with_the_users() -> None:
    """Child and grandchild keep the user's value as prefix, although the SDK overwrites it."""
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30, check=True)
    parent, *children = [json.loads(line) for line in ran.stdout.splitlines() if line]
    assert parent[0] == "pod-7"
    assert len(children) == 2
    for instance, recorded_pid, pid in children:
        assert instance == f"pod-7-{pid}"
        assert recorded_pid == pid


SPAWN = """
import multiprocessing
from aumos_otel import resource
def ask(queue):
    queue.put(resource.build().attributes["service.instance.id"])
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=ask, args=(queue,)) for _ in range(2)]
    [worker.start() for worker in workers]
    print(*sorted(queue.get(timeout=20) for _ in workers), resource.build().attributes["service.instance.id"])
    [worker.join() for worker in workers]
"""


def test_spawned_workers_with_one_environment_have_ids_of_their_own(tmp_path: Path) -> None:
    """Workers of uvicorn are spawned with the same OTEL_RESOURCE_ATTRIBUTES; the pid tells them apart."""
    script = tmp_path / "spawn.py"
    script.write_text(SPAWN)
    environ = {**os.environ, "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7"}
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True, env=environ
    )
    first, second, parent = ran.stdout.split()
    assert parent == "pod-7"
    assert first != second
    assert first.startswith("pod-7-")
    assert second.startswith("pod-7-")


def test_a_provider_takes_the_childs_resource() -> None:
    """The SDK's provider accepts what after_fork() returns; nothing else changes."""
    parent = resource.build(service_name="x")
    provider = TracerProvider(resource=parent, shutdown_on_exit=False)
    assert _compat.update_resource(provider, resource.after_fork(parent))
    changed = {key for key, value in provider.resource.attributes.items() if parent.attributes[key] != value}
    assert changed == {names.SERVICE_INSTANCE_ID}
