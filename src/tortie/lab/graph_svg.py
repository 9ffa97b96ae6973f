"""A lab's topology as a drawing: an SVG document that needs nothing else, in light and dark. No I/O.

    ┌──────────── fabric ────────────┐
        │            │           │         links; a dot: the BGP session with the fabric
    ┌───────┐    ┌───────┐   ┌───────┐
    │ host1 │    │ host2 │   │ host3 │     what is not well is written, not only coloured
    │ a   b │    │ c     │   │ d     │
    └───────┘    └───────┘   └───────┘
        ╰────────────╯ ╰─────────╯         BGP sessions between hosts

What one sees is said too: every part has a title, and the whole a description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from tortie.lab import layout
from tortie.lab.topology import HostNode, Session, Topology, WorkloadNode

_MARGIN = 24
_WIDTH = 284
"""Of a host; the gap to the next comes on top."""
_LONGEST = 28
"""Letters of a workload's name that a box has room for, in a wide font too."""
_GAP = 36
_FABRIC_HEIGHT = 44
_LINK = 64
"""From the fabric down to the hosts."""
_HEAD = 78
"""Of a host above its workloads."""
_ROW = 40
_FOOT = 12
_ARC = 30
"""How much deeper the arc to the next but one host hangs than that to the next."""

_LEGEND = 40
_BETWEEN = " · "

_STYLE = """
svg { color-scheme: light dark; background: var(--paper); font: 13px system-ui, sans-serif;
  --paper: #ffffff; --ink: #1c2430; --soft: #576275; --box: #f3f5f9; --edge: #8592a6; --inner: #ffffff;
  --link: #3a6ea5; --session: #2e7d4f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { svg { --paper: #12161d; --ink: #e8ecf3; --soft: #a9b4c4; --box: #1d2430; --edge: #66738a;
  --inner: #12161d; --link: #7fb2e5; --session: #74c795; --bad: #ff8a80; } }
text { fill: var(--ink); } .name { font-weight: 600; } .soft { fill: var(--soft); font-size: 11.5px; }
.wrong { fill: var(--bad); font-size: 11.5px; font-weight: 600; }
.box { fill: var(--box); stroke: var(--edge); } .inner { fill: var(--inner); stroke: var(--edge); }
.link { stroke: var(--link); stroke-width: 2.5; fill: none; } .session { stroke: var(--session); stroke-width: 1.5; fill: none; }
circle.session { fill: var(--session); } .down { stroke: var(--bad); stroke-dasharray: 5 4; } circle.down { fill: var(--paper); }
""".strip()


def as_svg(shown: Topology) -> str:
    """The document; the same topology gives the same text."""
    box = _HEAD + _ROW * max(len(host.workloads) for host in shown.hosts) + _FOOT
    bottom = _MARGIN + _FABRIC_HEIGHT + _LINK + box
    places = {host.name: _MARGIN + number * (_WIDTH + _GAP) for number, host in enumerate(shown.hosts)}
    width = 2 * _MARGIN + len(shown.hosts) * (_WIDTH + _GAP) - _GAP
    height = bottom + _ARC * len(shown.hosts) + _LEGEND
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(_description(shown))}>',
        f"<title>{escape(f'Lab {shown.name}')}</title>",
        f"<style>{_STYLE}</style>",
        *_fabric(width),
        *(
            part
            for session in shown.sessions
            if layout.FABRIC not in session.ends
            for part in _arc(session, places, bottom)
        ),
        *(part for host in shown.hosts for part in _link(host, places[host.name])),
        *(part for session in shown.sessions if layout.FABRIC in session.ends for part in _dot(session, places)),
        *(part for host in shown.hosts for part in _host(host, places[host.name], box)),
        *_legend(height - _MARGIN),
        "</svg>",
    )
    return "\n".join(parts) + "\n"


def _description(shown: Topology) -> str:
    workloads = sum(len(host.workloads) for host in shown.hosts)
    broken = f"; failed: {', '.join(shown.faults)}" if shown.faults else ""
    sessions = f"{shown.established} of {shown.total} BGP sessions established"
    return f"Lab {shown.name}: {len(shown.hosts)} hosts, {workloads} workloads, {sessions}{broken}"


def _titled(text: str, *parts: str) -> Iterator[str]:
    """A group whose title a pointer or a screen reader finds."""
    yield f"<g><title>{escape(text)}</title>"
    yield from parts
    yield "</g>"


def _text(x: float, y: float, kind: str, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _fabric(width: int) -> Iterator[str]:
    addresses = _BETWEEN.join((str(layout.FABRIC_V4), str(layout.FABRIC_V6)))
    yield from _titled(
        f"{layout.FABRIC}, a router with a BIRD of its own: {addresses}",
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{width - 2 * _MARGIN}" height="{_FABRIC_HEIGHT}" rx="8" class="box"/>',
        _text(_MARGIN + 12, _MARGIN + 27, "name", layout.FABRIC),
        _text(width - _MARGIN - 12, _MARGIN + 27, "soft", addresses, "end"),
    )


def _link(host: HostNode, x: int) -> Iterator[str]:
    top = _MARGIN + _FABRIC_HEIGHT
    state = "up" if host.is_linked else "down"
    kind = "link" if host.is_linked else "link down"
    line = f'<line x1="{x + 60}" y1="{top}" x2="{x + 60}" y2="{top + _LINK}" class="{kind}"/>'
    words = () if host.is_linked else (_text(x + 70, top + _LINK / 2 + 4, "wrong", "link down"),)
    yield from _titled(f"link of {host.name} to the fabric: {state}", line, *words)


def _dot(session: Session, places: Mapping[str, int]) -> Iterator[str]:
    """The session of a host with the fabric, on the link that joins them."""
    x = places[session.ends[0]] + 60
    dot = f'<circle cx="{x}" cy="{_MARGIN + _FABRIC_HEIGHT + 14}" r="5" class="{_session_kind(session)}"/>'
    yield from _titled(_session_title(session), dot)


def _arc(session: Session, places: Mapping[str, int], bottom: int) -> Iterator[str]:
    left, right = sorted(places[end] for end in session.ends)
    distance = (right - left) // (_WIDTH + _GAP)
    # a host's arcs leave side by side, the longest nearest to its middle
    start, end = left + _WIDTH - 16 - 12 * (distance - 1), right + 16 + 12 * (distance - 1)
    depth = bottom + _ARC * distance * 4 / 3  # the middle of such a curve hangs three quarters as deep as its handles
    path = f"M{start} {bottom} C{start} {depth:.0f} {end} {depth:.0f} {end} {bottom}"
    yield from _titled(_session_title(session), f'<path d="{path}" class="{_session_kind(session)}"/>')


def _session_kind(session: Session) -> str:
    return "session" if session.is_up else "session down"


def _session_title(session: Session) -> str:
    return f"BGP between {' and '.join(session.ends)}: {session.established} of {session.total} sessions established"


def _host(host: HostNode, x: int, height: int) -> Iterator[str]:
    y = _MARGIN + _FABRIC_HEIGHT + _LINK
    yield f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{height}" rx="8" class="box"/>'
    yield _text(x + 12, y + 24, "name", host.name)
    yield _text(x + 12, y + 42, "soft", _BETWEEN.join(host.addresses))
    for number, (program, state) in enumerate((("agent", host.agent), ("BIRD", host.bird))):
        kind = "soft" if state == "running" else "wrong"
        yield _text(x + 12 + number * (_WIDTH // 2 - 12), y + 61, kind, f"{program} {state}")
    for number, workload in enumerate(host.workloads):
        yield from _workload(workload, x, y + _HEAD + number * _ROW)


def _workload(workload: WorkloadNode, x: int, y: int) -> Iterator[str]:
    wrong = [] if workload.phase == "Running" else [workload.phase]
    wrong += [] if workload.is_linked else ["link down"]
    kind = "link" if workload.is_linked else "link down"
    yield from _titled(
        f"{workload.name}: {', '.join((*workload.addresses, *(wrong or ['running'])))}",
        f'<line x1="{x}" y1="{y + 17}" x2="{x + 14}" y2="{y + 17}" class="{kind}"/>',
        f'<rect x="{x + 14}" y="{y}" width="{_WIDTH - 26}" height="34" rx="5" class="inner"/>',
        _text(x + 22, y + 14, "name", _shortened(workload.name)),
        _text(x + 22, y + 28, "soft", _BETWEEN.join(workload.addresses)),
        *([_text(x + _WIDTH - 20, y + 28, "wrong", ", ".join(wrong), "end")] if wrong else []),
    )


def _legend(y: int) -> Iterator[str]:
    for number, (kind, text) in enumerate((("link", "link"), ("session", "BGP"), ("session down", "down"))):
        x = _MARGIN + number * 88
        yield f'<line x1="{x}" y1="{y}" x2="{x + 28}" y2="{y}" class="{kind}"/>'
        yield _text(x + 35, y + 4, "soft", text)


def _shortened(name: str) -> str:
    """As much of a name as a box has room for; the title has all of it."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
