"""``--dry-run`` tells what opens and closes, of whatever command, and says so where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY, SHOP_PODS, WEB_ENDPOINT

from tortie.cli import consequences

Tortie = Callable[..., Result]

SHOP = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---"
PODS = SHOP + SHOP_PODS.replace("{containers", "{nodeName: host1, containers")
OTHERS = DATABASE_POLICY.replace("app: web", "app: backup")
MOVED = ["+ shop/backup shop/db TCP 5432", "- shop/web shop/db TCP 5432"]


@pytest.fixture
def shop(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=PODS + WEB_ENDPOINT + "---" + DATABASE_POLICY)
    return tortie


def told(result: Result) -> list[str]:
    """What stands below the difference of texts: the rows of the table, without the column of reasons."""
    _, _, shown = result.stdout.partition("\n\n")
    lines = shown.splitlines()
    return [
        re.sub(r"  +", " ", line.partition("   Net")[0].partition("   Workl")[0]).strip()
        for line in lines
        if line.split()[:1] != ["FROM"]
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        pytest.param(("apply", "-f", "-"), OTHERS, MOVED, id="apply"),
        pytest.param(("replace", "-f", "-"), OTHERS, MOVED, id="replace"),
        pytest.param(
            ("patch", "netpol", "db", "-n", "shop", "-t", "json", "-p", '[{"op": "remove", "path": "/spec/ingress"}]'), "",
            ["- shop/web shop/db TCP 5432"], id="patch",
        ),
        pytest.param(
            ("label", "pod", "web", "-n", "shop", "app=other", "--overwrite"), "",
            ["- shop/web shop/db TCP 5432"], id="label, which the pod's endpoint follows",
        ),
        pytest.param(
            ("create", "-f", "-"), DATABASE_POLICY.replace("name: db", "name: more").replace("5432", "80"),
            ["+ shop/web shop/db TCP 80"], id="create",
        ),
        pytest.param(
            ("delete", "pod", "web", "-n", "shop"), "",
            ["- shop/web shop/backup, 0.0.0.0/0 all", "- shop/web shop/db TCP 5432", "- shop/backup, shop/db, 0.0.0.0/0 shop/web all"],
            id="delete, a pod's endpoint with it",
        ),
        pytest.param(("apply", "-f", "-"), DATABASE_POLICY, [], id="nothing changes"),
        pytest.param(("label", "netpol", "db", "-n", "shop", "a=b"), "", ["nothing opens or closes"], id="no difference"),
    ],
)  # fmt: skip
def test_a_dry_run_tells_what_opens_and_closes(
    shop: Tortie, arguments: tuple[str, ...], stdin: str, expected: list[str]
) -> None:
    result = shop(*arguments, "--dry-run", stdin=stdin)
    assert told(result) == expected
    assert result.stderr == ""


@pytest.mark.parametrize("arguments", [("--dry-run=client",), ("--dry-run", "-o", "json"), ("--dry-run", "-o", "name")])
def test_what_opens_is_only_told_in_words_and_after_all_checks(shop: Tortie, arguments: tuple[str, ...]) -> None:
    assert "BECAUSE" not in shop("apply", "-f", "-", *arguments, stdin=OTHERS).output


def test_a_pod_without_an_endpoint_yet_counts_as_it_will_be_connected(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    closed = told(tortie("apply", "-f", "-", "--dry-run", stdin=DATABASE_POLICY))
    assert closed == [
        "- shop/backup, 0.0.0.0/0 shop/db all",
        "- shop/web shop/db TCP 0-5431,5433-65535, UDP, SCTP, ICMP, other protocols",
    ]


@pytest.mark.parametrize(
    ("limit", "what"), [("AT_MOST", "resources are stored"), ("AT_MOST_PAIRS", "pairs of ends may be")]
)
def test_where_it_would_take_long_it_is_said_that_it_is_left_out(
    shop: Tortie, monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    monkeypatch.setattr(consequences, limit, 2)
    result = shop("apply", "-f", "-", "--dry-run", stdin=OTHERS)
    assert f"Note: what opens and closes is not shown: more than 2 {what}" in result.stderr
    assert told(result) == []
