"""The advanced policy demo: what may come in, by Kubernetes policies, and then what may go out, by Calico's.

Client ``access`` asks service ``nginx``, behind which are two pods on two hosts, and pings a host outside the cluster by name.
"""

from __future__ import annotations

from tortie.lab.demo import Demo, Destination, Manifest, Probe, Step

_ROUTER_PORT = 179
"""The outside is the fabric's router, where BIRD listens: the change of its ping's verdict is timed there."""

ADVANCED = Demo(
    name="advanced",
    title="Advanced policy: ingress by Kubernetes policies, egress by Calico's, on two hosts",
    hosts=2,
    workloads=(
        Manifest("01-namespace.yaml"),
        Manifest("02-default-deny.yaml"),
        Manifest("03-nginx.yaml"),
        Manifest("04-access.yaml"),
    ),
    probes=(Probe("access", "advanced-policy-demo/access", 9000),),
    destinations=(
        Destination("nginx", "http://nginx", 80, ("advanced-policy-demo/nginx-1", "advanced-policy-demo/nginx-2")),
        Destination("outside", "icmp://outside.example", _ROUTER_PORT),
    ),
    steps=(
        Step(
            "isolation from the start",
            "default-deny was applied before anything ran: nothing comes in. What goes out is nobody's business yet.",
            (),
            frozenset({("access", "outside")}),
        ),
        Step(
            "nginx opened",
            "access-nginx lets every pod of the namespace reach nginx.",
            (Manifest("access-nginx.yaml"),),
            frozenset({("access", "nginx"), ("access", "outside")}),
        ),
        Step(
            "egress restricted",
            "Two global policies let the pods send to each other and to the DNS server: outside resolves, and is silent.",
            (Manifest("restrict-egress.yaml"),),
            frozenset({("access", "nginx")}),
        ),
    ),
)
