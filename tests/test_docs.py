"""Every snippet of README.md, docs/ and the docstrings runs, offline; every link and command in them exists."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import json
import re
import shlex
import tomllib
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import yaml
from servers.otlp import HTTPSink
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from aumos_otel import cli, testing

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aumos_otel"
PAGES = [path for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))) if path.stat().st_size]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKE_TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NOX_SESSIONS = set(re.findall(r"^def ([a-z0-9_]+)\(session", (ROOT / "noxfile.py").read_text(), re.MULTILINE))
#: Programs that a shell snippet may call without further checks.
PROGRAMS = {"cd", "curl", "git", "gunicorn", "kill", "opentelemetry-instrument", "pytest", "python", "uvicorn"}
LANGUAGE = re.compile(r"^ {0,3}```(\S*)", re.MULTILINE)
SKIP_WITHOUT_REASON = re.compile(r"<!-+\s*skip:\s*(?:next|start)\s*-+>")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#[^)]*)?\)")


def name_of(path: Path) -> str:
    """A path as the test's id."""
    return path.relative_to(ROOT).as_posix()


def commands(source: str) -> list[list[str]]:
    """The commands of a shell snippet, as words, without comments, prompts and variable assignments."""
    found = []
    for line in source.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;|\|(?!\|)", line.removeprefix("$ ")):
            words = shlex.split(part.strip().rstrip("&"), comments=True)
            while words and re.match(r"(?:export$|[A-Z_]+=)", words[0]):
                words.pop(0)
            if words:
                found.append(words)
    return found


def check_command_line(words: list[str]) -> None:
    """Walk the click tree along a command line: each subcommand and option exists."""
    command: click.Command = cli.main
    for position, word in enumerate(words):
        if word == "--":
            check_command(words[position + 1 :])
            return
        if isinstance(command, click.Group) and not word.startswith("-"):
            assert word in command.commands, f"aumos-otel has no command {word!r}"
            command = command.commands[word]
        elif word.startswith("-"):
            options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert word.partition("=")[0] in options | {"--help"}, f"{command.name} has no option {word!r}"


def check_install(words: list[str]) -> None:
    """An extra of ours that a snippet installs exists."""
    for extras in re.findall(r"aumos-otel\[(.*?)\]", " ".join(words)):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def check_make(words: list[str]) -> None:
    """A target that a snippet makes exists."""
    assert {word for word in words if "=" not in word} <= MAKE_TARGETS


def check_nox(words: list[str]) -> None:
    """A session that a snippet names exists."""
    for session in (words[position + 1] for position, word in enumerate(words) if word == "-s"):
        assert session.replace("-", "_").startswith(tuple(NOX_SESSIONS)), f"nox has no session {session!r}"


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "aumos-otel": check_command_line,
    "make": check_make,
    "nox": check_nox,
    "pip": check_install,
    "uv": check_install,
}


def check_command(words: list[str]) -> None:
    """A command of a snippet exists, as far as it is ours."""
    program = words[0].removeprefix(".venv/bin/")
    if program in CHECKS:
        CHECKS[program](words[1:])
    else:
        assert program in PROGRAMS, f"{program!r} is no command that a reader is known to have"


def check_shell(example: Example) -> None:
    """Each command of a shell snippet exists."""
    for words in commands(example.parsed):
        check_command(words)


def check_toml(example: Example) -> None:
    """A TOML snippet is TOML."""
    tomllib.loads(example.parsed)


def check_json(example: Example) -> None:
    """A JSON snippet is JSON."""
    json.loads(example.parsed)


def check_yaml(example: Example) -> None:
    """A YAML snippet is YAML."""
    list(yaml.safe_load_all(example.parsed))


LANGUAGES: dict[str, Callable[[Example], None]] = {
    "bash": check_shell,
    "console": check_shell,
    "json": check_json,
    "shell": check_shell,
    "sh": check_shell,
    "toml": check_toml,
    "yaml": check_yaml,
}
PARSERS = [
    PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS),
    SkipParser(),
    *(CodeBlockParser(language, evaluator) for language, evaluator in LANGUAGES.items()),
]


@pytest.fixture(autouse=True)
def _readers_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A snippet runs in a directory of its own and has a collector that listens."""
    monkeypatch.chdir(tmp_path)
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield
        testing.reset()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_snippets_run(path: Path) -> None:
    """Each Python snippet of the page runs, in order; each other snippet is well-formed and names what exists."""
    document = Document.parse(str(path), *PARSERS)

    for example in document.examples():
        with contextlib.suppress(unittest.SkipTest):
            example.evaluate()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_snippets_say_what_they_are(path: Path) -> None:
    """Each fenced block of the page has a language that is checked, or is plain text; a skipped one has its reason."""
    text = path.read_text()

    assert set(LANGUAGE.findall(text)[::2]) <= {"python", "text", *LANGUAGES}
    assert not SKIP_WITHOUT_REASON.search(text)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link and image of the page exists."""
    targets = [target for target in LINK.findall(path.read_text()) if target and "://" not in target]

    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", [path for path in PAGES if path.is_relative_to(ROOT / "docs")], ids=name_of)
def test_page_is_linked(path: Path) -> None:
    """Each page of docs/ can be reached: some other page links to it."""
    others = [page for page in PAGES if page != path]

    assert any(
        (page.parent / link).resolve() == path for page in others for link in LINK.findall(page.read_text())
    ) or (path == ROOT / "docs" / "README.md")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    """Each example in the docstrings of the module shows what really happens."""
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)

    assert result.attempted
    assert not result.failed


def subcommands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command below a command, with its path."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [item for name, child in command.commands.items() for item in subcommands(child, (*path, name))]


@pytest.mark.parametrize(
    ("path", "command"), subcommands(cli.main), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_each_command_is_documented(path: tuple[str, ...], command: click.Command) -> None:
    """Each command of the CLI has a help text and stands in README.md or docs/."""
    pages = "\n".join(page.read_text() for page in PAGES)

    assert command.help
    assert f"aumos-otel {' '.join(path)}" in pages
