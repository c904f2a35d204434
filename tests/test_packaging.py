from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aumos_otel"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Modules that do their work when they are loaded.
PROGRAMS = ("aumos_otel.__main__", "aumos_otel.demo.service")


def build(kind: str, folder: Path) -> Path:
    """Build an sdist or a wheel of the tree, offline."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """Paths inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The METADATA file of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds the unpacked wheel and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(installed: Path, code: str) -> str:
    """Run code against the unpacked wheel, with neither the tree nor the current directory in the way, unmeasured."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = str(installed)
    command = [sys.executable, "-P", "-c", code]
    run = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_wheel_has_every_file_of_the_package(contents: set[str]) -> None:
    """Each module, template, table and marker of the tree is in the wheel."""
    tree = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }

    assert tree - contents == set()


@pytest.mark.parametrize(
    "pattern",
    [
        r"aumos_otel/py\.typed",
        r"aumos_otel/semconv/registry\.yaml",
        r"aumos_otel/llm/prices.*\.json",
        r"aumos_otel/local/.*\.html",
        r"aumos_otel/local/.*\.css",
        r"aumos_otel/local/.*\.js",
        r"aumos_otel-.*\.dist-info/licenses/LICENSE",
    ],
)
def test_wheel_has_what_is_not_python(contents: set[str], pattern: str) -> None:
    """The type marker, the registry, the price table, the page's assets and the licence are in the wheel."""
    assert [name for name in contents if re.fullmatch(pattern, name)]


def test_wheel_has_nothing_else(contents: set[str]) -> None:
    """Only the package and its metadata are installed: no tests, tools, docs or examples."""
    assert {name.partition("/")[0].partition("-")[0] for name in contents} == {"aumos_otel"}


def test_sdist_builds_what_the_tree_builds(contents: set[str], tmp_path: Path) -> None:
    """The wheel that is built from the sdist has the same files as the one built from the tree."""
    with tarfile.open(build("sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "wheel")]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    (wheel,) = (tmp_path / "wheel").iterdir()

    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == contents


def test_metadata_says_what_it_is(metadata: Message) -> None:
    """Name, licence, Python range and the long description are in the metadata."""
    assert metadata["Name"] == "aumos-otel"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().lstrip().startswith("# ")


def test_all_is_every_extra() -> None:
    """The extra [all] contains each other extra."""
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]

    assert set(re.fullmatch(r"aumos-otel\[(.*)\]", everything)[1].split(",")) == set(extras) - {"all"}


def test_each_module_imports_from_the_wheel(installed: Path) -> None:
    """Every module of the unpacked wheel that is no program imports, from the wheel."""
    code = (
        "import importlib, pkgutil, aumos_otel\n"
        "print(aumos_otel.__file__)\n"
        "for module in pkgutil.walk_packages(aumos_otel.__path__, 'aumos_otel.'):\n"
        f"    if module.name not in {PROGRAMS}: importlib.import_module(module.name)\n"
    )

    assert run_installed(installed, code).strip() == str(installed / "aumos_otel" / "__init__.py")


def test_entry_points_load_from_the_wheel(installed: Path) -> None:
    """Each entry point of the wheel (command, distro, configurator, pytest plugin) names something that exists."""
    code = (
        "from importlib.metadata import distribution\n"
        "for point in distribution('aumos-otel').entry_points: point.load(), print(point.group, point.name)"
    )

    assert sorted(run_installed(installed, code).splitlines()) == [
        "console_scripts aumos-otel",
        "opentelemetry_configurator aumos",
        "opentelemetry_distro aumos",
        "pytest11 aumos_otel",
    ]


def test_lock_names_the_public_index_only() -> None:
    """Every package of uv.lock comes from PyPI, so that a clone anywhere can install it."""
    hosts = set(re.findall(r'"https?://([^/"]+)', (ROOT / "uv.lock").read_text()))

    assert hosts <= {"pypi.org", "files.pythonhosted.org"}
