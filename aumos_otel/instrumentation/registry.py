"""Instrumentors of other distributions: found by their entry points, chosen, switched, enabled.

Ours (`BUILT_IN`) replace the contrib instrumentors of the same libraries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.metadata import EntryPoint

State = Literal["enabled", "skipped", "failed", "disabled"]

GROUP: Final = "opentelemetry_instrumentor"

#: Libraries that this distribution instruments itself.
BUILT_IN: Final = ("fastapi", "httpx", "httpx2", "logging")

OURS: Final = "aumos-otel"

#: Which distribution is taken when several register one library; the first pattern that fits.
#: Ours, the GenAI group of OpenTelemetry, its earlier -v2 ones, any other opentelemetry-instrumentation-*.
PREFERENCE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"aumos-instrumentation-.*",
        r"opentelemetry-instrumentation-genai-.*",
        r"opentelemetry-instrumentation-.*-v2",
        r"opentelemetry-instrumentation-.*",
        r".*",
    )
)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one instrumentation.

    Attributes:
        name: the entry point's name, as OTEL_PYTHON_DISABLED_INSTRUMENTATIONS knows it.
        library: what is instrumented, with its version when it is installed.
        state: enabled, skipped (nothing to do), failed (it raised) or disabled (switched off).
        reason: why, in words; empty for the ordinary case.
        distribution: which package does it.
    """

    name: str
    library: str
    state: State
    reason: str = ""
    distribution: str = OURS

    def to_dict(self) -> dict[str, str]:
        """Plain data for ``describe()``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry point and the distribution that registers it."""

    name: str
    distribution: str
    entry: EntryPoint


class Switches:
    """Which instrumentations are wanted: the argument first, then OTEL_PYTHON_DISABLED_INSTRUMENTATIONS."""

    def __init__(self, enabled: Mapping[str, bool] | bool, environ: Mapping[str, str]) -> None:  # noqa: FBT001 - the public option is a bool or a mapping
        self._enabled = enabled
        words = environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
        self._disabled = {word.strip() for word in words if word.strip()}

    def off(self, name: str, distribution: str = OURS) -> str | None:
        """Why this one is switched off; None when it is not."""
        if isinstance(self._enabled, bool):
            if not self._enabled:
                return "instrumentations=False"
        else:
            for key in (name, distribution):
                if key in self._enabled:
                    return None if self._enabled[key] else f"instrumentations={{{key!r}: False}}"
        word = "*" if "*" in self._disabled else name
        return f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS has {word}" if word in self._disabled else None

    def unknown(self, known: set[str]) -> Iterator[str]:
        """Names of the argument that nothing installed answers to."""
        if not isinstance(self._enabled, bool):
            yield from sorted(set(self._enabled) - known)


def candidates() -> list[Candidate]:
    """Everything registered in the group, by name and preference; the built-in libraries left out."""
    found = {
        (entry.name, _distribution(entry)): Candidate(entry.name, _distribution(entry), entry)
        for entry in entry_points(group=GROUP)
        if claim(entry.name) not in BUILT_IN
    }
    return sorted(found.values(), key=lambda each: (claim(each.name), _rank(each), each.distribution))


def claim(name: str) -> str:
    """The library that an entry point's name stands for: openai_v2 and genai-openai mean openai."""
    return name.lower().replace("_", "-").removeprefix("genai-").removesuffix("-v2")


def enable_others(switches: Switches) -> tuple[list[Report], list[Any]]:
    """Enable one instrumentor a library.

    Returns:
        a report for each entry point, and the instrumentors that were enabled here.
    """
    reports: list[Report] = []
    instrumentors: list[Any] = []
    taken: dict[str, str] = defaultdict(str)
    everything = candidates()
    for candidate in everything:
        report, instrumentor = _enable(candidate, switches, taken[claim(candidate.name)])
        reports.append(report)
        if report.state in ("enabled", "failed"):
            taken[claim(candidate.name)] = candidate.distribution
        if instrumentor is not None:
            instrumentors.append(instrumentor)
    known = {each.name for each in everything} | {each.distribution for each in everything} | {*BUILT_IN}
    reports += [
        Report(name, name, "skipped", "no installed instrumentor has this name", "") for name in switches.unknown(known)
    ]
    return reports, instrumentors


def installed(library: str) -> str | None:
    """``library`` with its version, or None when it is not installed."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return None


def _enable(candidate: Candidate, switches: Switches, taken: str) -> tuple[Report, Any]:
    """Enable one instrumentor, or say why not; the instrumentor when it was enabled here."""
    library, reason, ours = candidate.name, "", False
    instrumentor: Any = None
    state: State = "skipped"
    off = switches.off(candidate.name, candidate.distribution)
    if off is not None:
        state, reason = "disabled", off
    elif taken:
        reason = f"{taken} instruments the same library and comes first"
    else:
        try:
            reason = _conflict_of_distribution(candidate)
            if not reason:
                instrumentor = candidate.entry.load()()
                library, reason = _library(candidate, instrumentor)
            if not reason:
                ours = not getattr(instrumentor, "is_instrumented_by_opentelemetry", False)
                if ours:
                    instrumentor.instrument(skip_dep_check=True)
                state, reason = "enabled", "" if ours else "was instrumented before, left alone"
        except ImportError as error:
            reason = f"cannot be imported: {error}"
        except Exception as error:  # noqa: BLE001 - whatever a foreign instrumentor raises is its own affair
            state, reason, ours = "failed", "".join(format_exception_only(error)).strip(), False
    return Report(candidate.name, library, state, reason, candidate.distribution), instrumentor if ours else None


def _conflict_of_distribution(candidate: Candidate) -> str:
    """What the metadata asks for (extra ``instruments``) and is not there; checked before anything is imported."""
    # Loaded here: it takes a tenth of a second, and most services have nothing but the built-in ones.
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts  # noqa: PLC0415 - see above

    conflict = get_dist_dependency_conflicts(candidate.entry.dist) if candidate.entry.dist is not None else None
    return "" if conflict is None else str(conflict)


def _library(candidate: Candidate, instrumentor: Any) -> tuple[str, str]:
    """What an instrumentor says it instruments; what of it is not there, where the metadata did not say."""
    from opentelemetry.instrumentation.dependencies import get_dependency_conflicts  # noqa: PLC0415 - as above

    needed = [str(requirement) for requirement in instrumentor.instrumentation_dependencies()]
    present = [found for requirement in needed if (found := installed(_project(requirement)))]
    dist = candidate.entry.dist
    extras = dist.metadata.get_all("Provides-Extra") or [] if dist is not None else []
    declared = any(extra.startswith("instruments") for extra in extras)
    conflict = None if declared else get_dependency_conflicts(needed)
    return (present[0] if present else candidate.name), ("" if conflict is None else str(conflict))


def _rank(candidate: Candidate) -> int:
    return next(rank for rank, pattern in enumerate(PREFERENCE) if pattern.fullmatch(candidate.distribution))


def _distribution(entry: EntryPoint) -> str:
    return re.sub(r"[-_.]+", "-", entry.dist.name).lower() if entry.dist is not None else ""


def _project(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", str(requirement).strip(), maxsplit=1)[0]
