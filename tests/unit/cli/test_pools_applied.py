"""Pools are checked against what is stored: they keep what addresses in use depend on, and new ones do not overlap."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

Tortie = Callable[..., Result]


def pool(name: str, cidr: str, **spec: Any) -> str:
    return json.dumps({
        "apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": name}, "spec": {"cidr": cidr, **spec},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (pool("a", "10.1.0.0/16"), "spec.cidr: 10.1.0.0/16 cannot replace 10.0.0.0/16"),
        (pool("a", "10.0.0.0/16", blockSize=28), "spec.blockSize: 28 cannot replace 26"),
    ],
    ids=["addresses", "block size"],
)
def test_a_pool_keeps_what_addresses_in_use_depend_on(tortie: Tortie, changed: str, says: str) -> None:
    tortie("apply", "-f", "-", stdin=pool("a", "10.0.0.0/16"))
    assert f"IPPool a: {says}" in tortie("apply", "-f", "-", stdin=changed, status=1).stderr


def test_the_rest_of_a_pool_may_change(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=pool("a", "10.0.0.0/16"))
    assert (
        "configured"
        in tortie("apply", "-f", "-", stdin=pool("a", "10.0.0.0/16", natOutgoing=True, blockSize=26)).output
    )


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.0.128.0/17", "10.0.0.0/8"], ids=["same", "inside", "around"])
def test_a_new_pool_overlaps_no_other(tortie: Tortie, cidr: str) -> None:
    tortie("apply", "-f", "-", stdin=pool("a", "10.0.0.0/16"))
    error = tortie("apply", "-f", "-", stdin=pool("b", cidr), status=1).stderr
    assert f"IPPool b: its addresses {cidr} overlap those of IPPool a, 10.0.0.0/16" in error


def test_nor_one_in_the_same_file(tortie: Tortie) -> None:
    both = f"{pool('a', '10.0.0.0/16')}\n---\n{pool('b', '10.0.0.0/24')}\n"
    assert "overlap" in tortie("apply", "-f", "-", stdin=both, status=1).stderr
    tortie("apply", "-f", "-", stdin=f"{pool('a', '10.0.0.0/16')}\n---\n{pool('b', 'fd00::/64')}\n")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ipamconfigs", "IPAMConfiguration"),
        ("felixconfig", "FelixConfiguration"),
        ("kcc", "KubeControllersConfiguration"),
    ],
)
def test_settings_are_listed_by_their_short_names(tortie: Tortie, name: str, shown: str) -> None:
    document = {"apiVersion": "projectcalico.org/v3", "kind": shown, "metadata": {"name": "default"}, "spec": {}}
    tortie("apply", "-f", "-", stdin=json.dumps(document))
    assert "default" in tortie("get", name, "-o", "wide").stdout
    again = tortie("get", name, "default", "-o", "yaml").stdout
    assert "unchanged" in tortie("apply", "-f", "-", stdin=again).output
