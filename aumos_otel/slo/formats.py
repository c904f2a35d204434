"""Files of objectives in every format that is known: which one a file is in, and what it defines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import document, openslo, pyrra, sloth, sloth_export, spec
from aumos_otel.slo.foreign import Findings, Node
from aumos_otel.slo.openslo_library import FORMAT as OPENSLO
from aumos_otel.slo.problem import Path, path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aumos_otel.slo.document import Documents
    from aumos_otel.slo.objective import Definitions
    from aumos_otel.slo.spec_policy import Read

OWN: Final = "aumos"

_READERS: Final[Mapping[str, Callable[[Sequence[Node], Findings], Definitions]]] = {
    OPENSLO: openslo.definitions,
    sloth.FORMAT: sloth.definitions,
    pyrra.FORMAT: pyrra.definitions,
}
_WRITERS: Final[Mapping[str, Callable[[Definitions], str]]] = {
    OWN: spec.write,
    OPENSLO: openslo.write,
    sloth.FORMAT: sloth_export.write,
    pyrra.FORMAT: pyrra.write,
}
#: What ``version`` or ``apiVersion`` begins with, by format.
_VERSIONS: Final = (
    (OWN, "version", "aumos/"),
    (sloth.FORMAT, "version", "prometheus/"),
    (OPENSLO, "apiVersion", "openslo"),
    (sloth.FORMAT, "apiVersion", "sloth.slok.dev/"),
    (pyrra.FORMAT, "apiVersion", "pyrra.dev/"),
)
_EXACT: Final = {
    (sloth.FORMAT, "version"): sloth.VERSION,
    (sloth.FORMAT, "apiVersion"): sloth.API_VERSION,
    (pyrra.FORMAT, "apiVersion"): pyrra.API_VERSION,
}
_EXPECTED: Final = (
    f"version: {spec.VERSION}, or {sloth.VERSION} (sloth); or apiVersion: openslo/v1, "
    f"{sloth.API_VERSION} or {pyrra.API_VERSION}"
)

#: The formats that can be read and written.
NAMES: Final = tuple(_WRITERS)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file defines.

    Attributes:
        format: one of `NAMES`.
        remarks: lines such as ``slo.yaml:7: spec.ruleOutput: …`` about what is kept, but means nothing here.
    """

    format: str
    definitions: Definitions
    remarks: tuple[str, ...] = ()


def read(text: str | bytes, source: str = "slo.yaml", read: Read | None = None) -> Definitions:
    """What a file defines, whatever its format.

    Args:
        text: of the file, YAML or JSON.
        source: its name, for messages.
        read: gives the text of a policy file that a file of our own format names.

    Raises:
        ObjectiveError: it cannot be used; the error has every problem of it.
        MissingExtraError: it is YAML, and the extra ``slo`` is not installed.
    """
    return examine(text, source, read).definitions


def examine(text: str | bytes, source: str = "slo.yaml", read: Read | None = None) -> Imported:
    """What a file defines, and what to know about that; `read` says the rest."""
    documents = document.load(text, source)
    findings = Findings(line_of=documents.line)
    found: dict[str, list[Node]] = {}
    for path, value in _flat(documents):
        name = _format(path, value, findings)
        if name is not None:
            found.setdefault(name, []).append(Node(value, path, findings))
    if not documents.data:
        findings.problem((), "nothing", _EXPECTED)
    elif len(found) > 1:
        other = list(found.values())[1][0]
        findings.problem(other.path, sorted(found), "documents of one format in a file")
    if findings.problems:
        raise documents.error(findings.problems)
    (name,) = found or {OWN: []}
    if name == OWN:
        return Imported(OWN, spec.from_data(documents, read))
    definitions = _READERS[name](found[name], findings)
    if findings.problems:
        raise documents.error(findings.problems)
    remarks = sorted(
        (documents.line(remark.path), _place(documents, remark.path), remark.text) for remark in findings.remarks
    )
    return Imported(name, definitions, tuple(f"{source}:{line}: {place}: {remark}" for line, place, remark in remarks))


def write(definitions: Definitions, name: str) -> str:
    """The text of a file in a format of `NAMES`.

    Raises:
        ObjectiveError: the format has no word for something; openslo and our own have words for everything.
    """
    return _WRITERS[name](definitions)


def _flat(documents: Documents) -> Iterator[tuple[Path, Any]]:
    """Each document; those of a list one by one, whether it is one of YAML or of Kubernetes."""
    for index, data in enumerate(documents.data):
        if isinstance(data, list):
            yield from (((index, place), item) for place, item in enumerate(data))
        elif isinstance(data, dict) and str(data.get("kind")).endswith("List") and isinstance(data.get("items"), list):
            yield from (((index, "items", place), item) for place, item in enumerate(data["items"]))
        else:
            yield (index,), data


def _format(path: Path, value: Any, findings: Findings) -> str | None:
    """The format of a document; None, and a problem, if it is none that is read."""
    if not isinstance(value, dict):
        findings.problem(path, value, "a mapping")
        return None
    for name, key, beginning in _VERSIONS:
        version = value.get(key)
        if isinstance(version, str) and version.startswith(beginning):
            if version != _EXACT.get((name, key), version):
                findings.problem((*path, key), version, _EXACT[name, key])
            return name
    known = {key: value[key] for key in ("version", "apiVersion", "kind") if key in value}
    findings.problem(path, known or sorted(value), _EXPECTED)
    return None


def _place(documents: Documents, path: Path) -> str:
    """The path as problems show it: the document's position only where there are several."""
    return path_text(path if len(documents.data) > 1 else path[1:])
