"""Which instrumentor is enabled, from real distributions on the path."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.instrumentation._semconv import (
    _OpenTelemetrySemanticConventionStability as Stability,
)
from opentelemetry.instrumentation._semconv import (
    _OpenTelemetryStabilitySignalType as Kind,
)

from aumos_otel import instrumentation
from aumos_otel.instrumentation import Report
from aumos_otel.instrumentation.registry import claim

INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
log = []
{top}
class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return {dependencies!r}
    def _instrument(self, **kwargs):
        log.append("instrument")
        {body}
    def _uninstrument(self, **kwargs):
        log.append("uninstrument")
"""

Add = Callable[..., str]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Install a distribution with an instrumentor; returns the name of its module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def install(
        distribution: str,
        entry: str = "",
        *,
        library: str | None = "fakelib",
        top: str = "",
        body: str = "pass",
        declared: bool = True,
        release: str = "1.0",
    ) -> str:
        module = distribution.replace("-", "_")
        info = tmp_path / f"{module}-{release}.dist-info"
        info.mkdir()
        metadata = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {release}"]
        if library and declared:
            metadata.append(f"Provides-Extra: instruments\nRequires-Dist: {library}; extra == 'instruments'")
        (info / "METADATA").write_text("\n".join(metadata) + "\n")
        if entry:
            (info / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{entry} = {module}:Instrumentor\n")
            source = INSTRUMENTOR.format(top=top, body=body, dependencies=[library] if library else [])
            (tmp_path / f"{module}.py").write_text(source)
            modules.append(module)
        importlib.invalidate_caches()
        return module

    install("fakelib", library=None, release="2.5")
    yield install
    instrumentation.disable()
    for module in modules:
        sys.modules.pop(module, None)


def enable(enabled: object = True, **environ: str) -> dict[str, list[Report]]:
    """Reports by entry-point name, of this call."""
    found: dict[str, list[Report]] = {}
    for report in instrumentation.enable(enabled, environ):
        found.setdefault(report.name, []).append(report)
    return found


def only(reports: dict[str, list[Report]], name: str = "fakelib") -> Report:
    """The one report of that name."""
    (report,) = reports[name]
    return report


def test_an_installed_instrumentor_is_enabled_and_taken_back(add: Add) -> None:
    """Its library and distribution are named; disable() uninstruments."""
    module = add("opentelemetry-instrumentation-fakelib", "fakelib")
    report = only(enable())
    assert report == Report("fakelib", "fakelib 2.5", "enabled", "", "opentelemetry-instrumentation-fakelib")
    assert report.to_dict()["state"] == "enabled"
    instrumentation.disable()
    assert sys.modules[module].log == ["instrument", "uninstrument"]


def test_one_of_several_is_chosen_by_the_documented_order(add: Add) -> None:
    """GenAI group before -v2 before the plain one before foreign ones; the others name the chosen one."""
    for distribution in ("openinference-instrumentation-fakelib", "opentelemetry-instrumentation-fakelib"):
        add(distribution, "fakelib")
    add("opentelemetry-instrumentation-fakelib-v2", "fakelib_v2")
    chosen = "opentelemetry-instrumentation-genai-fakelib"
    add(chosen, "fakelib")
    reports = [report for found in enable().values() for report in found if claim(report.name) == "fakelib"]
    assert {report.distribution for report in reports if report.state == "enabled"} == {chosen}
    assert len(reports) == 4
    assert all(chosen in report.reason for report in reports if report.state == "skipped")


def test_switching_the_chosen_one_off_by_its_distribution_gives_way_to_the_next(add: Add) -> None:
    """The argument takes distribution names as well."""
    add("opentelemetry-instrumentation-fakelib", "fakelib")
    add("opentelemetry-instrumentation-fakelib-v2", "fakelib")
    reports = enable({"opentelemetry-instrumentation-fakelib-v2": False})["fakelib"]
    assert {report.distribution: report.state for report in reports} == {
        "opentelemetry-instrumentation-fakelib-v2": "disabled",
        "opentelemetry-instrumentation-fakelib": "enabled",
    }


@pytest.mark.parametrize(
    ("enabled", "variable", "state"),
    [
        (True, "", "enabled"),
        (False, "", "disabled"),
        ({"fakelib": False}, "", "disabled"),
        ({"other": False, "fakelib": True}, "", "enabled"),
        (True, "requests , fakelib", "disabled"),
        (True, "*", "disabled"),
        ({"fakelib": True}, "*", "enabled"),
    ],
)
def test_each_is_switchable_by_argument_and_variable(add: Add, enabled: object, variable: str, state: str) -> None:
    """The argument beats OTEL_PYTHON_DISABLED_INSTRUMENTATIONS; what is off is not even imported."""
    module = add("opentelemetry-instrumentation-fakelib", "fakelib")
    report = only(enable(enabled, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=variable))
    assert report.state == state
    assert (module in sys.modules) == (state == "enabled")
    assert bool(report.reason) == (state == "disabled")


def test_all_off_means_the_built_in_ones_too() -> None:
    """False and * switch fastapi, httpx, httpx2 and logging off."""
    for reports in (enable(False), enable(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*")):
        assert {only(reports, name).state for name in ("fastapi", "httpx", "httpx2", "logging")} == {"disabled"}
    instrumentation.disable()


@pytest.mark.parametrize("declared", [True, False])
def test_without_its_library_an_instrumentor_is_skipped(add: Add, declared: bool) -> None:
    """Whether the metadata or only the instrumentor itself says what it needs."""
    module = add("opentelemetry-instrumentation-fakelib", "fakelib", library="not-installed>=3", declared=declared)
    report = only(enable())
    assert report.state == "skipped"
    assert "not-installed" in report.reason
    assert (module in sys.modules) != declared


def test_a_library_of_the_wrong_version_is_skipped(add: Add) -> None:
    """The version that is there is named."""
    add("opentelemetry-instrumentation-fakelib", "fakelib", library="fakelib<2")
    assert "2.5" in only(enable()).reason


def test_a_raising_one_is_reported_and_the_next_library_goes_on(add: Add, caplog: pytest.LogCaptureFixture) -> None:
    """An exception costs that instrumentation alone, and is said once."""
    add("opentelemetry-instrumentation-fakelib", "fakelib", body="raise RuntimeError('no')")
    add("opentelemetry-instrumentation-another", "zz-another")
    reports = enable()
    assert (only(reports).state, only(reports).reason) == ("failed", "RuntimeError: no")
    assert only(reports, "zz-another").state == "enabled"
    assert "RuntimeError: no" in caplog.text


def test_one_that_cannot_be_imported_is_skipped(add: Add) -> None:
    """An ImportError of the instrumentor's own module names what is missing."""
    add("opentelemetry-instrumentation-fakelib", "fakelib", top="import surely_not_there")
    report = only(enable())
    assert report.state == "skipped"
    assert "surely_not_there" in report.reason


def test_one_that_the_user_has_enabled_is_left_alone(add: Add) -> None:
    """It is not instrumented twice, and not taken back by disable()."""
    module = importlib.import_module(add("opentelemetry-instrumentation-fakelib", "fakelib"))
    module.Instrumentor().instrument(skip_dep_check=True)
    report = only(enable())
    assert (report.state, report.reason) == ("enabled", "was instrumented before, left alone")
    instrumentation.disable()
    assert module.log == ["instrument"]


def test_a_misspelt_name_is_said() -> None:
    """A switch that nothing answers to is in the reports."""
    report = only(enable({"htpx": False}), "htpx")
    assert (report.state, report.reason) == ("skipped", "no installed instrumentor has this name")
    instrumentation.disable()


def test_the_built_in_libraries_are_not_left_to_contrib() -> None:
    """The distributions of contrib for them are installed here, and stay unused."""
    reports = enable()
    for name in ("fastapi", "httpx", "httpx2", "logging"):
        assert (only(reports, name).state, only(reports, name).distribution) == ("enabled", "aumos-otel")
    assert only(reports, "logging").reason == "handled by configure()"
    instrumentation.disable()


@pytest.mark.parametrize(
    ("name", "library"),
    [("openai", "openai"), ("openai_v2", "openai"), ("genai-openai", "openai"), ("Google_GenAI", "google-genai")],
)
def test_names_that_mean_one_library_are_known(name: str, library: str) -> None:
    """Spellings of distributions of different origin are compared without their marks."""
    assert claim(name) == library


def test_contrib_emits_stable_names_without_a_write_to_the_environment(add: Add) -> None:
    """Instrumentors see OTEL_SEMCONV_STABILITY_OPT_IN=http; the environment and other modes stay."""
    before, database = map(Stability._get_opentelemetry_stability_opt_in_mode, (Kind.HTTP, Kind.DATABASE))
    body = "from opentelemetry.instrumentation import _semconv as s; log.append(s._get_semconv_opt_in_modes((s._OpenTelemetryStabilitySignalType.HTTP, s._OpenTelemetryStabilitySignalType.DATABASE)))"
    module = add("opentelemetry-instrumentation-fakelib", "fakelib", body=body)
    enable()
    modes = sys.modules[module].log[1]
    assert [modes[kind].name for kind in (Kind.HTTP, Kind.DATABASE)] == ["HTTP", database.name]
    assert "OTEL_SEMCONV_STABILITY_OPT_IN" not in os.environ
    instrumentation.disable()
    assert Stability._get_opentelemetry_stability_opt_in_mode(Kind.HTTP) is before


def test_an_explicit_choice_of_names_is_respected() -> None:
    """With OTEL_SEMCONV_STABILITY_OPT_IN set nothing is changed."""
    before = Stability._get_opentelemetry_stability_opt_in_mode(Kind.HTTP)
    enable(OTEL_SEMCONV_STABILITY_OPT_IN="database")
    assert Stability._get_opentelemetry_stability_opt_in_mode(Kind.HTTP) is before
    instrumentation.disable()
