"""Who is speaking: the resource that every span, metric and log record of this process carries.

Sources, the first wins: argument (``AUMOS_*`` variables arrive as arguments, see
`aumos_otel.config`), OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, detectors, default.
All detectors together have `DETECTION_TIMEOUT` seconds; what is not known by then is left out
and reported.  The command line is never recorded: it may hold secrets.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import socket
import sys
import threading
import traceback
import uuid
from concurrent.futures import Future, wait
from functools import partial
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.version import __version__ as sdk_version

from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

logger = logging.getLogger("aumos_otel")

#: Seconds that all detectors have together.
DETECTION_TIMEOUT: Final = 0.5

DISTRIBUTION: Final = "aumos-otel"

#: Names of the SDK's own detectors, which the ones below stand in for.
_BUILT_IN: Final = frozenset({"container", "host", "k8s", "os", "otel", "process", "service_instance"})

#: platform.machine() in the words of https://opentelemetry.io/docs/specs/semconv/resource/host/
_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv6l": "arm32",
    "armv7l": "arm32",
    "i386": "x86",
    "i686": "x86",
    "ppc": "ppc32",
    "ppc64": "ppc64",
    "ppc64le": "ppc64",
    "s390x": "s390x",
}

_ARGUMENTS: Final = {
    "service_name": names.SERVICE_NAME,
    "service_version": names.SERVICE_VERSION,
    "environment": names.DEPLOYMENT_ENVIRONMENT_NAME,
    "product": names.AUMOS_PRODUCT,
    "tier": names.AUMOS_TIER,
    "phase": names.AUMOS_PHASE,
}

#: Variables that a pod's manifest fills from the downward API.  The second group is used by
#: others too (Jenkins sets NODE_NAME), so it counts only where a pod is certain.
_POD_VARIABLES: Final = {
    names.K8S_POD_NAME: (("K8S_POD_NAME", "POD_NAME", "KUBERNETES_POD_NAME", "MY_POD_NAME"), ()),
    names.K8S_POD_UID: (("K8S_POD_UID", "POD_UID", "KUBERNETES_POD_UID", "MY_POD_UID"), ()),
    names.K8S_NAMESPACE_NAME: (
        ("K8S_NAMESPACE_NAME", "K8S_NAMESPACE", "POD_NAMESPACE", "KUBERNETES_NAMESPACE", "MY_POD_NAMESPACE"),
        ("NAMESPACE",),
    ),
    names.K8S_NODE_NAME: (("K8S_NODE_NAME", "KUBERNETES_NODE_NAME", "MY_NODE_NAME"), ("NODE_NAME",)),
    names.K8S_CONTAINER_NAME: (("K8S_CONTAINER_NAME",), ("CONTAINER_NAME",)),
    names.K8S_DEPLOYMENT_NAME: (("K8S_DEPLOYMENT_NAME",), ("DEPLOYMENT_NAME",)),
    names.K8S_CLUSTER_NAME: (("K8S_CLUSTER_NAME",), ("CLUSTER_NAME",)),
}
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

#: The last part of a cgroup v1 path; ECS on Fargate writes 32 digits and a number.
_CGROUP_ID: Final = re.compile(r"(?:^|[/:-])([0-9a-f]{64}|[0-9a-f]{32}-\d{1,20})(?:\.scope)?$")
#: Where Docker and Podman keep the files that they mount into the container.  Containerd mounts
#: those of the pod's sandbox, whose id is another one.
_MOUNT_ID: Final = re.compile(r"/(?:docker/containers|overlay-containers)/([0-9a-f]{64})/")


def build(
    *,
    service_name: str | None = None,
    service_version: str | None = None,
    environment: str | None = None,
    product: str | None = None,
    tier: str | None = None,
    phase: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    timeout: float = DETECTION_TIMEOUT,
    report: Callable[[str], object] = logger.warning,
) -> Resource:
    """The resource of this process.

    Args:
        service_name: and the other named ones: beat ``attributes``, which beat ``environ``.
        service_version: `service.version`.
        environment: `deployment.environment.name`.
        product: `aumos.product`.
        tier: `aumos.tier`.
        phase: `aumos.phase`.
        attributes: further attributes.
        environ: where the OTEL_* variables are read.
        timeout: seconds that all detectors have together.
        report: is told in a sentence about each problem; none of them is an error.

    >>> from aumos_otel import resource
    >>> resource.build(service_name="chat-api").attributes["service.name"]
    'chat-api'
    """
    given = _from_environment(environ, report) | chosen(
        service_name=service_name,
        service_version=service_version,
        environment=environment,
        product=product,
        tier=tier,
        phase=phase,
        attributes=attributes,
    )
    if names.SERVICE_INSTANCE_ID in given and _one_of_many():
        given[names.SERVICE_INSTANCE_ID] = f"{given[names.SERVICE_INSTANCE_ID]}-{os.getpid()}"
    return Resource({**_defaults(), **_detect(_detectors(environ), timeout, report), **given})


def chosen(*, attributes: Mapping[str, Any] | None = None, **arguments: str | None) -> dict[str, Any]:
    """The attributes that the arguments of `build` stand for, without what the environment and the detectors say.

    >>> from aumos_otel import resource
    >>> resource.chosen(service_name="chat-api", tier=None)
    {'service.name': 'chat-api'}
    """
    named = {_ARGUMENTS[name]: value for name, value in arguments.items() if value is not None}
    return {**(attributes or {}), **named}


def after_fork(parent: Resource) -> Resource:
    """What differs in a forked child: its pid, and an instance id of its own.

    The id is the parent's with the child's pid appended, so a value that the user chose stays
    its prefix.  Always pass the resource that `build` returned, also in a grandchild.

    >>> from aumos_otel import resource
    >>> parent = resource.build(attributes={"service.instance.id": "pod-7"})
    >>> resource.after_fork(parent).attributes["service.instance.id"].startswith("pod-7-")
    True
    """
    pid = os.getpid()
    instance = parent.attributes.get(names.SERVICE_INSTANCE_ID) or uuid.uuid4()
    return Resource({names.SERVICE_INSTANCE_ID: f"{instance}-{pid}", names.PROCESS_PID: pid})


def container_id(cgroup: str, mountinfo: str) -> str | None:
    """The id of the container, from the texts of /proc/self/cgroup (v1) and /proc/self/mountinfo (v2)."""
    for line in cgroup.splitlines():
        found = _CGROUP_ID.search(line.strip())
        if found:
            return found[1]
    found = _MOUNT_ID.search(mountinfo)
    return found[1] if found else None


def _one_of_many() -> bool:
    """Whether this process was started as a worker, so that siblings have the same environment.

    uvicorn's workers are children of `multiprocessing`; gunicorn's have its arbiter loaded.
    """
    process = sys.modules.get("multiprocessing.process")  # a child of it has it loaded
    return (process is not None and process.parent_process() is not None) or "gunicorn.arbiter" in sys.modules


def _defaults() -> dict[str, Any]:
    executable = Path(sys.executable).name if sys.executable else ""
    try:
        distribution = version(DISTRIBUTION)
    except PackageNotFoundError:
        distribution = "unknown"
    return {
        names.SERVICE_NAME: f"unknown_service:{executable}" if executable else "unknown_service",
        names.SERVICE_INSTANCE_ID: str(uuid.uuid4()),
        names.TELEMETRY_SDK_LANGUAGE: names.TELEMETRY_SDK_LANGUAGE_PYTHON,
        names.TELEMETRY_SDK_NAME: names.TELEMETRY_SDK_NAME_OPENTELEMETRY,
        names.TELEMETRY_SDK_VERSION: sdk_version,
        names.TELEMETRY_DISTRO_NAME: DISTRIBUTION,
        names.TELEMETRY_DISTRO_VERSION: distribution,
    }


def _from_environment(environ: Mapping[str, str], report: Callable[[str], object]) -> dict[str, Any]:
    """OTEL_RESOURCE_ATTRIBUTES (comma-separated, values percent-encoded) and OTEL_SERVICE_NAME."""
    found: dict[str, Any] = {}
    for number, item in enumerate(environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","), 1):
        if not item.strip():
            continue
        key, equals, value = (part.strip() for part in item.partition("="))
        text = _decoded(value) if key and equals else None
        if text is not None:
            found[key] = text
        else:  # the text is not repeated: it may be half of a secret with a comma in it
            report(f"OTEL_RESOURCE_ATTRIBUTES: ignored entry {number}, expected key=value, percent-encoded UTF-8")
    if environ.get("OTEL_SERVICE_NAME", "").strip():
        found[names.SERVICE_NAME] = environ["OTEL_SERVICE_NAME"].strip()
    return found


def _decoded(value: str) -> str | None:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return None


def _detectors(environ: Mapping[str, str]) -> dict[str, Callable[[], Mapping[str, Any]]]:
    """Detectors by name, weakest first: ours, then those of OTEL_EXPERIMENTAL_RESOURCE_DETECTORS."""
    ours: dict[str, Callable[[], Mapping[str, Any]]] = {
        "process": _process,
        "host": _host,
        "os": _operating_system,
        "container": _container,
        "k8s": _kubernetes,
    }
    wanted = [name.strip() for name in environ.get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "").split(",")]
    if "*" in wanted:
        wanted += sorted(entry_points(group="opentelemetry_resource_detector").names)
    others = (name for name in dict.fromkeys(wanted) if name and name != "*" and name not in _BUILT_IN)
    return ours | {name: partial(_registered, name) for name in others}


def _detect(
    detectors: Mapping[str, Callable[[], Mapping[str, Any]]], timeout: float, report: Callable[[str], object]
) -> dict[str, Any]:
    """Run all at once; one that is not done in time is left behind on its daemon thread."""
    futures: dict[str, Future[Mapping[str, Any]]] = {name: Future() for name in detectors}
    for name, detector in detectors.items():
        try:
            threading.Thread(
                target=_settle, args=(futures[name], detector), name=f"resource-detector-{name}", daemon=True
            ).start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            futures[name].set_exception(error)
    wait(futures.values(), timeout)
    detected: dict[str, Any] = {}
    for name, future in futures.items():
        if not future.done():
            report(f"resource detector {name}: not done within {timeout:g} s, its attributes are left out")
        elif (failure := future.exception()) is not None:
            seen = "".join(traceback.format_exception_only(failure)).strip()  # survives a raising __str__
            report(f"resource detector {name}: {seen}; its attributes are left out")
        else:
            detected |= {key: value for key, value in future.result().items() if value not in (None, "")}
    return detected


def _settle(future: Future[Mapping[str, Any]], detector: Callable[[], Mapping[str, Any]]) -> None:
    try:
        future.set_result(dict(detector()))
    except BaseException as error:  # noqa: BLE001 - a thread of ours has no caller; build() reports it
        future.set_exception(error)


def _registered(name: str) -> Mapping[str, Any]:
    """The attributes of a detector that another distribution registers."""
    for entry in entry_points(group="opentelemetry_resource_detector", name=name):
        found: Resource = entry.load()().detect()
        return found.attributes
    raise LookupError("no installed distribution registers it")


def _process() -> dict[str, Any]:
    info = sys.version_info
    release = ".".join(map(str, info[:3] if info.releaselevel == "final" and not info.serial else info))
    return {
        names.PROCESS_PID: os.getpid(),
        names.PROCESS_EXECUTABLE_NAME: Path(sys.executable or "").name,
        names.PROCESS_RUNTIME_NAME: sys.implementation.name,
        names.PROCESS_RUNTIME_VERSION: release,
    }


def _host() -> dict[str, Any]:
    machine = platform.machine().lower()
    return {names.HOST_NAME: socket.gethostname(), names.HOST_ARCH: _ARCHITECTURES.get(machine, machine)}


def _operating_system() -> dict[str, Any]:
    kind = platform.system().lower()
    release = platform.version() if kind in ("windows", "sunos") else platform.release()
    return {names.OS_TYPE: "solaris" if kind == "sunos" else kind, names.OS_VERSION: release}


def _container() -> dict[str, Any]:
    return {names.CONTAINER_ID: container_id(_read("/proc/self/cgroup"), _read("/proc/self/mountinfo"))}


def _kubernetes(environ: Mapping[str, str] = os.environ, namespace_file: Path = _NAMESPACE_FILE) -> dict[str, Any]:
    in_cluster = bool(environ.get("KUBERNETES_SERVICE_HOST"))
    pod_names = _POD_VARIABLES[names.K8S_POD_NAME][0]
    certain = in_cluster or any(environ.get(variable) for variable in pod_names)
    found = {
        name: _first(environ, (*specific, *(shared if certain else ())))
        for name, (specific, shared) in _POD_VARIABLES.items()
    }
    if in_cluster:
        found[names.K8S_POD_NAME] = found[names.K8S_POD_NAME] or environ.get("HOSTNAME")
        found[names.K8S_NAMESPACE_NAME] = found[names.K8S_NAMESPACE_NAME] or _read(namespace_file).strip()
    return found


def _first(environ: Mapping[str, str], variables: Iterable[str]) -> str | None:
    return next((environ[variable] for variable in variables if environ.get(variable)), None)


def _read(path: str | Path) -> str:
    """The text of a small file; nothing when there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
