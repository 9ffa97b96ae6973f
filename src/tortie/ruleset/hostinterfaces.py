"""Which host endpoint stands on which interface: a function of the host endpoints and of what the interfaces are called and have.

An endpoint that names an interface stands there, whatever its expected addresses; one that names none, on each interface that
has one of them. Of several the first name wins. ``*`` stands on all that have none: here it is an interface like others. The
interfaces of workloads are not the host's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from tortie.calc.hoststate import EndpointId, HostHostEndpoint
from tortie.net import Address


def standing(
    endpoints: Mapping[EndpointId, HostHostEndpoint],
    interfaces: Mapping[str, AbstractSet[Address]],
    is_host: Callable[[str], bool],
) -> dict[str, EndpointId]:
    """The endpoint of each interface that has one; none has that is not the host's.

    One that is named need not be there yet: its policy waits for it.
    """
    found: dict[str, EndpointId] = {}
    for endpoint_id, endpoint in sorted(endpoints.items()):
        for ifname in _candidates(endpoint, interfaces):
            if is_host(ifname):
                found.setdefault(ifname, endpoint_id)
    return found


def _candidates(endpoint: HostHostEndpoint, interfaces: Mapping[str, AbstractSet[Address]]) -> list[str]:
    if endpoint.ifname:
        return [endpoint.ifname]
    expected = frozenset(endpoint.expected_ips)
    return [ifname for ifname, addresses in interfaces.items() if not expected.isdisjoint(addresses)]
