"""How an agent runs: what it is told on its command line, and where its files are on a host."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tortie.bird.daemon import BirdPaths
from tortie.model.meta import HostName
from tortie.routing import SessionTimers

ENDPOINT_STATUS = Path("/run/tortie/endpoint-status")
"""Holds a file for each interface whose policy is in the kernel: the start gate (ADR 11)."""


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """One agent's settings."""

    node: HostName
    supervise_bird: bool = True
    """Start BIRD again when it has died."""
    resync_s: float = 60.0
    """How often the kernel is listed and compared, in case somebody changed it unnoticed."""
    endpoint_status: Path = ENDPOINT_STATUS
    bird: BirdPaths = field(default_factory=BirdPaths)
    timers: SessionTimers = field(default_factory=SessionTimers)
