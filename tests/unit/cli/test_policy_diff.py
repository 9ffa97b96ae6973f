"""``tortie policy diff``: what a change opens and closes, as a table, for programs, and as an exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY as POLICY
from example_manifests import SHOP_POD as POD
from example_manifests import SHOP_PODS as PODS
from example_manifests import WEB_ENDPOINT

Tortie = Callable[..., Result]

NEW = POLICY.replace("app: web", "app: backup")
TABLE = """\
    FROM          TO        WHAT       BECAUSE OF
+   shop/backup   shop/db   TCP 5432   NetworkPolicy shop/knp.default.db
-   shop/web      shop/db   TCP 5432   NetworkPolicy shop/knp.default.db
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def make(name: str, *texts: str) -> str:
        path = tmp_path / name
        path.write_text("\n---\n".join(texts))
        return str(path)

    return make


def test_what_opens_and_closes_is_told_with_the_object(tortie: Tortie, write: Callable[..., str]) -> None:
    old, new = write("old.yaml", PODS, POLICY), write("new.yaml", PODS, NEW)
    assert tortie("policy", "diff", "-f", old, "-f", new, status=1).stdout == TABLE


def test_json_says_the_same(tortie: Tortie, write: Callable[..., str]) -> None:
    old, new = write("old.yaml", PODS, POLICY), write("new.yaml", PODS, NEW)
    found = json.loads(tortie("policy", "diff", "-f", old, "-f", new, "-o", "json", status=1).stdout)
    assert found[1] == {
        "change": "lost",
        "from": ["shop/web"],
        "to": ["shop/db"],
        "packets": ["TCP 5432"],
        "because": ["NetworkPolicy shop/knp.default.db"],
    }


def test_what_means_the_same_exits_with_0(tortie: Tortie, write: Callable[..., str]) -> None:
    old, new = write("old.yaml", PODS, POLICY), write("new.yaml", POLICY.replace("db", "db"), PODS)
    assert tortie("policy", "diff", "-f", old, "-f", new).stdout == "nothing opens or closes\n"


def test_what_cannot_be_read_exits_with_2(tortie: Tortie, write: Callable[..., str]) -> None:
    old, new = write("old.yaml", PODS, POLICY), write("new.yaml", PODS, "kind: [")
    result = tortie("policy", "diff", "-f", old, "-f", new, status=2)
    assert (result.stdout, f"Error: {new}:" in result.stderr) == ("", True)


def test_three_states_are_wrong_usage(tortie: Tortie) -> None:
    assert "given once, NEW, or twice" in tortie("policy", "diff", "-f", "a", "-f", "b", "-f", "c", status=2).stderr


def test_with_one_file_the_datastore_is_compared_with_itself_after_it(
    tortie: Tortie, write: Callable[..., str]
) -> None:
    tortie("apply", "-f", write("all.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}", PODS, POLICY))
    assert tortie("policy", "diff", "-f", write("same.yaml", POLICY)).stdout == "nothing opens or closes\n"
    assert tortie("policy", "diff", "-f", write("new.yaml", NEW), status=1).stdout == TABLE


def test_an_endpoint_follows_the_pod_that_is_changed(tortie: Tortie, write: Callable[..., str]) -> None:
    tortie("apply", "-f", write("all.yaml", PODS, WEB_ENDPOINT, POLICY))
    changed = write("pod.yaml", POD.format(name="web", number=1).replace("{app: web}", "{app: other}"))
    result = tortie("policy", "diff", "-f", changed, status=1).stdout
    assert result.splitlines()[1].split()[:5] == ["-", "shop/web", "shop/db", "TCP", "5432"]


def test_hosts_without_endpoints_are_ends_if_they_are_asked_about(tortie: Tortie, write: Callable[..., str]) -> None:
    node = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: host%d}, spec: {bgp: {ipv4Address: 192.0.2.%d}}}"
    files = [write(name, PODS, *(node % (n, n) for n in (1, 2)), *more) for name, more in (("a", []), ("b", [POLICY]))]
    diff = ("policy", "diff", "-f", files[0], "-f", files[1])
    assert "host:" not in tortie(*diff, status=1).stdout
    assert "host:host1, host:host2" in tortie(*diff, "--hosts", status=1).stdout
