"""Golden: resources in, BIRD's text out, and BIRD itself parses it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bgp_resources import affinities_of, intent_of, read_all

from tortie.model.meta import HostName, Resource
from tortie.model.topology import AffinityState, BlockAffinity
from tortie.net import Address, Network
from tortie.routing import RouterIntent, fabric_intent, render

CASES = sorted(path.parent for path in Path(__file__).parents[2].glob("golden/bird/*/input.yaml"))


def read_input(case: Path) -> RouterIntent:
    """The case's intent: its first document says of whom, the others are resources."""
    header, _, resources = (case / "input.yaml").read_text(encoding="utf-8").partition("\n---\n")
    wanted: dict[str, Any] = yaml.safe_load(header)
    if "fabric" in wanted:
        return read_fabric(wanted["fabric"])
    intent = intent_of(wanted["host"], read_all(resources), read_affinities(wanted))
    assert intent is not None
    return intent


def read_affinities(wanted: dict[str, Any]) -> dict[tuple[HostName, Network], BlockAffinity]:
    confirmed = affinities_of(wanted.get("blocks", {}))
    return confirmed | affinities_of(wanted.get("pending", {}), AffinityState.PENDING)


def read_fabric(fabric: dict[str, Any]) -> RouterIntent:
    return fabric_intent(
        [Address.parse(host) for host in fabric["hosts"]],
        ipv4_address=Address.parse(fabric["ipv4"]),
        ipv6_address=Address.parse(fabric["ipv6"]),
        restart_time_s=fabric["restart_time_s"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_configuration_is_the_expected_text(case: Path, golden: Callable[[Path, str], None]) -> None:
    golden(case / "expected.conf", render(read_input(case)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bird_parses_the_expected_text(case: Path) -> None:
    bird = shutil.which("bird", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if bird is None:
        pytest.skip("there is no bird (Debian: bird2)")
    parsed = subprocess.run([bird, "-p", "-c", case / "expected.conf"], capture_output=True, text=True, check=False)
    assert (parsed.returncode, parsed.stdout + parsed.stderr) == (0, "")


def test_every_case_is_found() -> None:
    assert {case.name for case in CASES} >= {"mesh", "fabric"}


def test_the_order_of_resources_does_not_matter() -> None:
    case = next(case for case in CASES if case.name == "mesh")
    header, _, text = (case / "input.yaml").read_text(encoding="utf-8").partition("\n---\n")
    resources: list[Resource] = read_all(text)
    affinities = read_affinities(yaml.safe_load(header))
    backwards = intent_of("host-b", resources[::-1], dict(reversed(affinities.items())))
    assert backwards == intent_of("host-b", resources, affinities)
