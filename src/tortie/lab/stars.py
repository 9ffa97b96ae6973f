"""The Stars demo: three services that probe each other, isolated and opened again step by step.

F (frontend) and B (backend) in namespace ``stars``, C (client) in ``client``, UI (management UI) in ``management-ui``.
"""

from __future__ import annotations

from tortie.lab.demo import Demo, Manifest, Probe, Step

_UI = frozenset({("UI", "F"), ("UI", "B"), ("UI", "C")})
_ALL = _UI | {(a, b) for a in "FBC" for b in "FBC" if a != b}

STARS = Demo(
    name="stars",
    title="Stars: isolation and what opens it, on three hosts",
    hosts=3,
    workloads=(
        Manifest("01-namespace-stars.yaml"),
        Manifest("02-management-ui.yaml"),
        Manifest("03-backend.yaml"),
        Manifest("04-frontend.yaml"),
        Manifest("05-client.yaml"),
    ),
    probes=(
        Probe("F", "stars/frontend", 80, "http://frontend.stars:80/status"),
        Probe("B", "stars/backend", 6379, "http://backend.stars:6379/status"),
        Probe("C", "client/client", 9000, "http://client.client:9000/status"),
    ),
    collector=Probe("UI", "management-ui/management-ui", 9001),
    steps=(
        Step(
            "everything connected",
            "No policy selects a pod, so its namespace's profile decides, and that allows everything.",
            (),
            _ALL,
        ),
        Step(
            "isolation on",
            "default-deny selects every pod of stars and of client and allows nothing in. Not even the UI sees them.",
            (Manifest("default-deny.yaml", "stars"), Manifest("default-deny.yaml", "client")),
            frozenset(),
        ),
        Step(
            "the UI allowed in",
            "allow-ui, in both namespaces, lets in whatever comes from a namespace labelled role=management-ui.",
            (Manifest("allow-ui.yaml"), Manifest("allow-ui-client.yaml")),
            _UI,
        ),
        Step(
            "backend policy",
            "backend-policy lets frontend reach backend, at TCP port 6379 and at no other.",
            (Manifest("backend-policy.yaml"),),
            _UI | {("F", "B")},
        ),
        Step(
            "frontend policy",
            "frontend-policy lets the pods of namespaces labelled role=client reach frontend, at TCP port 80.",
            (Manifest("frontend-policy.yaml"),),
            _UI | {("F", "B"), ("C", "F")},
        ),
    ),
)
