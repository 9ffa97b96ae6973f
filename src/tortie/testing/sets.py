"""Random peers without an interface of a workload: network sets, and the endpoints of services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from tortie.model.kubernetes_endpointslice import (
    SERVICE_LABEL,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
)
from tortie.model.meta import ObjectMeta
from tortie.model.sets import GlobalNetworkSet, NetworkSet, NetworkSetSpec
from tortie.net import Address, Family, Network
from tortie.testing.topology import of_family
from tortie.testing.vocabulary import LABELS, PORT_NUMBERS, SERVICES, chance, random_labels, some

_EVERYTHING = ("0.0.0.0/0", "::/0")


def random_network_sets(
    rng: Random, namespaces: Sequence[str], nets: Sequence[Network], addresses: Sequence[Address]
) -> Iterator[NetworkSet | GlobalNetworkSet]:
    """Up to three, cluster-wide and of namespaces: networks, with host bits or without, addresses, now and then everything."""
    for name in rng.sample(("set-a", "set-b", "set-c"), rng.choice((0, 1, 2, 3))):
        spec = NetworkSetSpec(nets=_nets(rng, nets, addresses))
        labels = random_labels(rng, LABELS)
        if chance(rng, 0.5):
            yield GlobalNetworkSet(metadata=ObjectMeta(name=name, labels=labels), spec=spec)
        else:
            namespace = rng.choice(namespaces)
            yield NetworkSet(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=spec)


def _nets(rng: Random, nets: Sequence[Network], addresses: Sequence[Address]) -> tuple[str, ...]:
    choices = [*(str(net) for net in nets if net.prefix_len), *map(str, addresses)]
    choices += (f"{address}/{24 if address.family is Family.V4 else 64}" for address in addresses)
    everything = some(rng, _EVERYTHING, 2) if chance(rng, 0.1) else ()
    return (*everything, *some(rng, choices, 4)) if chance(rng, 0.95) else ()


def random_endpoint_slices(
    rng: Random, namespaces: Sequence[str], addresses: Sequence[Address]
) -> Iterator[EndpointSlice]:
    """Of each service in each namespace none or some, of either family; a service may have several."""
    for namespace in namespaces:
        for service in SERVICES[:-1]:
            for number in range(rng.choice((0, 0, 1, 2))):
                family = rng.choice(tuple(Family))
                yield EndpointSlice(
                    metadata=ObjectMeta(
                        name=f"{service}-{number}", namespace=namespace, labels={SERVICE_LABEL: service}
                    ),
                    address_type="IPv4" if family is Family.V4 else "IPv6",
                    endpoints=tuple(
                        Endpoint(
                            addresses=(str(address),),
                            conditions=EndpointConditions(ready=rng.choice((None, True, False))),
                        )
                        for address in some(rng, of_family(addresses, family), 3)
                    ),
                    ports=_ports(rng),
                )


def _ports(rng: Random) -> tuple[EndpointPort, ...]:
    """Now and then one without a number, which stands for no port in rules."""
    return tuple(
        EndpointPort(
            name=name,
            protocol=rng.choice(("TCP", "TCP", "UDP", "SCTP")),
            port=None if chance(rng, 0.1) else rng.choice(PORT_NUMBERS),
        )
        for name in some(rng, ("one", "two", "three"), 3)
    )
