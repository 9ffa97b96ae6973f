"""IP pools as the rest of the graph needs them: how their packets travel, and which encapsulations that takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tortie.calc.hoststate import Encapsulation, PoolType, PoolUpdate
from tortie.model.ipam import IPPool
from tortie.net import Family


class PoolRouting(NamedTuple):
    """What a pool says about the routes to its addresses."""

    type: PoolType
    nat_outgoing: bool
    crosses_subnets_only: bool


def routing_of(pool: IPPool) -> PoolRouting | None:
    """None: the pool is for load balancers alone, which are no destinations of the hosts."""
    spec = pool.spec
    if spec.allowed_uses == ("LoadBalancer",):
        return None
    kind = PoolType.NO_ENCAP
    if spec.vxlan_mode != "Never":
        kind = PoolType.VXLAN
    elif spec.ipip_mode != "Never":
        kind = PoolType.IPIP
    return PoolRouting(kind, spec.nat_outgoing, "CrossSubnet" in (spec.vxlan_mode, spec.ipip_mode))


def pool_update(pool: IPPool) -> PoolUpdate:
    """What is passed on of every pool."""
    spec = pool.spec
    return PoolUpdate(
        cidr=spec.cidr, nat_outgoing=spec.nat_outgoing, ipip_mode=spec.ipip_mode, vxlan_mode=spec.vxlan_mode
    )


def encapsulation_of(pools: Iterable[PoolUpdate]) -> Encapsulation:
    """Which encapsulations *pools* need together."""
    pools = tuple(pools)
    vxlan = [pool for pool in pools if pool.vxlan_mode != "Never"]
    return Encapsulation(
        ipip=any(pool.ipip_mode != "Never" for pool in pools),
        vxlan=any(pool.cidr.family is Family.V4 for pool in vxlan),
        vxlan_v6=any(pool.cidr.family is Family.V6 for pool in vxlan),
    )
