"""The ports of a host that stay open whatever policy says, so that nobody locks himself out of it.

Where packets are judged before connection tracking, the answers have to be let through as well: there what goes out from an
inbound port is as good as what comes in to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tortie.net import Network, Protocol
from tortie.ruleset.options import Failsafe, Options
from tortie.ruleset.places import HOST_OUT_PLACES, Place
from tortie.ruleset.rules import merged
from tortie.ruleset.values import Accept, NetsMatch, PortsMatch, ProtocolMatch, Range, Rule, Side

_TO_OUTBOUND_PORTS = (("failsafes_out", Side.DESTINATION, Side.DESTINATION),)
_LISTS = {
    Place.HOST_IN: (("failsafes_in", Side.DESTINATION, Side.SOURCE),),
    Place.PRE_DNAT: (("failsafes_in", Side.DESTINATION, Side.SOURCE),),
    Place.UNTRACKED_IN: (
        ("failsafes_in", Side.DESTINATION, Side.SOURCE),
        ("failsafes_out", Side.SOURCE, Side.SOURCE),
    ),
    **dict.fromkeys(HOST_OUT_PLACES, _TO_OUTBOUND_PORTS),
    Place.UNTRACKED_OUT: (
        ("failsafes_out", Side.DESTINATION, Side.DESTINATION),
        ("failsafes_in", Side.SOURCE, Side.DESTINATION),
    ),
}
"""Which of the options' lists count at a place, on which side of a packet their port is, and on which the net."""


def failsafe_rules(place: Place, options: Options) -> Iterator[Rule]:
    """What is accepted at *place* before any policy; nothing where failsafes do not count."""
    for field, port_side, net_side in _LISTS.get(place, ()):
        for (protocol, net), ports in _by_protocol_and_net(getattr(options, field)).items():
            within = (NetsMatch(net_side, (net,)),) if net is not None else ()
            yield Rule((*within, ProtocolMatch(protocol), PortsMatch(port_side, ports)), (Accept(),), "failsafe")


def _by_protocol_and_net(
    failsafes: Iterable[Failsafe],
) -> dict[tuple[Protocol, Network | None], tuple[Range, ...]]:
    found: dict[tuple[Protocol, Network | None], list[Range]] = {}
    for protocol, port, net in failsafes:
        found.setdefault((protocol, net), []).append(Range(port, port))
    return {key: merged(ports) for key, ports in found.items()}
