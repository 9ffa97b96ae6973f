"""The simple policy demo: a service that everybody reaches, then nobody, then only those with the right label.

Two clients, ``access`` and ``cant-access``, ask service ``nginx``, behind which are two pods on two hosts.
"""

from __future__ import annotations

from tortie.lab.demo import Demo, Destination, Manifest, Probe, Step

_ALLOWED = frozenset({("access", "nginx")})

SIMPLE = Demo(
    name="simple",
    title="Simple policy: a service, isolated and opened to a label, on two hosts",
    hosts=2,
    workloads=(
        Manifest("01-namespace.yaml"),
        Manifest("02-nginx.yaml"),
        Manifest("03-clients.yaml"),
    ),
    probes=(
        Probe("access", "policy-demo/access", 9000),
        Probe("cant-access", "policy-demo/cant-access", 9000),
    ),
    destinations=(Destination("nginx", "http://nginx", 80, ("policy-demo/nginx-1", "policy-demo/nginx-2")),),
    steps=(
        Step(
            "everybody may",
            "No policy selects a pod, so the namespace's profile decides, and that allows everything.",
            (),
            _ALLOWED | {("cant-access", "nginx")},
        ),
        Step(
            "isolation on",
            "default-deny selects every pod of the namespace and allows nothing in. Names still resolve: DNS is elsewhere.",
            (Manifest("default-deny.yaml"),),
            frozenset(),
        ),
        Step(
            "those labelled run=access",
            "access-nginx lets pods labelled run=access reach nginx: both replicas, from either host.",
            (Manifest("access-nginx.yaml"),),
            _ALLOWED,
        ),
    ),
)
