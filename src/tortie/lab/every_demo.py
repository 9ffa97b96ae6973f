"""All demonstrations, and which of them a datastore shows."""

from __future__ import annotations

from tortie.datastore.store import Store
from tortie.lab.advanced import ADVANCED
from tortie.lab.demo import Demo
from tortie.lab.simple import SIMPLE
from tortie.lab.stars import STARS
from tortie.model.kinds import POD, parse_path

DEMOS = {demo.name: demo for demo in (SIMPLE, STARS, ADVANCED)}
"""From the easiest on."""


def demo_in(store: Store) -> Demo | None:
    """The demo whose workloads are all stored; None if it is none's."""
    keys = (parse_path(entry.key) for entry in store.list(POD.prefix).entries)
    pods = {f"{key.namespace}/{key.name}" for key in keys if key is not None}
    shown = (demo for demo in DEMOS.values() if pods.issuperset(program.workload for program in demo.programs))
    return next(shown, None)
