"""``aumos-otel slo``: what each command prints, writes and exits with."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from aumos_otel.cli import main
from aumos_otel.local import LocalServer

FILE = """
version: aumos/v1
service: chat-api
owner: team-assistant
window: 30d
slos:
  - {name: chat-available, target: 99.9%, sli: http.availability, where: {http.route: /chat}, min_bad_events: 2}
  - {name: first-token-fast, target: 99%, sli: llm.time_to_first_chunk, below: 1.28s, min_bad_events: 2}
"""
BEGUN = 1_790_812_800
FORMATS = Path(__file__).parents[1] / "contract" / "formats"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two objectives."""
    path = tmp_path / "slo.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A week of counts with an hour in which a tenth failed."""
    path = tmp_path / "counts.csv"
    lines = ["time,good,total"]
    for minute in range(7 * 1440):
        total = 100 + round(20 * math.sin(minute / 200))
        bad = total // 10 if 5000 <= minute < 5060 else 0
        lines.append(f"{BEGUN + 60 * (minute + 1)},{total - bad},{total}")
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments: object) -> Result:
    """The command's output and exit code."""
    return CliRunner().invoke(main, ["slo", *map(str, arguments)])


def test_lint_is_quiet_about_what_is_well(file: Path) -> None:
    """0 and no line for a sound file; 1 with the arithmetic for a doubtful one; 2 for one that cannot work."""
    assert (run("lint", file).exit_code, run("lint", file).output) == (0, "")

    file.write_text(FILE.replace("owner: team-assistant", "burn_policy: aumos-seed"))
    doubtful = run("lint", file)
    assert doubtful.exit_code == 1
    assert "blind" in doubtful.output
    assert "14.4" in doubtful.output

    file.write_text(FILE.replace("owner: team-assistant", "burn_policy: aumos-seed").replace("99.9%", "90%"))
    impossible = run("lint", file)
    assert impossible.exit_code == 2
    assert re.search(r"error .*slo\.yaml:\d+ .*chat-available .*14\.4", impossible.output)
    assert {finding["grade"] for finding in json.loads(run("lint", file, "--json").output)} >= {"error"}


def test_a_file_with_mistakes(file: Path) -> None:
    """Every problem is named with its line, and the exit code is 2."""
    file.write_text(FILE.replace("99%", "99").replace("where:", "were:"))

    result = run("lint", file)

    assert result.exit_code == 2
    assert f"{file}:7: slos[0].were" in result.output
    assert f"{file}:8: slos[1].target: got 99" in result.output
    assert "next:" in result.output


def test_compile_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    """To stdout, to a directory, as resources; twice the same; sloth's names only when asked for."""
    printed = run("compile", file)
    assert printed.exit_code == 0
    assert run("compile", file).output == printed.output
    groups = yaml.safe_load(printed.output)["groups"]
    assert [group["name"] for group in groups] == [
        *("aumos-slo-chat-api-chat-available", "aumos-slo-chat-api-chat-available-budget"),
        *("aumos-slo-chat-api-first-token-fast", "aumos-slo-chat-api-first-token-fast-budget"),
    ]

    written = run("compile", file, "-o", tmp_path / "out")
    assert written.output == f"{tmp_path / 'out' / 'aumos-slo-chat-api.yml'}\n"
    assert (tmp_path / "out" / "aumos-slo-chat-api.yml").read_text() == printed.output

    resource = yaml.safe_load(
        run("compile", file, "--format", "crd", "--namespace", "n", "--label", "release=p").output
    )
    assert resource["metadata"] == {
        "name": "aumos-slo-chat-api",
        "namespace": "n",
        "labels": {"aumos_owner": "aumos-otel", "release": "p"},
    }
    assert resource["spec"]["groups"] == groups
    assert "slo:sli_error:ratio_rate5m" not in printed.output
    assert "slo:sli_error:ratio_rate5m" in run("compile", file, "--names", "sloth").output
    assert run("compile", file, "--format", "crd", "--label", "nothing").exit_code == 2


def test_plan_and_apply(file: Path, tmp_path: Path) -> None:
    """1 while something is to be done, which is shown; 0 when nothing is."""
    to = ("--to", f"files:{tmp_path / 'rules'}")

    assert (run("plan", file, *to).exit_code, run("plan", file, *to).output) == (1, "create  aumos-slo-chat-api.yml\n")
    applied = run("apply", file, *to)
    assert applied.exit_code == 0
    assert "1 changed, 0 as they were" in applied.output
    assert (run("plan", file, *to).exit_code, run("plan", file, *to).output) == (0, "keep  aumos-slo-chat-api.yml\n")
    (path,) = (tmp_path / "rules").iterdir()
    path.write_text(path.read_text().replace("severity: page", "severity: none"))
    assert "edited by somebody" in run("plan", file, *to).output
    refused = run("plan", file, "--to", "ftp:x")
    assert refused.exit_code == 2
    assert "files:DIR" in refused.output


def test_backtest_from_a_file(file: Path, counts: Path, tmp_path: Path) -> None:
    """The tables, the picture and the JSON of a week with one incident."""
    picture = tmp_path / "out.svg"
    result = run("backtest", file, "--slo", "chat-available", "--from", counts, "--days", "7", "--plot", picture)

    assert result.exit_code == 0, result.output
    assert re.search(r"aumos-seed +.*1/1", result.output)
    assert "page 4m" in result.output
    assert picture.read_bytes().startswith(b"<?xml")
    (known,) = json.loads(run("backtest", file, "--slo", "chat-available", "--from", counts, "--json").output)
    assert [
        policy["policy"]["name"] if isinstance(policy["policy"], dict) else policy["policy"]
        for policy in known["policies"]
    ] == [
        *("sre-workbook", "aumos-seed", "sloth-30d"),
    ]
    told = tmp_path / "incidents.csv"
    told.write_text(f"start,end,name\n{BEGUN + 60 * 5000},{BEGUN + 60 * 5060},planted\n")
    assert (
        "planted" in run(*("backtest", file, "--slo", "chat-available", "--from", counts, "--incidents", told)).output
    )


def test_status_from_a_file(file: Path, counts: Path, tmp_path: Path) -> None:
    """0 when all is well, 1 when something burns; unknown is never well."""
    calm = run("status", file, "--slo", "chat-available", "--from", counts)
    assert calm.exit_code == 0, calm.output
    assert re.match(r"ok +chat-api/chat-available +99\.9% .*budget left -?\d", calm.output)

    short = tmp_path / "burning.csv"
    short.write_text("\n".join(counts.read_text().splitlines()[:5050]) + "\n")
    burning = run("status", file, "--slo", "chat-available", "--from", short, "--json")
    assert burning.exit_code == 1
    assert [each["state"] for each in json.loads(burning.output)] == ["critical"]

    idle = tmp_path / "idle.csv"
    idle.write_text("time,good,total\n" + "".join(f"{BEGUN + 60 * n},0,0\n" for n in range(100)))
    unknown = run("status", file, "--slo", "chat-available", "--from", idle)
    assert (unknown.exit_code, unknown.output.split()[0]) == (1, "unknown")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("status", "--from", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("status", "--from", "/no/such/file"), "/no/such/file"),
        (("backtest", "--slo", "nothing"), "nothing"),
        (("backtest", "--days", "1e9"), "400"),
        (("backtest", "--days", "nan"), "400"),
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, ...], expected: str, file: Path) -> None:
    """A place that cannot be reached, an objective that there is not: 2, and the message names it."""
    result = run(arguments[0], file, *arguments[1:])

    assert result.exit_code == 2
    assert expected in result.output


def test_formats_and_back(file: Path, tmp_path: Path) -> None:
    """What is exported as OpenSLO is imported as the same objectives."""
    exported = run("export", file)
    assert exported.exit_code == 0
    other = tmp_path / "openslo.yaml"
    other.write_text(exported.output)

    assert {document["apiVersion"] for document in yaml.safe_load_all(exported.output)} == {"openslo/v1"}
    assert run("compile", other).output == run("compile", file).output
    imported = tmp_path / "imported.yaml"
    imported.write_text(run("import", other).output)
    assert run("compile", imported).output == run("compile", file).output
    assert run("import", file).exit_code == 0


def test_what_is_measured_elsewhere_is_left_out(tmp_path: Path) -> None:
    """The rest of the file is compiled, and a note says what is not and what to do about it."""
    path = tmp_path / "sloth.yaml"
    path.write_text("""
version: prometheus/v1
service: mail
slos:
  - {name: plugged, objective: 99, sli: {plugin: {id: example/x}}, alerting: {name: A}}
  - name: sent
    objective: 99.9
    alerting: {name: B}
    sli: {events: {error_query: 'sum(rate(e[{{.window}}]))', total_query: 'sum(rate(t[{{.window}}]))'}}
""")

    result = run("compile", path)

    assert result.exit_code == 0
    assert "mail/plugged is left out" in result.stderr
    assert {group["name"] for group in yaml.safe_load(result.stdout)["groups"]} == {
        *("aumos-slo-mail-sent", "aumos-slo-mail-sent-budget"),
    }


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FORMATS.glob("*/*.y*ml")) if path.parent.name != "rules"],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_files_of_every_format(path: Path, tmp_path: Path) -> None:
    """Each is linted, compiled and written in our own form and OpenSLO, which compile to the same rules."""
    compiled = run("compile", path)
    assert compiled.exit_code == 0, compiled.output
    assert run("lint", path).exit_code in {0, 1, 2}
    for command in (("import",), ("export", "--format", "openslo")):
        other = tmp_path / "other.yaml"
        written = run(command[0], path, *command[1:])
        assert written.exit_code == 0, written.output
        other.write_text(written.stdout)
        assert run("compile", other).stdout == compiled.stdout


def test_what_the_local_backend_has(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--from local`` asks the local backend's file; one without counts is unknown, none at all an error that says so."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("AUMOS_OTEL_STATE_DIR", str(tmp_path))
    nothing = run("status", file, "--from", "local")
    assert nothing.exit_code == 2
    assert "next:" in nothing.output

    with LocalServer(tmp_path / "aumos-otel" / "local.db", otlp_port=0):
        empty = run("status", file, "--from", "local", "--json")
    assert [each["state"] for each in json.loads(empty.stdout)] == ["unknown", "unknown"]
