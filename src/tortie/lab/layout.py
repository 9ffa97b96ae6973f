"""Where everything in a lab is: addresses, blocks, names and paths. Values only.

        198.51.100.1, 2001:db8::1  (outside)
                   │
    fabric  172.30.0.254, fd00:30::fe   a router and a BGP speaker, no bridge
     ┌─────────────┼─────────────┐      169.254.0.1 and fe80::1 on every link
    eth0          eth0          eth0
   host1         host2         host3    172.30.0.N, fd00:30::N
   │   │           │             │
cali…  cali…     cali…         cali…    one block a host: 10.65.0.64×(N-1)/26, fd00:65::40×(N-1)/122
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tortie.model.meta import HostName
from tortie.net import Address, Network

MAX_HOSTS = 100

AS_NUMBER = 64512
RESTART_TIME_S = 5
"""How long routes are kept for a BIRD that was killed."""

POOL_V4 = Network.parse("10.65.0.0/16")
POOL_V6 = Network.parse("fd00:65::/64")
BLOCK_LENGTH_V4 = 26
BLOCK_LENGTH_V6 = 122

SERVICES_V4 = Network.parse("10.96.0.0/16")
"""Where services have their addresses."""
SERVICES_V6 = Network.parse("fd00:96::/112")
DNS_V4 = SERVICES_V4.address + 10
"""Of the service of the same name as ``DNS_WORKLOAD``, which every workload asks for names."""
DNS_V6 = SERVICES_V6.address + 10
DNS_WORKLOAD = "kube-system/kube-dns"
DNS_PORT = 53

FABRIC = "fabric"
FABRIC_V4 = Address.parse("172.30.0.254")
FABRIC_V6 = Address.parse("fd00:30::fe")
OUTSIDE_V4 = Address.parse("198.51.100.1")
OUTSIDE_V6 = Address.parse("2001:db8::1")
OUTSIDE_NAME = "outside.example"
GATEWAY_V4 = Address.parse("169.254.0.1")
"""The fabric's end of each host's link."""
GATEWAY_V6 = Address.parse("fe80::1")
HOST_LINK_LOCAL = Address.parse("fe80::2")
"""The host's end of the same link."""

_NODES_V4 = Network.parse("172.30.0.0/24")
_NODES_V6 = Network.parse("fd00:30::/64")

# --- files, as seen inside the lab ----------------------------------------------------------------------------------------

RUN = Path("/run/tortie-lab")
DATASTORE = RUN / "tortie.db"
DATASTORE_URL = f"sqlite://{DATASTORE}"
LOGS = RUN / "logs"
"""Holds a folder for each host, which that host sees as ``/var/log/tortie``."""
BIN = RUN / "bin"
MEMBERS = RUN / "members"
"""A folder for each host and workload, with what is its own of the file system."""
HERE = RUN / "here"
"""In the mount namespace of a host or workload: its own folder of ``MEMBERS``."""
LISTENERS = HERE / "listeners.sock"
"""Where a workload's program takes listening sockets that are handed in from outside (``tortie.lab.handover``)."""


class HostLayout(NamedTuple):
    """Host number N of a lab, counted from 1."""

    number: int

    @property
    def name(self) -> HostName:
        return HostName(f"host{self.number}")

    @property
    def ipv4(self) -> Address:
        return _NODES_V4.address + self.number

    @property
    def ipv6(self) -> Address:
        return _NODES_V6.address + self.number

    @property
    def blocks(self) -> tuple[Network, Network]:
        """The block of each family that its workloads' addresses come from: IPv4, IPv6."""
        v4 = POOL_V4.address + (self.number - 1) * (1 << (32 - BLOCK_LENGTH_V4))
        v6 = POOL_V6.address + (self.number - 1) * (1 << (128 - BLOCK_LENGTH_V6))
        return Network(v4.packed, BLOCK_LENGTH_V4), Network(v6.packed, BLOCK_LENGTH_V6)

    @property
    def folder(self) -> Path:
        return MEMBERS / self.name

    @property
    def run(self) -> Path:
        """What the host sees as ``/run/tortie``."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        return LOGS / self.name


def hosts(count: int) -> tuple[HostLayout, ...]:
    """The hosts of a lab of *count*; ValueError outside 1 to ``MAX_HOSTS``."""
    if not 1 <= count <= MAX_HOSTS:
        raise ValueError(f"a lab has 1 to {MAX_HOSTS} hosts, not {count}")
    return tuple(HostLayout(number) for number in range(1, count + 1))


# --- names ---------------------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def check_name(name: str) -> str:
    """*name* if a lab can be called so; ValueError says what was expected."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a lab: at most 40 lower-case letters, digits and dashes, no dash at an end"
        )
    return name


def socket_address(uid: int, name: str) -> str:
    """The abstract address at which the lab *name* of user *uid* is found, in the network namespace it was started from."""
    return f"\0tortie-lab-{uid}-{name}"


def listed_labs(uid: int, proc_net_unix: str) -> tuple[str, ...]:
    """The names of a user's labs, sorted, from the text of ``/proc/net/unix``."""
    marker = f"@tortie-lab-{uid}-"
    paths = (line.split()[-1] for line in proc_net_unix.splitlines()[1:] if line.strip())
    return tuple(sorted({path.removeprefix(marker) for path in paths if path.startswith(marker)}))
