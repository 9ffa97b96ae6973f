"""What a host's settings decide about its ruleset."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class EndpointToHostAction(StrEnum):
    """What becomes of a workload's packets to its own host (``defaultEndpointToHostAction``)."""

    DROP = "Drop"
    """They are dropped, whatever policy says."""
    ACCEPT = "Accept"
    """The workload's egress policy decides."""
    RETURN = "Return"
    """The workload's egress policy decides, then the host's own rules. An accept in nf_tables leaves later chains and other
    tables their say, so for the kernel this is the same as ACCEPT."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the compiler; the defaults are Calico's."""

    interface_prefix: str = "cali"
    """Of workload links on the host; a link so called that we do not know is dropped."""
    endpoint_to_host_action: EndpointToHostAction = EndpointToHostAction.DROP
    vxlan_port: int = 4789
    log_prefix: str = "calico-packet"
