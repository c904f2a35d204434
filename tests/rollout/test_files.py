"""Rule files in a directory: ours are kept as the objectives say, everything else is left alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import desired
from aumos_otel.rollout.plan import apply, changes
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Definitions, Objective


def definitions(*names: str, target: str = "0.99", service: str = "shop") -> list[Definitions]:
    """Objectives of one service about SLIs that are counted elsewhere."""
    return [
        Definitions(
            objectives=tuple(
                Objective(name=name, service=service, target=Decimal(target), indicator=Counted(name)) for name in names
            )
        )
    ]


def rolled(directory: Path, defined: list[Definitions], owner: str = "us") -> list[tuple[str, str]]:
    """Apply, and what that did."""
    target, contents = desired.at(f"files:{directory}", defined, owner=owner)
    return [(change.action, change.name) for change in apply(target, changes(contents, target.read()))]


def test_a_life_in_a_directory(tmp_path: Path) -> None:
    """Files are made, kept, changed and removed as the objectives say; what is written is what Prometheus reads."""
    directory = tmp_path / "rules"

    assert rolled(directory, definitions("pay")) == [("create", "aumos-slo-shop.yml")]
    assert rolled(directory, definitions("pay")) == []
    assert rolled(directory, definitions("pay", "ship")) == [("update", "aumos-slo-shop.yml")]
    written = yaml.safe_load((directory / "aumos-slo-shop.yml").read_text())
    rules = [rule for group in written["groups"] for rule in group["rules"]]
    assert {rule["labels"]["aumos_owner"] for rule in rules} == {"us"}
    assert {rule["labels"].get("aumos_slo_name") or rule["labels"]["slo"] for rule in rules} == {"pay", "ship"}
    assert rolled(directory, definitions("pay", service="shop2")) == [
        ("delete", "aumos-slo-shop.yml"),
        ("create", "aumos-slo-shop2.yml"),
    ]
    assert [path.name for path in directory.iterdir()] == ["aumos-slo-shop2.yml"]


@pytest.mark.parametrize(
    "content",
    [
        "groups: []\n",
        "groups:\n- name: theirs\n  rules:\n  - record: a\n    expr: b\n",
        "groups:\n- name: x\n  rules:\n  - {record: a, expr: b, labels: {aumos_owner: them}}\n",
        "not: [yaml",
        "- a list\n",
        "groups: {rules: 1}\n",
        "\x00\xff",
    ],
)
def test_what_is_not_ours_stays(content: str, tmp_path: Path) -> None:
    """A file of our name with anything else in it is neither deleted nor replaced, and the apply says so."""
    path = tmp_path / "aumos-slo-shop.yml"
    path.write_text(content, encoding="latin-1")
    (tmp_path / "other.yml").write_text("groups: []\n")

    assert rolled(tmp_path, []) == []
    with pytest.raises(RolloutError, match="not this owner's"):
        rolled(tmp_path, definitions("pay"))
    assert path.read_text(encoding="latin-1") == content
    assert (tmp_path / "other.yml").exists()


def test_an_edit_by_hand_is_seen(tmp_path: Path) -> None:
    """The plan tells a file that somebody edited from one whose objective has changed."""
    rolled(tmp_path, definitions("pay"))
    path = tmp_path / "aumos-slo-shop.yml"
    path.write_text(path.read_text().replace("severity: page", "severity: nobody"))
    target, contents = desired.at(f"files:{tmp_path}", definitions("pay"), owner="us")
    (change,) = changes(contents, target.read())
    assert (change.action, change.drifted) == ("update", True)

    rolled(tmp_path, definitions("pay"))
    _, contents = desired.at(f"files:{tmp_path}", definitions("pay", target="0.9"), owner="us")
    (change,) = changes(contents, target.read())
    assert (change.action, change.drifted) == ("update", False)


def test_two_owners_share_a_directory(tmp_path: Path) -> None:
    """Each changes and deletes only its own files."""
    rolled(tmp_path, definitions("pay"), owner="us")
    rolled(tmp_path, definitions("pay", service="bank"), owner="them")

    assert rolled(tmp_path, [], owner="them") == [("delete", "aumos-slo-bank.yml")]
    assert [path.name for path in tmp_path.iterdir()] == ["aumos-slo-shop.yml"]


@pytest.mark.parametrize("target", ["", "files:", "s3:bucket", "files", "mimir"])
def test_unknown_targets(target: str) -> None:
    """A target that there is not is refused with those that there are."""
    with pytest.raises(RolloutError, match="mimir:URL"):
        desired.at(target, definitions("pay"), owner="us")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    (tmp_path / "rules").write_text("a file")

    with pytest.raises(RolloutError, match=r"aumos-slo-shop\.yml"):
        rolled(tmp_path / "rules", definitions("pay"))


def test_names_that_become_one(tmp_path: Path) -> None:
    """Where groups share one name space, two that would overwrite each other are refused."""
    both = definitions("b-c", service="a") + definitions("c", service="a-b")

    assert len(rolled(tmp_path, both)) == 2
    with pytest.raises(RolloutError, match="distinct names"):
        desired.at("mimir:http://127.0.0.1:1", both, owner="us")


def test_resources_of_the_operator() -> None:
    """A PrometheusRule a service, with the labels that the operator looks for and the owner's mark."""
    (item,) = desired.resources(definitions("pay"), "us", "aumos", "monitoring", {"release": "prometheus"}).values()
    metadata: dict[str, Any] = item["metadata"]

    assert (item["apiVersion"], item["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert metadata["labels"] == {"release": "prometheus", "aumos_owner": "us"}
    assert (metadata["name"], metadata["namespace"]) == ("aumos-slo-shop", "monitoring")
