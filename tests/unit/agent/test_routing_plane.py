"""What the routing plane tells BIRD, and when."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tortie.agent.bgp import RoutingPlane
from tortie.bird.daemon import ConfigRefusedError
from tortie.datastore.validation import BlockUpdate
from tortie.model.blocks import BlockKey
from tortie.model.kinds import NODE, ResourceKey
from tortie.model.meta import HostName, ObjectMeta
from tortie.model.topology import BlockAffinity, Node, NodeBGPSpec, NodeSpec
from tortie.model.updates import ResourceUpdate
from tortie.net import Network
from tortie.routing import SessionTimers

HOST = HostName("host1")


class Bird:
    """Takes configurations, or refuses them while ``refuses``."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refuses = False

    async def apply(self, text: str) -> None:
        if self.refuses:
            raise ConfigRefusedError("line 1: syntax error")
        self.texts.append(text)

    async def ensure_running(self) -> bool:
        return False


def node(name: str, address: str = "") -> ResourceUpdate:
    spec = NodeSpec(bgp=NodeBGPSpec(ipv4_address=address) if address else None)
    return ResourceUpdate(ResourceKey(NODE, "", name), Node(metadata=ObjectMeta(name=name), spec=spec), 1)


def gone(update: ResourceUpdate) -> ResourceUpdate:
    return update._replace(value=None)


def block(host: str, cidr: str, *, claimed: bool = True) -> BlockUpdate:
    return BlockUpdate(BlockKey(HostName(host), Network.parse(cidr)), BlockAffinity() if claimed else None, 1)


@pytest.fixture
def bird() -> Bird:
    return Bird()


@pytest.fixture
def plane(bird: Any) -> RoutingPlane:
    return RoutingPlane(HOST, bird, SessionTimers())


def program(plane: RoutingPlane) -> None:
    asyncio.run(plane.program())


def test_a_node_without_bgp_address_leaves_bird_alone(plane: RoutingPlane, bird: Bird) -> None:
    plane.update(node("host1"))
    program(plane)
    assert bird.texts == []


def test_bird_is_told_only_when_something_that_matters_to_it_has_changed(plane: RoutingPlane, bird: Bird) -> None:
    plane.update(node("host1", "172.30.0.1"))
    plane.update(block("host1", "10.65.0.0/26"))
    program(plane)
    program(plane)
    plane.update(block("host2", "10.65.0.64/26"))  # another host's block changes nothing here
    program(plane)
    assert len(bird.texts) == 1
    assert "10.65.0.0/26" in bird.texts[0]


def test_what_was_taken_in_and_went_again_leaves_no_trace(plane: RoutingPlane, bird: Bird) -> None:
    plane.update(node("host1", "172.30.0.1"))
    program(plane)
    plane.update(node("host2", "172.30.0.2"))
    plane.update(block("host1", "10.65.0.0/26"))
    program(plane)
    plane.update(gone(node("host2")))
    plane.update(block("host1", "10.65.0.0/26", claimed=False))
    program(plane)
    assert len(bird.texts) == 3
    assert bird.texts[2] == bird.texts[0] != bird.texts[1]


def test_a_refused_configuration_is_reported_and_tried_again(
    plane: RoutingPlane, bird: Bird, caplog: pytest.LogCaptureFixture
) -> None:
    bird.refuses = True
    plane.update(node("host1", "172.30.0.1"))
    with caplog.at_level(logging.ERROR):
        program(plane)
    assert "line 1: syntax error" in caplog.text
    bird.refuses = False
    asyncio.run(plane.look_after())
    assert len(bird.texts) == 1
