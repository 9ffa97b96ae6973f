"""Staged policies stand in tiers like others, and every kind of policy's world can be applied, listed and deleted."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

Tortie = Callable[..., Result]

TIER = "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: sec}, spec: {order: 1}}"
STAGED = (
    "{apiVersion: projectcalico.org/v3, kind: StagedGlobalNetworkPolicy, metadata: {name: sec.g}, spec: {tier: sec}}"
)


def test_a_staged_policy_needs_its_tier_and_keeps_it(tortie: Tortie) -> None:
    assert "its tier sec does not exist" in tortie("apply", "-f", "-", stdin=STAGED, status=1).stderr
    tortie("apply", "-f", "-", stdin=f"{TIER}\n---\n{STAGED}")
    message = "Error: Tier sec cannot be deleted: StagedGlobalNetworkPolicy sec.g is in it\n"
    assert tortie("delete", "tier", "sec", status=1).stderr == message
    tortie("delete", "sgnp", "sec.g")
    tortie("delete", "tier", "sec")


@pytest.mark.parametrize(
    ("name", "kind", "spec", "row"),
    [
        ("gns", "GlobalNetworkSet", "{nets: [10.0.0.1, fd00::/8]}", ["x", "10.0.0.1,fd00::/8"]),
        ("hep", "HostEndpoint", "{node: a, interfaceName: eth0, expectedIPs: [10.0.0.1]}", ["x", "a", "eth0", "10.0.0.1"]),
        ("snp", "StagedNetworkPolicy", "{order: 5, selector: has(a)}", ["x", "default", "5", "has(a)"]),
        ("sknp", "StagedKubernetesNetworkPolicy", "{podSelector: {matchLabels: {a: b}}}", ["x", "a=b"]),
    ],
    ids=["set", "host endpoint", "staged policy", "staged Kubernetes policy"],
)  # fmt: skip
def test_each_is_stored_listed_and_printed_as_it_was_written(
    tortie: Tortie, name: str, kind: str, spec: str, row: list[str]
) -> None:
    tortie(
        "apply",
        "-f",
        "-",
        stdin=f"apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n",
    )
    assert tortie("get", name, "-o", "wide").stdout.splitlines()[1].split() == row
    printed = tortie("get", name, "x", "-o", "yaml").stdout
    assert tortie("apply", "-f", "-", stdin=printed).stdout.endswith("unchanged\n")
    assert json.loads(tortie("get", name, "x", "-o", "json").stdout)["kind"] == kind
    tortie("delete", name, "x")
